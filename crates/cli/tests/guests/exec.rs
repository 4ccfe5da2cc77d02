//! `nex exec` and `nex attach` without a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nex_supervise::{Mode, Reason};
use nex_testkit::{Failure, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::world::World;

/// Of something that is no longer there.
const GONE: &str = "it is gone";

#[test]
fn a_program_has_its_outputs_its_surroundings_and_its_exit_code() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let script = "echo out $A $(pwd); echo err >&2; exit 7";
    let result = world.result(&["exec", "-e", "A=b c", "-w", "/usr", "web", "--", "sh", "-c", script])?;
    assert_eq!(result, (Some(7), "out b c /usr\n".into(), "err\n".into()));
    // As docker has it: without the two hyphens, and with flags behind the guest.
    assert_eq!(world.result(&["exec", "web", "sh", "-c", "echo -n $0", "-i"])?, (Some(0), "-i".into(), String::new()));
    assert_eq!(world.text(&["exec", "web", "-e", "A=1", "--", "sh", "-c", "echo $A"])?, "1\n");
    assert_eq!(world.result(&["exec", "web", "--", "sh", "-c", "kill -9 $$"])?.0, Some(137));
    Ok(())
}

#[test]
fn what_cannot_be_run_has_a_shells_exit_code() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    let (code, _, err) = world.result(&["exec", "web", "--", "/no/such"])?;
    assert_eq!(code, Some(127));
    assert_eq!(err, "error: the guest does not start the program: /no/such is \\u{1b}[1mnot there\n");
    for arguments in
        [&["exec", "nobody", "--", "true"][..], &["exec", "web"], &["exec", "--no-such", "web", "--", "true"]]
    {
        let (code, _, err) = world.result(arguments)?;
        assert!(code == Some(125) && err.starts_with("error: "), "{arguments:?}: {err}");
    }
    let (code, _, err) = world.result(&["exec", "web", "--", "refused"])?;
    assert_eq!((code, err.as_str()), (Some(125), "error: the guest refuses the request: it is \\u{1b}[1mrefused\n"));
    let (code, _, err) = world.result(&["exec", "-it", "web", "--", "true"])?;
    assert!(code == Some(125) && err.contains("standard input is no terminal"), "{err}");
    web.ends(Reason::Exited { code: 0 });
    let (code, out, err) = world.result(&["exec", "--format", "json", "web", "--", "true"])?;
    assert!(code == Some(125) && out.is_empty() && err.contains(r#""code":"client-ended""#), "{err}");
    Ok(())
}

#[test]
fn who_attaches_has_what_the_guest_was_started_with() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let _job = world.guest_of("job", Mode { stdin: true, ..Mode::default() })?;
    for (arguments, expected) in [
        (&["attach", "web"][..], "up\n"),
        (&["attach", "--no-stdin", "job"], "up\n"),
        (&["attach", "job"], "up\ngot hello\n"),
    ] {
        let mut nex = world.nex(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        nex.stdin.take().ok_or_else(|| Failure::new(GONE))?.write_all(b"hello\n")?;
        let output = nex.wait_with_output()?;
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(5), expected));
    }
    Ok(())
}

#[test]
fn standard_input_arrives_whole_with_its_end() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let mut head = Command::new("head").args(["-c", "8M", "/dev/zero"]).stdout(Stdio::piped()).spawn()?;
    let zeros = head.stdout.take().ok_or_else(|| Failure::new(GONE))?;
    let output = world.nex(&["exec", "-i", "web", "--", "wc", "-c"]).stdin(zeros).output()?;
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), (8 << 20).to_string());
    head.wait()?;
    // Without the flag, the program's is empty.
    let nex = world.nex(&["exec", "web", "--", "wc", "-c"]).stdin(Stdio::from(File::open("/dev/zero")?)).output()?;
    assert_eq!(String::from_utf8_lossy(&nex.stdout).trim(), "0");
    Ok(())
}

#[test]
fn the_end_of_the_program_is_the_end_whatever_becomes_of_its_input() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let start = Instant::now();
    let mut nex = world.nex(&["exec", "-i", "web", "--", "sh", "-c", "exit 3"]).stdin(Stdio::piped()).spawn()?;
    // It stays open.
    let stdin = nex.stdin.take();
    assert_eq!(nex.wait()?.code(), Some(3));
    drop(stdin);
    // It never ends.
    let zeros = Stdio::from(File::open("/dev/zero")?);
    assert_eq!(
        world
            .nex(&["exec", "-i", "web", "--", "sh", "-c", "head -c 9 >/dev/null; exit 4"])
            .stdin(zeros)
            .status()?
            .code(),
        Some(4)
    );
    assert!(start.elapsed() < Duration::from_secs(20));
    Ok(())
}

#[test]
fn both_outputs_in_one_file_keep_their_order() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let place = tempfile::NamedTempFile::new()?;
    // Pauses: two pipes of a program have no order between them but that of time.
    let script = "for n in 1 2 3 4 5 6 7 8 9; do echo $n; sleep 0.03; echo $n >&2; sleep 0.03; done";
    let mut nex = world.nex(&["exec", "web", "--", "sh", "-c", script]);
    let file = place.reopen()?;
    nex.stdout(file.try_clone()?).stderr(file);
    assert!(nex.status()?.success());
    let expected: String = (1..=9).map(|number| format!("{number}\n{number}\n")).collect();
    assert_eq!(std::fs::read_to_string(place.path())?, expected);
    Ok(())
}

#[test]
fn signals_reach_the_program() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::QUIT, "QUIT")] {
        let script = format!("trap 'echo got; exit 5' {name}; echo up; while :; do sleep 0.05; done");
        let mut nex = world.nex(&["exec", "web", "--", "sh", "-c", &script]).stdout(Stdio::piped()).spawn()?;
        let mut stdout = nex.stdout.take().ok_or_else(|| Failure::new(GONE))?;
        let mut up = [0; 3];
        stdout.read_exact(&mut up)?;
        kill_process(pid(nex.id())?, signal)?;
        let mut rest = String::new();
        stdout.read_to_string(&mut rest)?;
        assert_eq!((rest.as_str(), nex.wait()?.code()), ("got\n", Some(5)), "{name}");
    }
    // A loop in a shell ends only if nex dies of it, too.
    let mut nex =
        world.nex(&["exec", "web", "--", "sh", "-c", "echo up; exec sleep 1000"]).stdout(Stdio::piped()).spawn()?;
    nex.stdout.take().ok_or_else(|| Failure::new(GONE))?.read_exact(&mut [0; 3])?;
    kill_process(pid(nex.id())?, Signal::INT)?;
    assert_eq!(nex.wait()?.signal(), Some(2));
    Ok(())
}

#[test]
fn a_reader_that_stops_holds_the_program_and_keeps_no_signal_away() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let place = tempfile::NamedTempFile::new()?;
    let count = place.path().display().to_string();
    let script = format!("trap 'exit 6' TERM; while :; do head -c 65536 /dev/zero; echo >>{count}; done");
    let mut nex = world.nex(&["exec", "web", "--", "sh", "-c", &script]).stdout(Stdio::piped()).spawn()?;
    let lines = || std::fs::read(place.path()).map(|text| text.len());
    std::thread::sleep(Duration::from_secs(1));
    let held = lines()?;
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(lines()?, held, "the program waits");
    assert!(held * 65_536 < 4 << 20, "{held}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", nex.id()))?;
    let anonymous =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok());
    assert!(anonymous.is_some_and(|kib: u64| kib < 4 << 10), "nex holds no more, either: {status}");
    kill_process(pid(nex.id())?, Signal::TERM)?;
    // What is held of its output is still for the reader.
    let mut rest = Vec::new();
    nex.stdout.take().ok_or_else(|| Failure::new(GONE))?.read_to_end(&mut rest)?;
    assert_eq!(nex.wait()?.code(), Some(6));
    assert!(rest.len() >= held * 65_536);
    Ok(())
}

#[test]
fn a_reader_that_has_enough_ends_the_program() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let mut nex = world.nex(&["exec", "web", "--", "yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    nex.stdout.take().ok_or_else(|| Failure::new(GONE))?.read_exact(&mut [0; 2])?;
    let output = nex.wait_with_output()?;
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(141), &b""[..]));
    Ok(())
}

#[test]
fn a_shell_without_a_terminal_reads_commands() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let mut nex = world.nex(&["shell", "web"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    nex.stdin.take().ok_or_else(|| Failure::new(GONE))?.write_all(b"echo $SHELL; exit 9\n")?;
    let output = nex.wait_with_output()?;
    assert_eq!(output.status.code(), Some(9));
    let own = std::fs::read_to_string("/etc/passwd")?;
    let user = format!(":{}:", rustix::process::getuid().as_raw());
    let entry = own.lines().find(|line| line.splitn(3, ':').nth(2).is_some_and(|rest| rest.starts_with(&user[1..])));
    let expected = entry.and_then(|line| line.rsplit(':').next()).filter(|shell| std::path::Path::new(shell).exists());
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected.unwrap_or("/bin/sh"));
    Ok(())
}

/// The process of this number.
pub fn pid(number: u32) -> Result<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw).ok_or_else(|| Failure::new(GONE))
}
