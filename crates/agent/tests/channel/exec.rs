//! Programs of the host's choice.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nex_channel::{Exit, Flow, HostEvent, NotStarted, Signal, WINDOW};
use nex_contract::{ByteString, Exec, Request, Streams, TarIn, TarLink, TarOut, TarOwners, TarPlace, Workload};

use crate::guest::{Guest, workload};
use crate::session::{Outcome, exec, exec_with_input};

/// The flag of a descriptor that programs do not get, as /proc shows it.
const O_CLOEXEC: u32 = 0o2_000_000;

fn text(text: &str) -> ByteString {
    ByteString::new(text).expect("no zero")
}

fn done(out: &str) -> Outcome {
    Outcome { out: out.into(), err: String::new(), exit: Exit::Code(0) }
}

#[test]
fn programs_end_as_they_do() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let script = |script: &str| exec(&["sh", "-c", script]);
    assert_eq!(session.run(script("echo out; echo err >&2"), b""), Outcome { err: "err\n".into(), ..done("out\n") });
    assert_eq!(session.run(script("exit 3"), b"").exit, Exit::Code(3));
    assert_eq!(session.run(script("kill -9 $$"), b"").exit, Exit::Signal(Signal::new(9).expect("one")));
    assert_eq!(session.run(script("kill -37 $$"), b"").exit, Exit::Signal(Signal::new(37).expect("one")));
    guest.end();
}

#[test]
fn what_does_not_start_says_why() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, content: &str, mode: u32| {
        let path = directory.path().join(name);
        fs::write(&path, content).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("ours");
        path.display().to_string()
    };
    let (plain, lost) = (file("plain", "x", 0o644), file("lost", "#!/none/sh\n", 0o755));
    for (exec, code, words) in [
        (exec(&["nonesuch"]), NotStarted::NotFound, "there is no 'nonesuch' in /"),
        (exec(&["/none/such"]), NotStarted::NotFound, "there is no /none/such"),
        (exec(&[&lost]), NotStarted::NotFound, "its interpreter or its loader is not"),
        (exec(&[&plain]), NotStarted::NotExecutable, "is not executable"),
        (exec(&["/tmp"]), NotStarted::NotExecutable, "/tmp is a directory"),
        (
            Exec { working_dir: text("/none"), ..exec(&["true"]) },
            NotStarted::Other,
            "the working directory /none is not",
        ),
        (Exec { user: "nonesuch".into(), ..exec(&["true"]) }, NotStarted::Other, "there is no user 'nonesuch'"),
    ] {
        match session.run(exec, b"").exit {
            Exit::NotStarted { code: given, reason } => {
                assert!(given == code && reason.contains(words), "{given:?} {reason}");
            }
            other => panic!("{other:?}: {words}"),
        }
    }
    guest.end();
}

#[test]
fn programs_have_what_the_workload_has_unless_the_host_says_otherwise() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().canonicalize().expect("there").display().to_string();
    let working_dir = place.clone();
    let guest = Guest::start(Workload { streams: Streams::Lines, working_dir, ..workload(&["sleep", "1000"]) });
    let mut session = guest.connect();
    // The workload is known once it runs.
    session.pass(Duration::from_millis(200));
    let script = "pwd; echo $FROM $KEPT $OWN; echo \"$1\"";
    let own = |argv: &[&str]| Exec { env: vec![text("FROM=host"), text("OWN=1=2")], ..exec(argv) };
    let outcome = session.run(own(&["sh", "-c", script, "name", "an argument"]), b"");
    assert_eq!(outcome, done(&format!("{place}\nhost kept 1=2\nan argument\n")));
    let outcome = session.run(Exec { working_dir: text("/usr"), ..exec(&["sh", "-c", "pwd; echo $FROM"]) }, b"");
    assert_eq!(outcome, done("/usr\nworkload\n"));
    // Bytes that are no text, as argument and variable.
    let odd = ByteString::new(*b"\xff\xfe").expect("no zero");
    let variable = ByteString::new(*b"A=\xff").expect("no zero");
    let mut bytes = exec(&["sh", "-c", "printf %s \"$0$A\" | od -An -tx1"]);
    bytes.argv.push(odd);
    bytes.env.push(variable);
    assert_eq!(session.run(bytes, b""), done(" ff fe ff\n"));
    guest.end();
}

#[test]
fn a_program_of_a_user_opens_its_streams_by_name() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("LEFT OUT: programs of other users: this test is not root");
        return;
    }
    let guest = Guest::idle();
    let mut session = guest.connect();
    let script = "id -u; id -g; cat /dev/stdin >/dev/stdout; echo e >/dev/stderr";
    let outcome = session.run(Exec { user: "4711:4712".into(), ..exec_with_input(&["sh", "-c", script]) }, b"input\n");
    assert_eq!(outcome, Outcome { err: "e\n".into(), ..done("4711\n4712\ninput\n") });
    guest.end();
}

/// A process is its user's before it executes its program, so others of that user may stop it then.
#[test]
fn a_user_who_stops_all_processes_of_its_own_keeps_the_agent_from_nothing() {
    const STARTS: usize = 200;
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("LEFT OUT: programs of other users: this test is not root");
        return;
    }
    let guest = Guest::idle();
    let mut session = guest.connect();
    let of_user = |argv: &[&str]| Exec { user: "47113:47113".into(), ..exec(argv) };
    let stopper = session.exec(of_user(&["sh", "-c", "echo ready; while :; do kill -STOP -1; done"]));
    session.read_until(stopper, Flow::Stdout, "ready\n");
    for _ in 0..STARTS {
        let stream = session.exec(of_user(&["true"]));
        session.opened(stream);
        session.reset(stream);
        let confirmed = session.end(stream);
        assert!(matches!(confirmed, HostEvent::Exit(..) | HostEvent::Reset(..)), "{confirmed:?}");
    }
    assert_eq!(session.run(exec(&["echo", "answers"]), b""), done("answers\n"));
    guest.end();
}

#[test]
fn a_program_gets_nothing_of_the_agents() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    // Who starts this test may have left it some. The one beside the standard streams is what ls lists the directory by.
    let is_left = |number: &String| {
        let flags = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).map(|flags| flags.trim().to_owned());
        let flags = flags.and_then(|flags| u32::from_str_radix(&flags, 8).ok()).unwrap_or(O_CLOEXEC);
        flags & O_CLOEXEC == 0
    };
    let own = fs::read_dir("/proc/self/fd").expect("there").flatten();
    let own = own.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let left: BTreeSet<String> = own.filter(is_left).collect();
    let has = session.run(exec(&["ls", "/proc/self/fd"]), b"").out;
    let more: Vec<&str> = has.lines().filter(|number| *number > "2" && !left.contains(*number)).collect();
    assert!(has.starts_with("0\n1\n") && more.len() <= 1, "{has}");
    let blocked = session.run(exec(&["grep", "SigBlk", "/proc/self/status"]), b"");
    assert_eq!(blocked.out, "SigBlk:\t0000000000000000\n");
    let alone =
        session.run(exec(&["sh", "-c", "ps -o pid=,pgid=,sid= -p $$ | tr -s ' ' '\\n' | sort -u | grep -c ."]), b"");
    assert_eq!(alone.out, "1\n", "it leads its group and its session");
    guest.end();
}

#[test]
fn input_comes_through_whole_and_ends() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let input: Vec<u8> = (0..3_000_000_u32).flat_map(|number| (number % 251).to_le_bytes()).take(5_000_000).collect();
    assert_eq!(session.run(exec_with_input(&["wc", "-c"]), &input), done("5000000\n"));
    let both = session.run(exec_with_input(&["sh", "-c", "tee /dev/stderr | cksum"]), &[b'x'; 300_000]);
    assert_eq!((both.err.len(), both.out.ends_with(" 300000\n")), (300_000, true), "{}", both.out);
    // Without input it reads nothing, and does not wait.
    assert_eq!(session.run(exec(&["wc", "-c"]), b""), done("0\n"));
    guest.end();
}

#[test]
fn the_end_of_a_program_waits_for_no_input() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let stream = session.exec(exec_with_input(&["sh", "-c", "read line; echo $line"]));
    session.write(stream, b"one\ntwo\n");
    assert_eq!(session.outcome(stream), done("one\n"));
    // One that closes its input takes no more, and all the host sends is dropped.
    let stream = session.exec(exec_with_input(&["sh", "-c", "exec <&-; echo closed; sleep 0.5"]));
    session.read_until(stream, Flow::Stdout, "closed\n");
    session.write(stream, &[b'x'; 1_000_000]);
    assert_eq!(session.outcome(stream).exit, Exit::Code(0));
    guest.end();
}

#[test]
fn what_others_hold_open_keeps_no_stream_open() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    // One that waits, and one that writes without end.
    for other in ["sleep 3", "timeout 3 yes"] {
        let start = std::time::Instant::now();
        let outcome = session.run(exec(&["sh", "-c", &format!("{other} & echo $!")]), b"");
        assert_eq!(outcome.exit, Exit::Code(0));
        assert!(!outcome.out.is_empty() && start.elapsed() < Duration::from_millis(2500), "{other}");
    }
    guest.end();
}

#[test]
fn a_host_that_does_not_read_holds_the_program() {
    const SIZE: usize = 8 << 20;
    let guest = Guest::idle();
    let mut session = guest.connect();
    let stream = session.exec(exec(&["sh", "-c", &format!("head -c {SIZE} /dev/zero; echo end >&2")]));
    session.stall(stream);
    session.pass(Duration::from_millis(500));
    // Others go on meanwhile.
    assert_eq!(session.run(exec(&["echo", "other"]), b""), done("other\n"));
    session.go_on(stream);
    let seen = session.count(stream, Flow::Stdout);
    assert!(seen > 0 && seen <= WINDOW as usize && !session.has_ended(stream), "{seen}");
    assert_eq!(session.count(stream, Flow::Stderr), 0, "it is held");
    let outcome = session.outcome(stream);
    assert_eq!((outcome.out.len(), outcome.err.as_str(), outcome.exit), (SIZE, "end\n", Exit::Code(0)));
    guest.end();
}

#[test]
fn signals_reach_the_programs_group() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let script = "trap 'echo caught; exit 7' USR1; sleep 3 & echo ready; wait; wait";
    let stream = session.exec(exec(&["sh", "-c", script]));
    session.read_until(stream, Flow::Stdout, "ready\n");
    session.signal(stream, 10);
    assert_eq!(session.outcome(stream), Outcome { exit: Exit::Code(7), ..done("caught\n") });
    let stream = session.exec(exec(&["sleep", "1000"]));
    session.opened(stream);
    session.signal(stream, 15);
    assert_eq!(session.outcome(stream).exit, Exit::Signal(Signal::new(15).expect("one")));
    guest.end();
}

#[test]
fn many_programs_run_at_once() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let streams: Vec<_> = (0..nex_channel::MAX_STREAMS)
        .map(|number| session.exec(exec(&["sh", "-c", &format!("echo {number}; exit {number}")])))
        .collect();
    for (number, stream) in streams.into_iter().enumerate() {
        let exit = Exit::Code(number as u8);
        assert_eq!(session.outcome(stream), Outcome { exit, ..done(&format!("{number}\n")) });
    }
    guest.end();
}

#[test]
fn an_end_of_the_machine_ends_programs() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let tired = session.exec(exec(&["sleep", "1000"]));
    let stubborn = session.exec(exec(&["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]));
    session.read_until(stubborn, Flow::Stdout, "ready\n");
    let ending = std::thread::spawn(|| guest.end());
    session.closed();
    assert_eq!(session.end(tired), HostEvent::Exit(tired, Exit::Signal(Signal::new(15).expect("one"))));
    assert_eq!(session.end(stubborn), HostEvent::Exit(stubborn, Exit::Signal(Signal::new(9).expect("one"))));
    ending.join().expect("it ends");
}

#[test]
fn nothing_starts_while_the_machine_ends() {
    let stubborn = workload(&["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]);
    let guest = Guest::start(Workload { streams: Streams::Lines, ..stubborn });
    let mut session = guest.connect();
    assert_eq!(session.run(exec(&["echo", "before"]), b""), done("before\n"));
    guest.ask();
    session.pass(Duration::from_millis(300));
    let late = session.exec(exec(&["true"]));
    assert_eq!(session.refusal(late), "the machine ends");
    // A session that begins now refuses programs as well.
    let mut other = guest.connect();
    let late = other.exec(exec(&["true"]));
    assert_eq!(other.refusal(late), "the machine ends");
    other.closed();
    guest.wait();
}

#[test]
fn a_host_that_speaks_and_takes_nothing_keeps_no_machine_from_ending() {
    use std::io::Write;
    let guest = Guest::idle();
    let mut session = guest.connect();
    let stream = session.exec(exec_with_input(&["sh", "-c", "trap '' TERM; yes"]));
    session.opened(stream);
    let mut raw = session.leave();
    raw.set_nonblocking(true).expect("a socket");
    guest.ask();
    let start = std::time::Instant::now();
    let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = ended.clone();
    let speaking = std::thread::spawn(move || {
        // SIGWINCH, which its program is not asked about: kind 7, the stream, 4 bytes.
        let [a, b, c, d] = stream.get().to_le_bytes();
        let signal = [7, 0, 0, 0, a, b, c, d, 4, 0, 0, 0, 28, 0, 0, 0];
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = raw.write(&signal);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    guest.wait();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    speaking.join().expect("it does not panic");
}

#[test]
fn tars_go_through_the_agent_itself() {
    let guest = Guest::idle();
    let mut session = guest.connect();
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir(directory.path().join("tree")).expect("new");
    fs::write(directory.path().join("tree/file"), "content").expect("new");
    let path = |name: &str| text(&directory.path().join(name).display().to_string());
    let out = session.open(&Request::TarOut(TarOut { path: path("tree"), link: TarLink::Kept }));
    let outcome = session.outcome(out);
    assert!(outcome.exit == Exit::Code(0) && outcome.out.contains("tree/file"), "{outcome:?}");
    fs::create_dir(directory.path().join("copy")).expect("new");
    let into = TarIn { path: path("copy"), place: TarPlace::Below, owners: TarOwners::Own };
    let into = session.open(&Request::TarIn(into));
    session.write(into, outcome.out.as_bytes());
    session.finish(into);
    assert_eq!(session.outcome(into), done(""));
    assert_eq!(fs::read_to_string(directory.path().join("copy/tree/file")).ok().as_deref(), Some("content"));
    let lost = session.open(&Request::TarOut(TarOut { path: path("none"), link: TarLink::Kept }));
    let outcome = session.outcome(lost);
    assert!(outcome.exit == Exit::Code(1) && !outcome.err.is_empty(), "{outcome:?}");
    guest.end();
}
