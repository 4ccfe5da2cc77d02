//! A guest without a machine, in a thread.

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use nex_agent::carrier::{Carrier, Connections};
use nex_agent::served::{Served, serve};
use nex_contract::{ChannelStreams, Stdin, Streams, Terminal, TerminalSize, Workload};
use nex_protocol::{Decoder, Ended, Event, Item};
use tempfile::TempDir;

use crate::session::Session;

/// Where control groups of version 2 are, on machines that have them alone and on those that have both versions.
const CONTROL_GROUPS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// A guest that is served.
pub struct Guest {
    directory: TempDir,
    end: UnixStream,
    lines: JoinHandle<Vec<u8>>,
    serving: JoinHandle<()>,
}

/// The host's connections, by a socket of a name.
#[derive(Debug)]
struct Socket(UnixListener);

impl Connections for Socket {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn newest(&mut self) -> Option<OwnedFd> {
        let (connection, _) = std::iter::from_fn(|| self.0.accept().ok()).last()?;
        connection.set_nonblocking(true).expect("a socket");
        Some(connection.into())
    }
}

/// A control group of a test's own, which goes with it.
pub struct Group(PathBuf);

impl Group {
    /// `None`, with a note, where this machine has none that may be made.
    pub fn make() -> Option<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("nex-agent-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = CONTROL_GROUPS.into_iter().map(Path::new).find(|root| root.join("cgroup.controllers").exists());
        let path = root.map(|root| root.join(name)).filter(|path| fs::create_dir(path).is_ok());
        if path.is_none() {
            eprintln!("LEFT OUT: control groups: this machine has none of version 2 in which this test may make one");
        }
        path.map(Self)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // From the leaves up; a kernel removes no group in which something runs.
        for trees in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            for tree in fs::read_dir(trees.path()).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(tree.path());
            }
            let _ = fs::remove_dir(trees.path());
        }
        let _ = fs::remove_dir(&self.0);
    }
}

/// A workload whose streams are pipes on the channel.
pub fn workload(program: &[&str]) -> Workload {
    let mut words = program.iter().map(ToString::to_string);
    Workload {
        program: words.next().expect("a program"),
        args: words.collect(),
        env: vec!["FROM=workload".into(), "KEPT=kept".into()],
        streams: Streams::Channel(ChannelStreams { stdin: Stdin::Stream, terminal: None }),
        ..Workload::default()
    }
}

/// The same with a terminal.
pub fn with_terminal(program: &[&str]) -> Workload {
    let terminal = Terminal { size: TerminalSize { rows: 24, columns: 80 }, term: String::new() };
    let streams = ChannelStreams { stdin: Stdin::Stream, terminal: Some(terminal) };
    Workload { streams: Streams::Channel(streams), ..workload(program) }
}

impl Guest {
    /// A guest that lives until it is ended, whose programs are told apart by their sessions.
    pub fn idle() -> Self {
        Self::start(Workload { streams: Streams::Lines, ..workload(&["sleep", "1000"]) })
    }

    pub fn start(workload: Workload) -> Self {
        Self::in_groups(workload, Path::new("/none"))
    }

    /// The same with programs in control groups.
    pub fn in_groups(workload: Workload, groups: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join("socket")).expect("a socket");
        listener.set_nonblocking(true).expect("a socket");
        Self::over(Carrier::of_connections(Socket(listener)), directory, workload, groups)
    }

    /// The same over a port, and its other end.
    pub fn on_port(workload: Workload) -> (Self, UnixStream) {
        let (ours, its) = UnixStream::pair().expect("a socket");
        its.set_nonblocking(true).expect("a socket");
        let directory = tempfile::tempdir().expect("a directory");
        (Self::over(Carrier::of_port(OwnedFd::from(its).into()), directory, workload, Path::new("/none")), ours)
    }

    fn over(carrier: Carrier, directory: TempDir, workload: Workload, groups: &Path) -> Self {
        let (mut read, lines) = std::io::pipe().expect("a pipe");
        let (end, asked) = UnixStream::pair().expect("a socket");
        let served = Served {
            workload,
            carrier,
            lines: lines.into(),
            end: asked.into(),
            groups: groups.into(),
            own_program: env!("CARGO_BIN_EXE_nex-agent").into(),
        };
        let serving = std::thread::spawn(move || serve(served));
        let lines = std::thread::spawn(move || {
            let mut lines = Vec::new();
            read.read_to_end(&mut lines).expect("readable");
            lines
        });
        Self { directory, end, lines, serving }
    }

    /// A host that begins a session.
    pub fn connect(&self) -> Session {
        Session::begin(self.connect_raw())
    }

    /// A connection on which nothing is said.
    pub fn connect_raw(&self) -> UnixStream {
        UnixStream::connect(self.directory.path().join("socket")).expect("the guest listens")
    }

    /// Asks for the end, waits for it, and gives what the agent has told.
    pub fn end(self) -> Vec<Event> {
        self.ask();
        self.wait()
    }

    /// Asks for the end.
    pub fn ask(&self) {
        self.end.shutdown(std::net::Shutdown::Both).expect("a socket");
    }

    /// Waits for the end.
    pub fn wait(self) -> Vec<Event> {
        self.serving.join().expect("it does not panic");
        let lines = self.lines.join().expect("it does not panic");
        let items = Decoder::new().push(&lines);
        items.into_iter().filter_map(|item| if let Item::Event(event) = item { Some(event) } else { None }).collect()
    }
}

/// How the workload ended, each time.
pub fn exits(events: &[Event]) -> Vec<Ended> {
    events.iter().filter_map(|event| if let Event::Exit(exit) = event { Some(exit.end) } else { None }).collect()
}
