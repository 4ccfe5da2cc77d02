//! Building a kernel, by programs that pass for the compiler and apt-get: what is missing is told, a failure is explained, and an
//! interrupt leaves nothing. The build itself takes minutes, and no test waits for it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nex_testkit::{Failure, Result, command, nex};

use crate::place::{Place, report, said};

/// What the script takes for granted.
const SYSTEM: [&str; 18] = [
    "bash",
    "cat",
    "cut",
    "df",
    "dirname",
    "flock",
    "id",
    "mkdir",
    "mktemp",
    "nproc",
    "realpath",
    "rm",
    "sha256sum",
    "sleep",
    "sort",
    "tail",
    "uname",
    "sed",
];
/// What it looks for.
const TOOLS: [&str; 8] = ["dpkg-deb", "tar", "xz", "make", "gcc", "ld", "bc", "perl"];

/// A directory of programs, which is all of the path: this machine's, and scripts.
fn programs(place: &Place, scripts: &[(&str, &str)]) -> Result<()> {
    let directory = place.path("bin");
    fs::create_dir_all(&directory)?;
    for name in SYSTEM {
        let places = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(name));
        let program = places.into_iter().find(|program| program.exists());
        let program = program.ok_or_else(|| Failure::new(format!("there is no {name} here")))?;
        if !directory.join(name).exists() {
            symlink(program, directory.join(name))?;
        }
    }
    for (name, script) in scripts {
        let path = directory.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn build(place: &Place) -> Command {
    let mut build = place.kernel(&["build", "--format", "json"]);
    build.env("PATH", place.path("bin")).env("XDG_CACHE_HOME", place.path("cache")).env("TMPDIR", place.path(""));
    build
}

/// Nothing but the lock that builds wait for.
fn nothing_is_left(place: &Place) -> Result<()> {
    assert_eq!(nex::names(&place.path("cache/nex/kernels"))?, ["lock"]);
    assert!(!nex::names(&place.path(""))?.iter().any(|name| name.starts_with("nex-kernel-")), "the script is left");
    assert!(!place.path("data").exists(), "something was installed");
    Ok(())
}

#[test]
fn what_is_missing_is_told() -> Result<()> {
    let place = Place::new()?;
    nex::failed(&command::output(&mut build(&place))?, &["cannot run bash"])?;
    programs(&place, &[("apt-get", "exit 1"), ("gcc", "exit 1")])?;
    let told = "packages are missing: apt-get install dpkg tar xz-utils make binutils bc perl-base";
    let refused = report(&command::output(&mut build(&place))?, 1)?;
    assert_eq!(refused["error"]["message"], "the kernel cannot be built");
    assert!(refused["error"]["causes"][0].as_str().is_some_and(|words| words.starts_with(told)), "{refused}");
    let other = command::output(&mut place.kernel(&["build", "--platform", "riscv64"]))?;
    assert_eq!(other.status.code(), Some(2));
    assert!(!place.path("cache").exists() && !place.path("data").exists(), "nothing was made");
    Ok(())
}

#[test]
fn a_failure_is_explained_and_an_interrupt_leaves_nothing() -> Result<()> {
    let place = Place::new()?;
    let source = ("apt-cache", "echo 'linux-source-9.9 - source'");
    programs(&place, &TOOLS.map(|name| (name, "exit 0")))?;
    programs(&place, &[source, ("apt-get", "echo no network >&2; exit 100")])?;
    let failed = command::output(&mut build(&place))?;
    let told = said(&failed.stderr);
    assert!(
        told.contains("no network") && told.ends_with("\nerror: the kernel cannot be built: apt-get ended with 100\n"),
        "{told}"
    );
    let error = &report(&failed, 1)?["error"];
    assert_eq!(
        (&error["message"], &error["causes"][0]),
        (&"the kernel cannot be built".into(), &"apt-get ended with 100".into())
    );
    assert_eq!(error["code"], "kernel-not-built");
    nothing_is_left(&place)?;

    // One that never ends.
    let (child, sleeper) = begun(&place)?;
    command::run(Command::new("kill").arg(child.id().to_string()))?;
    let ended = child.wait_with_output()?;
    assert_eq!(ended.status.signal(), Some(15), "{}", said(&ended.stderr));
    assert!(!Path::new("/proc").join(sleeper).exists(), "apt-get goes on");
    nothing_is_left(&place)
}

/// A build that has begun, with an apt-get that never ends; and the number of that.
fn begun(place: &Place) -> Result<(Child, String)> {
    programs(place, &[("apt-get", "echo $$ >$XDG_CACHE_HOME/began; exec sleep 600")])?;
    let mut child = build(place).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let start = Instant::now();
    let began = place.path("cache/began");
    while fs::read(&began).map_or(true, |text| text.is_empty()) {
        assert!(start.elapsed() < Duration::from_secs(60) && child.try_wait()?.is_none(), "it does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((child, fs::read_to_string(&began)?.trim().to_owned()))
}

#[test]
fn a_build_ends_with_a_nex_that_is_killed() -> Result<()> {
    let place = Place::new()?;
    programs(&place, &TOOLS.map(|name| (name, "exit 0")))?;
    programs(&place, &[("apt-cache", "echo 'linux-source-9.9 - source'")])?;
    let (mut child, sleeper) = begun(&place)?;
    child.kill()?;
    child.wait()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let kernels = place.path("cache/nex/kernels");
    while Path::new("/proc").join(&sleeper).exists() || nex::names(&kernels)? != ["lock"] {
        assert!(Instant::now() < deadline, "it goes on: {:?}", nex::names(&kernels)?);
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[test]
fn a_kernel_that_others_could_have_put_into_the_cache_is_not_installed() -> Result<()> {
    let place = Place::new()?;
    programs(&place, &[])?;
    let cache = place.path("cache");
    fs::create_dir(&cache)?;
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777))?;
    let error = &report(&command::output(&mut build(&place))?, 1)?["error"];
    assert_eq!(error["message"], "there is no place to build a kernel in");
    let hint = error["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("chmod go-w") && !cache.join("nex").exists(), "{error}");

    let mut relative = build(&place);
    relative.env("XDG_CACHE_HOME", "cache").env("HOME", "home").current_dir(place.path(""));
    let error = &report(&command::output(&mut relative)?, 1)?["error"];
    assert_eq!(error["causes"][0], "neither XDG_CACHE_HOME nor HOME names a directory");
    Ok(())
}
