//! However nex ends, no guest outlives it; and a user at the console has it as their terminal.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_terminal::SILENCE;
use nex_testkit::nex::boot::Place;
use nex_testkit::nex::{self, wait_until_caught};
use nex_testkit::terminal::Terminal;
use nex_testkit::{Failure, Result, command, program};

const PATIENCE: Duration = Duration::from_secs(60);

/// The QEMU that a process has started, once there is one.
fn guest_of(nex: u32) -> Result<u32> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        for child in command::children(nex) {
            let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
            if name.starts_with("qemu-system") {
                return Ok(child);
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(Failure::new("no guest is started"))
}

fn is_gone_soon(process: u32) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Path::new(&format!("/proc/{process}")).exists() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Whether a child has ended within a time in which nobody loses patience.
fn has_ended_soon(child: &mut Child) -> Result<bool> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(true)
}

fn signal(process: u32, name: &str) -> Result<()> {
    command::run(Command::new("kill").args(["-s", name, &process.to_string()])).map(drop)
}

/// A boot, and its guest, which has some seconds to go.
fn start(place: &Place) -> Result<(Child, u32)> {
    let mut boot = place.boot()?;
    boot.arg("--quiet").stdout(Stdio::piped()).stderr(Stdio::piped());
    let nex = boot.spawn()?;
    let guest = guest_of(nex.id())?;
    Ok((nex, guest))
}

#[test]
fn a_signal_ends_the_guest_and_leaves_nothing() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    for (name, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let (nex, guest) = start(&place)?;
        signal(nex.id(), name)?;
        let result = nex.wait_with_output()?;
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(result.status.signal(), Some(number), "{said}");
        assert_eq!(said, format!("error: interrupted by SIG{name}; the guest is ended\n"));
        assert!(!Path::new(&format!("/proc/{guest}")).exists());
        assert!(place.is_clean()?);
    }
    Ok(())
}

#[test]
fn a_nex_that_is_killed_leaves_no_guest() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let (mut nex, guest) = start(&place)?;
    nex.kill()?;
    nex.wait()?;
    assert!(is_gone_soon(guest));
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn a_user_types_into_the_console() -> Result<()> {
    let Some(place) = Place::alpine()? else { return Ok(()) };
    let mut boot = place.boot()?;
    boot.args(["--interactive", "--append", "init=/bin/sh"]);
    let mut nex = boot.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut shown = nex.stderr.take().ok_or_else(|| Failure::new("no console"))?;
    let mut keys = nex.stdin.take().ok_or_else(|| Failure::new("no keyboard"))?;
    let (mut console, mut buffer) = (String::new(), [0; 4096]);
    let mut read_until = |text: &str| -> Result<()> {
        while !console.contains(text) {
            match shown.read(&mut buffer)? {
                0 => return Err(Failure::new(format!("no {text}: {console}"))),
                count => console.push_str(&String::from_utf8_lossy(&buffer[..count])),
            }
        }
        Ok(())
    };
    read_until("# ")?;
    // A shell reads what is typed.
    keys.write_all(b"echo a$((40+2))b\n")?;
    read_until("a42b")?;
    // Ctrl-A twice is one; what stands before it is a command that the shell does not know.
    keys.write_all(b"\x01\x01")?;
    keys.write_all(b"\x01x")?;
    let result = nex.wait_with_output()?;
    // What nex has to say begins a line, wherever the shell's prompt has left the cursor.
    let mut rest = String::new();
    shown.read_to_string(&mut rest)?;
    assert!(rest.contains("\nerror: the agent of '") && !rest.contains("# error"), "{rest}");
    assert!(!console.contains("nobody reads what you type"), "{console}");
    let said = String::from_utf8_lossy(&result.stdout).into_owned();
    assert_eq!(result.status.code(), Some(1), "{said}");
    assert!(said.contains("no: you ended the guest") && said.contains("end         killed"), "{said}");
    Ok(())
}

#[test]
fn a_terminal_is_as_it_was_afterwards() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let mut boot = place.boot()?;
    boot.arg("--interactive");
    let words = std::iter::once(boot.get_program()).chain(boot.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let script = format!("stty -a; {}; echo \"code $?\"; stty -a", words.join(" "));
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &script, "/dev/null"]);
    let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut keys = terminal.stdin.take().ok_or_else(|| Failure::new("no keyboard"))?;
    let mut shown = terminal.stdout.take().ok_or_else(|| Failure::new("no screen"))?;
    let (mut screen, mut buffer) = (String::new(), [0; 4096]);
    let mut typed = false;
    loop {
        let count = shown.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        screen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        // The whole line: what is typed in the middle of it ends the guest before it has reported.
        if !typed && screen.split("@nex1 ready ").nth(1).is_some_and(|rest| rest.contains('\n')) {
            keys.write_all(b"\x01x")?;
            typed = true;
        }
    }
    terminal.wait()?;
    assert!(screen.contains("code 0"), "{screen}");
    // The agent as the init reads nothing, which is said before anybody types.
    let (before, _) = screen.split_once("@nex1 ready ").unwrap_or((&screen, ""));
    assert!(before.contains("nobody reads what you type: the init is the agent"), "{screen}");
    let settings: Vec<_> = screen.split("speed ").skip(1).filter_map(|part| part.split("\r\n\r\n").next()).collect();
    let settings: Vec<_> = settings.iter().map(|part| part.lines().take(6).collect::<Vec<_>>()).collect();
    assert!(settings.len() == 2 && settings[0] == settings[1], "{settings:?}\n{screen}");
    Ok(())
}

/// Where standard input ends, nobody can end the guest by a key, and nobody waits for it.
#[test]
fn the_end_of_standard_input_ends_the_guest() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let (reader, mut keys) = std::io::pipe()?;
    keys.write_all(b"anybody there?\r")?;
    drop(keys);
    for input in [Stdio::null(), reader.into()] {
        let mut boot = place.boot()?;
        let nex = boot.arg("--interactive").stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let ended = nex.wait_with_output()?;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{said}");
        let (before, after) = said.split_once("standard input has ended").unwrap_or_default();
        assert!(before.contains("@nex1 ready ") && after.contains("nex ends the guest"), "{said}");
        assert!(String::from_utf8_lossy(&ended.stdout).contains("\nend         "), "{said}");
    }
    Ok(())
}

#[test]
fn answers_of_the_terminal_do_not_reach_the_callers_shell() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let mut boot = place.boot()?;
    boot.arg("--interactive");
    // On a busy machine an answer may come when nex, too, has stopped waiting for it. That shows nothing.
    let start = Instant::now();
    while answered_at_the_end(&boot)? >= SILENCE {
        assert!(start.elapsed() < Duration::from_secs(300), "no answer came in time");
    }
    Ok(())
}

/// Ends a guest, and answers what something in it has asked. Gives the longest time in which there was no answer.
fn answered_at_the_end(boot: &Command) -> Result<Duration> {
    let mut terminal = Terminal::new(24, 80)?;
    let mut nex = terminal.start(boot)?;
    terminal.until("@nex1 ready ")?;
    let end = Instant::now();
    terminal.types("\u{1}x")?;
    let longest = terminal.answers(end)?;
    nex.wait()?;
    assert!(terminal.is_cooked()?);
    if longest < SILENCE {
        assert!(!terminal.is_typed()?, "the caller's shell gets the answer");
    }
    Ok(longest)
}

/// A VMM that does not answer: nex waits for its version, and looks at nothing else.
#[test]
fn a_vmm_that_does_not_answer_keeps_nobody_waiting() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let vmm = place.path("vmm");
    program::write(&vmm, "#!/bin/sh\nexec sleep 20\n")?;
    for name in ["INT", "TERM", "HUP"] {
        let mut boot = place.boot_with(&place.parts.kernel)?;
        boot.env("NEX_FIRECRACKER", &vmm).args(["--vmm", "firecracker"]);
        let mut nex = boot.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        wait_until_caught(nex.id())?;
        signal(nex.id(), name)?;
        thread::sleep(Duration::from_millis(300));
        assert!(nex.try_wait()?.is_none(), "it is the second signal that ends it");
        signal(nex.id(), name)?;
        assert!(has_ended_soon(&mut nex)?, "SIG{name}");
        let number = nex.wait()?.signal();
        assert_eq!(
            number,
            [("INT", 2), ("TERM", 15), ("HUP", 1)].iter().find(|(known, _)| *known == name).map(|it| it.1)
        );
    }
    Ok(())
}

/// A console that nobody takes keeps nex from looking at anything else.
#[test]
fn a_console_that_nobody_reads_keeps_nobody_waiting() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let (reader, writer) = nex::full_pipe()?;
    let mut boot = place.boot()?;
    let mut nex = boot.stdout(Stdio::null()).stderr(writer).spawn()?;
    drop(boot);
    wait_until_caught(nex.id())?;
    signal(nex.id(), "TERM")?;
    thread::sleep(Duration::from_millis(300));
    signal(nex.id(), "TERM")?;
    assert!(has_ended_soon(&mut nex)?);
    drop(reader);
    Ok(())
}
