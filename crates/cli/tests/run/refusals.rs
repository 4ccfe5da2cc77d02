//! What cannot run is refused before a guest starts where that can be known, with docker's exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nex_testkit::{Failure, Result, command, elf, layout, nex};
use serde_json::json;

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
    refused(
        &mut run(Path::new(nex::program()))?,
        127,
        &["needs what the image lacks: the loader /lib64/", "build it static"],
    )?;
    program(&file, b"#!/usr/bin/python3\n", 0o755)?;
    refused(&mut run(&file)?, 127, &["is a script for /usr/bin/python3, which the image lacks"])?;
    refused(&mut place.nex()?, 125, &["the image names no program", "-- /bin/sh -c"])?;
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn what_the_agent_would_not_start_is_refused_in_the_same_way_before_a_boot() -> Result<()> {
    let config = json!({ "Env": ["PATH=/bin"], "Cmd": ["sh"], "StopSignal": "SIGNOVA" });
    let Some(place) = Place::new(config)? else { return Ok(()) };
    refused(&mut place.nex()?, 125, &["the stop signal 'SIGNOVA' is not known"])?;
    let Some(place) = Place::new(json!({ "Env": ["PATH=/bin"] }))? else { return Ok(()) };
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--", "no-such-program"], 127, "there is no 'no-such-program' in /bin"),
        (&["--", "/bin/none"], 127, "there is no /bin/none"),
        (&["--", "/etc/passwd"], 126, "/etc/passwd is not executable"),
        (&["--", "/bin"], 126, "/bin is a directory"),
        (&["--user", "nobody-here", "--", "id"], 125, "there is no user 'nobody-here' in /etc/passwd"),
        (&["--user", "web:wheel", "--", "id"], 125, "there is no group 'wheel' in /etc/group"),
        (&["--workdir", "/none", "--", "id"], 125, "the working directory /none is not there"),
    ];
    // Standard error of a guest that has booted would have other words.
    for (arguments, code, why) in cases {
        refused(place.nex()?.args(arguments), code, &["error: the program cannot be started in '", why])?;
    }
    let mut run = place.nex()?;
    refused(run.arg(place.busybox()).args(["--user", "nobody-here"]), 125, &["nobody-here"])?;
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn what_is_known_in_the_guest_only_has_the_same_codes() -> Result<()> {
    let Some(place) = Place::new(json!({ "Env": ["PATH=/bin"] }))? else { return Ok(()) };
    let unstarted = "error: the program could not be started: ";
    let mut run = place.nex()?;
    refused(run.args(["--no-check", "--", "no-such-program"]), 127, &[unstarted, "no-such-program"])?;
    // A drive with changes may have what the image lacks.
    let mut run = place.nex()?;
    run.arg("--overlay-drive").arg(place.path("state.ext4")).args(["--user", "nobody-here", "--", "id"]);
    refused(&mut run, 125, &[unstarted, "nobody-here"])?;
    Ok(())
}

#[test]
fn an_agent_that_would_not_run_the_program_is_refused_at_once() -> Result<()> {
    let Some(place) = Place::new(json!({ "Cmd": ["sh"] }))? else { return Ok(()) };
    let set_agent = |content: &[u8]| -> Result<()> {
        fs::write(place.path("agent"), content)?;
        command::run(&mut nex::change("set-agent", &place.root(), place.path("agent"))).map(drop)
    };
    set_agent(b"#!/bin/sh\nsleep 1000\n")?;
    let words = ["nex run cannot use the agent", "is not nex's own", "nex rootfs set-agent", "--no-check"];
    refused(&mut place.nex()?, 125, &words)?;
    set_agent(&elf::program(elf::X86_64, &[0x0f, 0x0b], &elf::mark(2)))?;
    refused(&mut place.nex()?, 125, &["nex-agent 0.0.9, which speaks version 2 of the protocol", "speaks version 1"])?;
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn wrong_usage_and_wrong_files_are_nex_s_own_failures() -> Result<()> {
    let Some(place) = Place::new(json!({ "Cmd": ["sh"] }))? else { return Ok(()) };
    let mut nex = Command::new(nex::program());
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
    let mut run = place.nex_with_initramfs()?;
    let words = ["the console's last lines", "cause ", "/usr/local/bin/agent", "error: the guest ended before"];
    refused(run.arg("--no-check"), 125, &words)?;

    fs::write(place.root(), layout::gzip(b"x")?)?;
    refused(&mut place.nex()?, 125, &["compressed with gzip; unpack it first"])?;
    assert!(place.is_clean()?);
    Ok(())
}
