//! The program as users and kernels start it: as a command, as a service, as process 1.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nex_protocol::{Decoder, Ended, Event, Item, Stream};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const AGENT: &str = env!("CARGO_BIN_EXE_nex-agent");
const START: &str = concat!("@nex1 start version=", env!("CARGO_PKG_VERSION"), " role=");
const READY: &str = concat!("@nex1 ready version=", env!("CARGO_PKG_VERSION"), " role=");

/// Lays out a root of its own in a tmpfs, leaves children of several kinds, and becomes the agent, which keeps number 1.
const GUEST: &str = r#"
set -e
root=$1 agent=$2 content=$3
mount -t tmpfs tmpfs "$root"
mkdir "$root/usr" "$root/proc" "$root/dev"
cp -R "$content/." "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/command-line" "$root/proc/cmdline"
touch "$root/dev/null"
mount --bind /dev/null "$root/dev/null"
mount --rbind /usr "$root/usr"
for name in bin lib lib64; do
    if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
    elif [ -d "/$name" ]; then mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"; fi
done
touch "$root/agent"
mount --bind "$agent" "$root/agent"
sleep 0.05 &
sh -c 'sleep 0.1 & sleep 0.1 &'
sh -c 'trap "" TERM; while :; do sleep 0.2; done' &
exec chroot "$root" /agent
"#;

#[test]
fn version_and_help_are_printed() {
    let version = Command::new(AGENT).arg("--version").output().expect("the agent starts");
    assert_eq!(version.stdout, concat!("nex-agent ", env!("CARGO_PKG_VERSION"), "\n").as_bytes());
    let help = Command::new(AGENT).arg("--help").output().expect("the agent starts");
    assert!(help.status.success());
    for words in [
        "nex.overlay=tmpfs|/dev/vdX ",
        "nex.init=PATH ",
        "nex.poweroff=off|reboot ",
        "nex.vsock=PORT ",
        "nex.channel=virtio|vsock:PORT\n",
    ] {
        assert!(String::from_utf8_lossy(&help.stdout).contains(words), "{words}");
    }
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let output = Command::new(AGENT).arg("--verison").output().expect("the agent starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"--verison\" is not an option"));
}

#[test]
fn a_service_says_that_it_is_ready_and_ends_on_sigterm() {
    let mut service = Command::new(AGENT).stdout(Stdio::piped()).spawn().expect("the agent starts");
    let mut lines = BufReader::new(service.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().expect("one more").expect("text");
    let (start, ready) = (line(), line());
    assert!(start.starts_with(&format!("{START}service uptime_ms=")), "{start}");
    assert!(ready.starts_with(&format!("{READY}service start_ms=")), "{ready}");
    kill(pid(service.id()), Signal::SIGTERM).expect("ours to end");
    assert_eq!(service.wait().expect("ours to wait for").code(), Some(0));
}

#[test]
fn process_1_mounts_reaps_and_ends_the_machine_on_sigterm() {
    let Some(mut guest) = Guest::start() else { return };
    let said = guest.read_until(READY);
    assert!(!said.contains("cannot mount proc") && !said.contains("cannot mount tmpfs"), "{said}");

    let mounts = std::fs::read_to_string(format!("/proc/{}/mounts", guest.init)).expect("the init runs");
    for target in [" /proc proc ", " /run tmpfs rw,nosuid,nodev", " /tmp tmpfs rw,nosuid,nodev"] {
        assert!(mounts.contains(target), "{target} in:\n{mounts}");
    }

    // The stubborn shell stays; whatever else it left is reaped.
    wait_for("only the stubborn child is left", || children_of(guest.init).len() == 1);

    kill(pid(guest.init), Signal::SIGTERM).expect("ours to end");
    let said = guest.read_until("@nex1 end by=");
    assert!(said.contains("SIGTERM received"), "{said}");
    let status = guest.unshare.wait().expect("ours to wait for");
    // In a process namespace the kernel tells a power-off from a reset by the signal that its init dies of.
    assert!(matches!(status.signal(), Some(1 | 2)), "{status:?}");
}

/// Writes twelve million bytes by turns to both streams.
const FLOOD: &str = r#"#!/bin/sh
line=$(printf '%0100d' 7)
lines=$(for i in 1 2 3 4 5 6 7 8 9 10; do printf '%s\n%s\n' "$line" "\t\\$i"; done)
seq 1 10000 | while read -r i; do echo "$lines"; echo "$i" >&2; done
exit 3
"#;

#[test]
fn ten_megabytes_come_through_to_a_host_that_reads_slowly() {
    let files = [("etc/nex/image.json", r#"{"entrypoint":["/flood"]}"#), ("flood", FLOOD)];
    let Some(mut guest) = Guest::with("nex.workload=image nex.poweroff=1", &files) else { return };
    let (mut decoder, mut items, mut buffer) = (Decoder::new(), Vec::new(), vec![0; 256 << 10]);
    let mut pauses = 0;
    loop {
        let count = guest.console.get_mut().read(&mut buffer).expect("readable");
        if count == 0 {
            break;
        }
        items.extend(decoder.push(&buffer[..count]));
        if pauses < 20 {
            // Long enough for the pipe and all that the agent keeps to become full.
            std::thread::sleep(Duration::from_millis(20));
            pauses += 1;
        }
    }
    let (mut out, mut err, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Event(Event::Output(output)) => {
                let stream = if output.stream == Stream::Out { &mut out } else { &mut err };
                stream.extend(output.text);
                stream.extend(output.line_ends.then_some(b'\n'));
            }
            Item::Event(Event::Exit(exit)) => ends.push(exit.end),
            Item::Damaged(_) | Item::Lost(_) | Item::Back(_) | Item::Event(Event::Dropped { .. }) => panic!("{item:?}"),
            _ => {}
        }
    }
    let expected = Command::new("sh").arg("-c").arg(FLOOD).output().expect("a shell");
    assert!(expected.stdout.len() > 10_000_000, "{}", expected.stdout.len());
    assert!(out == expected.stdout && err == expected.stderr, "{} and {} bytes", out.len(), err.len());
    assert_eq!(ends, [Ended::Code(3)]);
}

#[test]
fn a_program_that_a_real_time_signal_ends_is_told() {
    let config = r#"{"entrypoint":["/bin/sh","-c","kill -37 $$"]}"#;
    let files = [("etc/nex/image.json", config)];
    let Some(mut guest) = Guest::with("nex.workload=image nex.poweroff=1", &files) else { return };
    let said = guest.read_until("@nex1 end by=");
    assert!(said.contains(" signal=37"), "{said}");
}

/// Who starts it may ignore SIGCHLD, which programs inherit: the kernel would forget how the workload has ended.
#[test]
fn how_the_workload_ends_is_known_whatever_was_ignored_before() {
    let files = [("etc/nex/image.json", r#"{"entrypoint":["/bin/sh","-c","exit 7"]}"#)];
    let ignoring = GUEST.replace("\nexec ", "\ntrap '' CHLD\nexec ");
    assert_ne!(ignoring, GUEST);
    let Some(mut guest) = Guest::started_by(&ignoring, "nex.workload=image nex.poweroff=1", &files) else { return };
    let said = guest.read_until("@nex1 end by=");
    assert!(said.contains(" code=7"), "{said}");
}

#[test]
fn the_stop_signal_may_be_a_real_time_signal() {
    let program = "trap 'echo asked; exit 7' 37\necho waits\nwhile :; do sleep 0.05; done\n";
    let config = r#"{"entrypoint":["/bin/sh","/waits"],"stopSignal":"SIGRTMIN+3"}"#;
    let files = [("etc/nex/image.json", config), ("waits", program)];
    let Some(mut guest) = Guest::with("nex.workload=image", &files) else { return };
    guest.read_until(" waits");
    kill(pid(guest.init), Signal::SIGTERM).expect("ours to end");
    let said = guest.read_until("@nex1 end by=");
    assert!(said.contains(" asked") && said.contains(" code=7"), "{said}");
}

#[test]
fn a_host_that_reads_nothing_keeps_no_machine_from_ending() {
    let files = [("etc/nex/image.json", r#"{"entrypoint":["/flood"]}"#), ("flood", FLOOD)];
    let Some(mut guest) = Guest::with("nex.workload=image", &files) else { return };
    let said = guest.read_until(READY);
    assert!(said.contains(START), "{said}");
    // Until the pipe is full, and all that the agent keeps.
    std::thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    kill(pid(guest.init), Signal::SIGTERM).expect("ours to end");
    guest.unshare.wait().expect("ours to wait for");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
}

/// The agent as process 1 of namespaces of its own. The user namespace keeps it from anything of the host.
struct Guest {
    unshare: Child,
    init: u32,
    console: BufReader<ChildStdout>,
    _root: tempfile::TempDir,
    _content: tempfile::TempDir,
}

impl Guest {
    /// `None` where this machine allows no namespaces; the test then says so and proves nothing.
    fn start() -> Option<Self> {
        Self::with("", &[])
    }

    /// The same with a kernel's command line, and with files in its root.
    fn with(command_line: &str, files: &[(&str, &str)]) -> Option<Self> {
        Self::started_by(GUEST, command_line, files)
    }

    /// The same by a script of its own.
    fn started_by(script: &str, command_line: &str, files: &[(&str, &str)]) -> Option<Self> {
        let allowed = Command::new("unshare").args(["-Urpfm", "true"]).output();
        if !allowed.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: this machine allows no user and process namespaces (unshare -Urpfm)");
            return None;
        }
        let root = tempfile::tempdir().expect("a temporary directory");
        let content = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in [("command-line", command_line)].iter().chain(files) {
            let path = content.path().join(name);
            fs::create_dir_all(path.parent().expect("in a directory")).expect("writable");
            fs::write(&path, text).expect("writable");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        }
        let mut unshare = Command::new("unshare")
            .args(["-Urpfm", "--kill-child", "sh", "-c", script, "guest"])
            .args([root.path(), Path::new(AGENT), content.path()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        wait_for("unshare has its child", || !children_of(unshare.id()).is_empty());
        let init = children_of(unshare.id())[0];
        let console = BufReader::new(unshare.stdout.take().expect("piped"));
        Some(Self { unshare, init, console, _root: root, _content: content })
    }

    /// What is said up to the line that contains `mark`.
    fn read_until(&mut self, mark: &str) -> String {
        let mut said = String::new();
        while !said.contains(mark) {
            let read = self.console.read_line(&mut said).expect("readable");
            assert_ne!(read, 0, "the console closed before {mark:?}:\n{said}");
        }
        said
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        drop(self.unshare.kill());
        drop(self.unshare.wait());
        drop(self.console.read_to_string(&mut String::new()));
    }
}

fn children_of(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let listed = std::fs::read_to_string(path).unwrap_or_default();
    listed.split_whitespace().map(|number| number.parse().expect("the kernel writes numbers")).collect()
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().expect("process numbers are small"))
}
