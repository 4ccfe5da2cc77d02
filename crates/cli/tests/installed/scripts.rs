//! `scripts/minirootfs`, `scripts/default-image` and `scripts/first-rootfs` where something is in the way: a directory, a link, a
//! signal, a umask.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nex_testkit::{Failure, Result, command, corpus, nex, places};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long a busy machine may take for something that takes a moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of the file for amd64.
const ALPINE: &str = "alpine-minirootfs-3.20.3-x86_64.tar.gz";

fn script(name: &str, cache: &Path) -> Command {
    let mut script = Command::new(places::workspace().join("scripts").join(name));
    script.env("XDG_CACHE_HOME", cache);
    script
}

fn says(script: &mut Command, words: &str) -> Result<()> {
    let result = command::output(script)?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    if !result.status.success() && said.contains(words) { Ok(()) } else { Err(Failure::new(said)) }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > PATIENCE {
            return Err(Failure::new(format!("not in time: {what}")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A directory of programs, one of which is this script.
fn with_program(place: &Path, name: &str, text: &str) -> Result<String> {
    let programs = place.join("programs");
    fs::create_dir_all(&programs)?;
    fs::write(programs.join(name), format!("#!/bin/sh\n{text}\n"))?;
    fs::set_permissions(programs.join(name), fs::Permissions::from_mode(0o755))?;
    Ok(format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default()))
}

#[test]
fn a_directory_in_the_way_is_refused_and_a_link_is_replaced() -> Result<()> {
    let Some(files) = corpus::alpine_files() else { return Ok(()) };
    let place = nex::directory()?;
    let (cache, into) = (place.path().join("cache"), place.path().join("into"));
    fs::create_dir_all(into.join(ALPINE))?;
    let mut minirootfs = script("minirootfs", &cache);
    minirootfs.arg("--from").arg(&files).arg("--into").arg(&into).arg("amd64");
    says(&mut minirootfs, "is a directory")?;
    let make = |output: PathBuf| {
        let mut make = script("default-image", &cache);
        make.arg("--minirootfs").arg(&files).arg(output);
        make
    };
    says(&mut make(into.clone()), "is a directory")?;
    assert_eq!((nex::names(&into)?, nex::names(&into.join(ALPINE))?.len()), (vec![ALPINE.to_owned()], 0));

    let (victim, link) = (place.path().join("victim"), into.join("link.tar"));
    fs::write(&victim, "kept")?;
    symlink(&victim, &link)?;
    command::run(&mut make(link.clone()))?;
    assert!(fs::read(&victim)? == b"kept" && link.symlink_metadata()?.is_file());
    Ok(())
}

#[test]
fn names_with_a_dash_are_files_and_no_umask_opens_what_is_kept() -> Result<()> {
    let Some(files) = corpus::alpine_files() else { return Ok(()) };
    let place = nex::directory()?;
    fs::copy(files.join(ALPINE), place.path().join("-x.tar.gz"))?;
    let minirootfs = places::workspace().join("scripts/minirootfs");
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$0\" --from -x.tar.gz amd64"]).arg(minirootfs).current_dir(&place);
    command::run(shell.env("XDG_CACHE_HOME", place.path().join("cache")))?;
    for kept in ["cache", "cache/nex", "cache/nex/minirootfs"] {
        assert_eq!(place.path().join(kept).metadata()?.permissions().mode() & 0o777, 0o755, "{kept}");
    }
    Ok(())
}

#[test]
fn an_interrupt_ends_a_download() -> Result<()> {
    let place = nex::directory()?;
    let begun = place.path().join("begun");
    let path = with_program(place.path(), "curl", &format!("touch {}; exec sleep 100", begun.display()))?;
    let mut download = script("minirootfs", &place.path().join("cache"));
    let mut download = download.arg("amd64").env("PATH", path).process_group(0).stderr(Stdio::null()).spawn()?;
    until("a download", || begun.exists())?;
    // As the terminal does.
    kill_process_group(Pid::from_child(&download), Signal::INT)?;
    let start = Instant::now();
    until("its end", || download.try_wait().is_ok_and(|ended| ended.is_some()))?;
    assert!(start.elapsed() < PATIENCE && nex::names(&place.path().join("cache/nex/minirootfs"))?.is_empty());
    Ok(())
}

#[test]
fn a_signal_leaves_nothing_behind() -> Result<()> {
    let Some(files) = corpus::alpine_files() else { return Ok(()) };
    let place = nex::directory()?;
    let (output, temporary) = (place.path().join("output"), place.path().join("temporary"));
    [&output, &temporary].into_iter().try_for_each(fs::create_dir)?;
    let mut make = script("default-image", &place.path().join("cache"));
    make.arg("--minirootfs").arg(&files).arg(output.join("image.tar")).env("TMPDIR", &temporary);
    let mut make = make.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    until("the making", || nex::names(&output).is_ok_and(|names| !names.is_empty()))?;
    kill_process(Pid::from_child(&make), Signal::TERM)?;
    assert!(!make.wait()?.success());
    let left = || Ok::<_, Failure>([nex::names(&output)?, nex::names(&temporary)?].concat());
    assert!(left()?.is_empty(), "{:?}", left()?);
    Ok(())
}
