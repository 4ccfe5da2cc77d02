//! What cannot run is refused before a guest starts where that can be known, with docker's exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nex_testkit::{Failure, Result, command, layout};
use serde_json::json;

use crate::nex::{self, NEX};
use crate::place::Place;

/// The command ends with this exit code and says these words, and nothing on its standard output.
fn refused(run: &mut Command, code: i32, words: &[&str]) -> Result<()> {
    let result = command::output(run)?;
    let said = String::from_utf8_lossy(&result.stderr);
    let all = words.iter().all(|word| said.contains(word));
    match result.status.code() == Some(code) && all && result.stdout.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!("{}, not {code} and {words:?}: {said}", result.status))),
    }
}

fn program(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}

#[test]
fn programs_that_cannot_run_are_refused() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let file = place.path("program");
    let run = |path: &Path| -> Result<Command> {
        let mut run = place.nex()?;
        run.arg(path);
        Ok(run)
    };
    refused(
        &mut run(Path::new("/none/x"))?,
        127,
        &["error: there is no program '/none/x' on this machine", "-- /none/x"],
    )?;
    refused(&mut run(place.directory.path())?, 126, &["is not a regular file"])?;
    program(&file, &fs::read(place.busybox())?, 0o644)?;
    refused(&mut run(&file)?, 126, &["is not executable; chmod +x '"])?;
    program(&file, b"\x7fELF", 0o755)?;
    refused(&mut run(&file)?, 126, &["is no program: its ELF header is cut short"])?;
    program(&file, b"hello\n", 0o755)?;
    refused(&mut run(&file)?, 126, &["it begins neither as an ELF file nor with #!", "static Linux binary"])?;
    let foreign = nex::agent_for_aarch64(place.directory.path())?;
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o755))?;
    refused(&mut run(&foreign)?, 126, &["is for arm64, but the kernel is for amd64; build it for amd64"])?;
    refused(&mut run(Path::new(NEX))?, 127, &["needs what the image lacks: the loader /lib64/", "build it static"])?;
    program(&file, b"#!/usr/bin/python3\n", 0o755)?;
    refused(&mut run(&file)?, 127, &["is a script for /usr/bin/python3, which the image lacks"])?;
    refused(&mut place.nex()?, 125, &["the image names no program", "-- /bin/sh -c"])?;
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn what_is_known_in_the_guest_only_has_the_same_codes() -> Result<()> {
    let Some(place) = Place::new(json!({ "Env": ["PATH=/bin"] }))? else { return Ok(()) };
    let mut run = place.nex()?;
    refused(
        run.args(["--", "no-such-program"]),
        127,
        &["error: the program could not be started: ", "no-such-program"],
    )?;
    let mut run = place.nex()?;
    refused(run.args(["--", "/etc/passwd"]), 126, &["error: the program could not be started: ", "/etc/passwd"])?;
    let mut run = place.nex()?;
    refused(run.args(["--user", "nobody-here", "--", "id"]), 125, &["nobody-here"])?;
    Ok(())
}

#[test]
fn wrong_usage_and_wrong_files_are_nex_s_own_failures() -> Result<()> {
    let Some(place) = Place::new(json!({ "Cmd": ["sh"] }))? else { return Ok(()) };
    let mut nex = Command::new(NEX);
    refused(nex.env_clear().arg("run"), 125, &["--rootfs <FILE>", "Usage: nex run"])?;
    refused(place.nex()?.args(["--restart", "often"]), 125, &["\"often\" is no restart policy"])?;
    refused(place.nex()?.args(["--env", "=x"]), 125, &["a variable is NAME=VALUE"])?;
    refused(place.nex()?.args(["--overlay-drive", "/none/state"]), 125, &["cannot make '/none/state'"])?;
    refused(place.nex()?.args(["--overlay-drive", "4KiB"]), 125, &["cannot write a drive for the guest"])?;
    // What is no drive of ours is not written to, least of all the root.
    let (before, garbage) = (fs::read(place.root())?, place.path("garbage"));
    fs::write(&garbage, [0xa5; 8192])?;
    for file in [&place.root(), &garbage] {
        refused(place.nex()?.arg("--overlay-drive").arg(file), 125, &["not a drive that nex has made for changes"])?;
    }
    assert!(fs::read(place.root())? == before, "the root changed");
    fs::remove_file(garbage)?;
    refused(&mut place.nex_with(Path::new("/none"))?, 125, &["cannot read", "/none"])?;
    for flag in ["--timeout", "--boot-timeout", "--stop-timeout"] {
        refused(place.nex()?.args([flag, "9223372036854775807"]), 125, &["a time has at most 876000h"])?;
    }

    // The contract, and what comes of it when nobody minds.
    command::run(nex::change("set-agent", &place.root(), nex::agent()?).env("NEX_FORMAT", "json"))?;
    let debugfs = "rm /usr/local/bin/agent";
    command::run(Command::new("debugfs").args(["-w", "-R", debugfs]).arg(place.root()))?;
    refused(&mut place.nex()?, 125, &["does not come up with", "--no-check tries it all the same"])?;
    let mut run = place.nex()?;
    let words = ["the console's last lines", "cause ", "/usr/local/bin/agent", "error: the guest ended before"];
    refused(run.arg("--no-check"), 125, &words)?;

    fs::write(place.root(), layout::gzip(b"x")?)?;
    refused(&mut place.nex()?, 125, &["compressed by gzip; unpack it first"])?;
    assert!(place.is_clean()?);
    Ok(())
}
