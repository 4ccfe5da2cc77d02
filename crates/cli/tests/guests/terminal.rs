//! `nex exec -it` and `nex shell`, as somebody at a terminal has them.

use std::time::{Duration, Instant};

use nex_supervise::Mode;
use nex_supervise::api::Request;
use nex_terminal::SILENCE;
use nex_testkit::terminal::Terminal;
use nex_testkit::{Failure, Result};
use rustix::process::{Signal, kill_process};

use crate::exec::pid;
use crate::world::World;

#[test]
fn a_shell_has_the_terminal_and_the_caller_gets_it_back() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let mut terminal = Terminal::new(31, 97)?;
    let mut nex = terminal.start(&world.nex(&["exec", "-it", "web", "--", "/bin/sh"]))?;
    terminal.until("guest$ ")?;
    assert!(!terminal.is_cooked()?, "keys are the program's");
    // The answer alone has these letters next to each other.
    terminal.types("echo an'swer' $TERM $(stty size)")?;
    terminal.until("answer vt102 31 97")?;
    terminal.resize(11, 22)?;
    terminal.types("while [ \"$(stty size)\" != '11 22' ]; do sleep 0.1; done; echo re'sized'")?;
    terminal.until("resized")?;
    // Ctrl-C ends what runs in the shell, and Ctrl-Z stops it: neither the shell nor nex.
    terminal.types("echo sle'eps'; sleep 1000")?;
    terminal.until("sleeps")?;
    std::thread::sleep(Duration::from_millis(200));
    terminal.types("\u{3}")?;
    terminal.types("set -m; echo sta'rts'; sleep 1000")?;
    terminal.until("starts")?;
    std::thread::sleep(Duration::from_millis(200));
    terminal.types("\u{1a}")?;
    terminal.types("jobs; kill -9 %1; echo al'ive'; exec sh -c 'exit 7'")?;
    let seen = terminal.until("alive")?;
    assert!(seen.contains("Stopped"), "{seen}");
    assert_eq!(nex.wait()?.code(), Some(7));
    assert!(terminal.is_cooked()?);
    Ok(())
}

#[test]
fn a_full_screen_is_drawn_and_drawn_again_when_the_window_changes() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    // What editors do: the other screen, a line at the bottom, keys one by one, and all of it again for another size.
    let script = "stty raw -echo; draw() { set -- $(stty size); printf '\\033[?1049h\\033[2J\\033[%s;1H[%s rows, key %s]' $1 $1 $key; }; \
                  trap draw WINCH; key=none; draw; while :; do read_key=$(dd bs=1 count=1 2>/dev/null); [ -n \"$read_key\" ] && key=$read_key; \
                  [ \"$key\" = q ] && break; draw; done; printf '\\033[?1049l'; stty sane; echo left";
    let mut terminal = Terminal::new(24, 80)?;
    let mut nex = terminal.start(&world.nex(&["exec", "-it", "web", "--", "bash", "-c", script]))?;
    let last = |lines: &[String]| lines.last().cloned().unwrap_or_default();
    terminal.shows(|lines| lines.len() == 24 && last(lines) == "[24 rows, key none]")?;
    terminal.types_keys("x")?;
    terminal.shows(|lines| last(lines) == "[24 rows, key x]")?;
    terminal.resize(10, 40)?;
    terminal.types_keys("y")?;
    terminal.shows(|lines| lines.len() == 10 && last(lines) == "[10 rows, key y]")?;
    terminal.types_keys("q")?;
    terminal.shows(|lines| lines.iter().any(|line| line == "left"))?;
    assert_eq!(nex.wait()?.code(), Some(0));
    assert!(terminal.is_cooked()?);
    Ok(())
}

#[test]
fn the_terminal_is_the_callers_while_nex_is_stopped() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let mut terminal = Terminal::new(24, 80)?;
    let mut nex = terminal.start(&world.nex(&["exec", "-it", "web", "--", "/bin/sh"]))?;
    terminal.until("guest$ ")?;
    for signal in [Signal::TSTP, Signal::STOP] {
        kill_process(pid(nex.id())?, signal)?;
        until("it stops", || Ok(state(nex.id())? == 'T'))?;
        assert_eq!(terminal.is_cooked()?, signal == Signal::TSTP);
        kill_process(pid(nex.id())?, Signal::CONT)?;
        until("it goes on", || Ok(state(nex.id())? != 'T' && !terminal.is_cooked()?))?;
        terminal.types("echo an'swer'")?;
        terminal.until("answer")?;
    }
    terminal.types("exit")?;
    assert_eq!(nex.wait()?.code(), Some(0));
    assert!(terminal.is_cooked()?);
    Ok(())
}

#[test]
fn keys_leave_a_guest_that_runs_on() -> Result<()> {
    let world = World::new()?;
    let web = world.guest_of("web", Mode { stdin: true, terminal: true, ..Mode::default() })?;
    let mut terminal = Terminal::new(24, 80)?;
    let mut nex = terminal.start(&world.nex(&["attach", "web"]))?;
    terminal.until("up\r\n")?;
    assert!(!terminal.is_cooked()?);
    terminal.types_keys("half\u{10}\u{11}")?;
    assert_eq!(nex.wait()?.code(), Some(0));
    assert!(terminal.is_cooked()? && web.asked() == [Request::Channel {}]);
    let mut nex = terminal.start(&world.nex(&["attach", "web"]))?;
    terminal.until("up\r\n")?;
    terminal.types("whole")?;
    terminal.until("got whole\r\n")?;
    assert_eq!(nex.wait()?.code(), Some(5));
    Ok(())
}

#[test]
fn what_the_terminal_answers_is_not_typed_into_the_callers_shell() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let mut terminal = Terminal::new(24, 80)?;
    let script = "stty raw; echo asks; printf '\\033[6n'; exit 0";
    let mut nex = terminal.start(&world.nex(&["exec", "-it", "web", "--", "sh", "-c", script]))?;
    terminal.until("\u{1b}[6n")?;
    let longest = terminal.answers(Instant::now())?;
    assert_eq!(nex.wait()?.code(), Some(0));
    // On a machine that is too busy, the line was slower than any is.
    assert!(longest >= SILENCE || !terminal.is_typed()?, "{longest:?}");
    Ok(())
}

#[test]
fn a_signal_gives_the_terminal_back_and_ends_nex() -> Result<()> {
    let world = World::new()?;
    let _web = world.guest("web")?;
    let mut terminal = Terminal::new(24, 80)?;
    let mut nex = terminal.start(&world.nex(&["shell", "web"]))?;
    terminal.types("echo an'swer'")?;
    terminal.until("answer")?;
    kill_process(pid(nex.id())?, Signal::TERM)?;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&nex.wait()?), Some(15));
    assert!(terminal.is_cooked()?);
    Ok(())
}

/// The state of a process, as `ps` has it.
fn state(number: u32) -> Result<char> {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat"))?;
    let behind_name = stat.rsplit(") ").next().unwrap_or_default();
    behind_name.chars().next().ok_or_else(|| Failure::new("a process without a state"))
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !holds()? {
        if start.elapsed() > Duration::from_secs(20) {
            return Err(Failure::new(format!("never: {what}")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
