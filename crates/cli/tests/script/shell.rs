//! A shell in the image, as somebody at a terminal has it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nex_terminal::SILENCE;
use nex_testkit::nex::failed;
use nex_testkit::nex::script::{World, messages};
use nex_testkit::terminal::Terminal;
use nex_testkit::{Result, command};

#[test]
fn a_shell_opens_where_a_script_has_failed() -> Result<()> {
    let world = World::new()?;
    fs::write(world.path("key"), "secret of the shell")?;
    let mut run = world.command("image", "set -e; echo half > /made; cat /missing; echo late > /late\n")?;
    run.args(["--shell", "--env", "A=b", "--secret"]).arg(format!("id=token,src={}", world.path("key").display()));
    let mut terminal = Terminal::new(31, 97)?;
    let mut nex = terminal.start(&run)?;
    terminal.until("/ # ")?;
    assert!(!terminal.is_cooked()?, "keys are the shell's");
    // The answer alone has these letters next to each other.
    terminal
        .types("echo an'swer' $(cat /made) $A $TERM $(tty) $(stty size) $(cat /run/secrets/token) $(ls -d /late)")?;
    let answer = "answer half b vt102 /dev/pts/0 31 97 secret of the shell";
    terminal.until(answer)?;
    terminal.resize(11, 22)?;
    terminal.types("while [ \"$(stty size)\" != '11 22' ]; do sleep 0.1; done; echo re'sized'")?;
    terminal.until("resized")?;
    // Interrupts what runs in the shell, and neither the shell nor nex.
    terminal.types("echo sle'eps'; sleep 1000")?;
    terminal.until("sleeps")?;
    std::thread::sleep(std::time::Duration::from_millis(200));
    terminal.types("\u{3}")?;
    terminal.types("echo al'ive'; (sleep 1000 &) ; exit")?;
    terminal.until("alive")?;
    terminal.until("image.sh' failed with exit code 1")?;
    assert_eq!(nex.wait()?.code(), Some(1));
    assert!(terminal.is_cooked()? && !world.path("image").exists());
    world.is_clean("work")
}

#[test]
fn a_shell_opens_after_scripts_and_without_any_and_nothing_is_written() -> Result<()> {
    let world = World::new()?;
    let scripts = world.command("image", "echo whole > /made\n")?;
    let alone = without_script(&scripts);
    for (mut run, seen) in [(scripts, "whole"), (alone, "none")] {
        run.arg("--shell");
        let mut terminal = Terminal::new(24, 80)?;
        let mut nex = terminal.start(&run)?;
        terminal.until("/ # ")?;
        terminal.types("echo an'swer' $(cat /made || echo none); echo more > /more; exit 7")?;
        terminal.until(&format!("answer {seen}"))?;
        terminal.until("nothing was written")?;
        assert_eq!(nex.wait()?.code(), Some(0), "how a shell ends says nothing");
        assert!(terminal.is_cooked()? && !world.path("image").exists());
        world.is_clean("work")?;
    }
    Ok(())
}

const SIGTERM: i32 = 15;

#[test]
fn a_shell_that_is_interrupted_gives_the_terminal_back() -> Result<()> {
    let world = World::new()?;
    let mut run = world.command("image", "true\n")?;
    let mut terminal = Terminal::new(24, 80)?;
    let mut nex = terminal.start(run.arg("--shell"))?;
    terminal.until("/ # ")?;
    command::run(Command::new("kill").arg(nex.id().to_string()))?;
    terminal.until("interrupted by SIGTERM")?;
    assert_eq!(nex.wait()?.signal(), Some(SIGTERM));
    assert!(terminal.is_cooked()?);
    world.is_clean("work")
}

#[test]
fn answers_of_the_terminal_do_not_reach_the_callers_shell() -> Result<()> {
    let world = World::new()?;
    let mut run = world.command("image", "true\n")?;
    run.arg("--shell");
    for signal in [false, true] {
        // On a busy machine an answer may come when nex, too, has stopped waiting for it. That shows nothing.
        let start = Instant::now();
        while answered_at_the_end(&run, signal)? >= SILENCE {
            assert!(start.elapsed() < Duration::from_secs(120), "no answer came in time");
        }
    }
    Ok(())
}

/// Ends a shell that has asked the terminal something, and answers. Gives the longest time in which there was no answer.
fn answered_at_the_end(run: &Command, signal: bool) -> Result<Duration> {
    let mut terminal = Terminal::new(24, 80)?;
    let mut nex = terminal.start(run)?;
    terminal.until("/ # ")?;
    // Where is the cursor? Who has asked does not wait for the answer.
    terminal.types("echo -e '\\033[6n'")?;
    terminal.until("\u{1b}[6n")?;
    let end = Instant::now();
    if signal {
        command::run(Command::new("kill").arg(nex.id().to_string()))?;
    } else {
        terminal.types("exit")?;
    }
    let longest = terminal.answers(end)?;
    nex.wait()?;
    assert!(terminal.is_cooked()?);
    if longest < SILENCE {
        assert!(!terminal.is_typed()?, "the caller's shell gets the answer");
    }
    // The test sees what is typed.
    terminal.types("x")?;
    assert!(terminal.is_typed()?);
    Ok(longest)
}

#[test]
fn a_shell_needs_a_terminal_and_an_image_with_one() -> Result<()> {
    let world = World::new()?;
    let mut run = world.command("image", "true\n")?;
    failed(&command::output(run.arg("--shell"))?, &["--shell needs a terminal", "--keep-failed"])?;
    fs::remove_file(world.base().join("bin/sh"))?;
    let mut terminal = Terminal::new(24, 80)?;
    let mut nex = terminal.start(&without_script(&run))?;
    terminal.until("the image must have one, such as /bin/sh")?;
    assert_eq!(nex.wait()?.code(), Some(1));
    assert!(terminal.is_cooked()?);
    world.is_clean("work")?;
    let result = command::output(run.arg("--keep-failed").arg(world.path("kept")))?;
    assert_eq!(result.status.code(), Some(2));
    assert!(messages(&result).contains("cannot be used with"));
    Ok(())
}

/// The same command without its script.
fn without_script(run: &Command) -> Command {
    let mut command = Command::new(run.get_program());
    let is_script = |argument: &&OsStr| *argument == "--script" || argument.as_encoded_bytes().ends_with(b".sh");
    command.args(run.get_args().filter(|argument| !is_script(argument)));
    command
}
