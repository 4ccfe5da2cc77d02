//! How runs end that are ended from outside.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::nex::wait_until_caught;
use nex_testkit::{Failure, Result, command, program};
use serde_json::json;

use crate::place::{Place, report};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// Starts a run, and waits for the first line that it writes.
fn start(run: &mut Command) -> Result<Child> {
    let mut child = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let output = child.stdout.as_mut().ok_or(Failure::new("no output"))?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    if line == "up\n" {
        return Ok(child);
    }
    child.kill()?;
    let mut said = String::new();
    child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said)).transpose()?;
    Err(Failure::new(format!("{line:?} in place of the first line: {said}")))
}

fn signal(name: &str, process: u32) -> Result<()> {
    command::run(Command::new("kill").args([name, &process.to_string()])).map(drop)
}

#[test]
fn ctrl_c_stops_the_program_and_then_the_guest() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let script = "trap 'echo stopping; exit 7' TERM; echo up; while :; do sleep 1; done";
    // Who asks for an end by SIGTERM wants to know how the program took it; a shell wants to know that it was Ctrl-C.
    for (name, signalled, status) in [("-INT", 2, (None, Some(2))), ("-TERM", 15, (Some(7), None))] {
        let child = start(&mut place.script(&["--format", "json"], script)?)?;
        let guest = command::children(child.id());
        assert_eq!(guest.len(), 1);
        signal(name, child.id())?;
        let result = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!((result.status.code(), result.status.signal()), status, "{name}: {said}");
        assert_eq!(String::from_utf8_lossy(&result.stdout), "stopping\n", "{name}: {said}");
        let report = report(&result.stderr)?;
        assert_eq!(report["stopped"], json!({ "signal": signalled }));
        assert_eq!((&report["end"], &report["exitCode"]), (&json!({ "code": 7 }), &json!(7)));
        assert!(!Path::new(&format!("/proc/{}", guest[0])).exists());
    }
    Ok(())
}

#[test]
fn who_has_read_enough_ends_the_run_quietly() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    // Both streams in one pipe, which is closed behind the first line, as by `2>&1 | head -1`.
    let (reader, writer) = std::io::pipe()?;
    let mut run = place.script(&[], "while :; do echo up >&2; done")?;
    let mut child = run.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    drop(run);
    let (mut reader, mut line) = (BufReader::new(reader), String::new());
    reader.read_line(&mut line)?;
    assert_eq!(line, "up\n");
    let guest = command::children(child.id());
    drop(reader);
    assert_eq!(child.wait()?.code(), Some(141));
    assert!(guest.len() == 1 && !Path::new(&format!("/proc/{}", guest[0])).exists());
    // Nor is anything said where it could be heard.
    let mut child =
        place.script(&[], "while :; do echo up; done")?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut output = child.stdout.take().ok_or(Failure::new("no output"))?;
    output.read_exact(&mut [0; 3])?;
    drop(output);
    let result = child.wait_with_output()?;
    assert_eq!((result.status.code(), &*String::from_utf8_lossy(&result.stderr)), (Some(141), ""));
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn whatever_ends_nex_ends_the_guest() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let mut child = start(&mut place.script(&[], "echo up; sleep 1000")?)?;
    let guest = command::children(child.id());
    signal("-KILL", child.id())?;
    child.wait()?;
    let deadline = Instant::now() + PATIENCE;
    let still_runs = |process: u32| {
        let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    while guest.iter().any(|guest| still_runs(*guest)) {
        assert!(Instant::now() < deadline, "{guest:?} still run");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn time_is_limited_and_restarts_are_counted() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let mut run =
        place.script(&["--timeout", "10", "--restart", "on-failure", "--format", "json"], "echo again; exit 1")?;
    let start = Instant::now();
    let result = command::output(&mut run)?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert_eq!(result.status.code(), Some(124), "{said}");
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    let report = report(&result.stderr)?;
    assert_eq!(report["stopped"], "timeout");
    assert_eq!(report["failure"], "the program was still running after 10 s, and was ended");
    assert_eq!(report["hint"], "--timeout gives it longer");
    let lines = String::from_utf8_lossy(&result.stdout).lines().count();
    assert!(lines >= 2 && report["restarts"].as_u64() >= Some(1), "{lines} lines: {report}");
    Ok(())
}

/// A VMM that does not answer: nex waits for its version. Two signals ask the guest to end and kill it; then nex has two seconds.
#[test]
fn a_vmm_that_does_not_answer_keeps_nobody_waiting() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let vmm = place.path("vmm");
    program::write(&vmm, "#!/bin/sh\nexec sleep 20\n")?;
    let mut run = place.in_firecracker(&vmm)?;
    let mut nex = run.args(["--", "/bin/true"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    wait_until_caught(nex.id())?;
    for _ in 0..2 {
        thread::sleep(Duration::from_millis(300));
        assert!(nex.try_wait()?.is_none(), "it does not wait");
        signal("-TERM", nex.id())?;
    }
    let start = Instant::now();
    while nex.try_wait()?.is_none() {
        if start.elapsed() > Duration::from_secs(10) {
            nex.kill()?;
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(nex.wait()?.signal(), Some(15));
    Ok(())
}
