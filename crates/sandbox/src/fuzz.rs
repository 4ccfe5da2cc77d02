//! For the fuzz targets (docs/fuzzing.md): each side of the wire, listening to whatever comes.

mod seeds;

use std::fs::File;
use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::failure::Failure;
use crate::ids::TreeIds;
use crate::incoming::Incoming;
use crate::keep::keep;
use crate::node::{Change, Node};
use crate::options::MemoryBound;
use crate::protocol::{Answer, Order, Report, Setup};
use crate::tree::{Changed, Layout, Snapshot, remove, send_changes};
use crate::wire::Channel;

pub use seeds::seeds;

/// What a socket holds in any case. Longer inputs are cut, so that nobody waits for who reads.
const LONGEST: usize = 64 << 10;

/// Owners of a tree are below this.
const IDS: u32 = 65536;

/// Who listens.
#[derive(Clone, Copy, Debug)]
pub enum Listener {
    /// The monitor, to the caller's tree. What it has laid out, it tells like changes.
    Monitor,
    /// The caller, to the monitor's answers.
    Caller,
    /// The caller, to the changes that it keeps as files.
    CallerThatKeeps,
    /// The monitor, to init.
    MonitorOfInit,
    /// Init, to the monitor.
    Init,
}

impl Listener {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Monitor, Self::Caller, Self::CallerThatKeeps, Self::MonitorOfInit, Self::Init];
}

/// Gives bytes to a listener, who works in an empty directory of its own, and leaves it empty. Gives the messages of the
/// monitor's refusals.
///
/// # Panics
/// When what was understood is not what is said when it is said again.
pub fn listen(listener: Listener, bytes: &[u8], directory: &Path) -> Vec<String> {
    let mut channel = channel(bytes).expect("a socket");
    match listener {
        Listener::Monitor => return monitor(&mut channel, directory),
        Listener::Caller => while hear::<Answer>(&mut channel) {},
        Listener::CallerThatKeeps => {
            let (kept, place) = (directory.join("kept"), open(directory));
            // It refuses what cannot be kept; what it has kept by then stays where it belongs.
            drop(keep(&mut Incoming::default(), &mut channel, &kept));
            remove(&place, "kept").expect("our own directory");
        }
        Listener::MonitorOfInit => while hear::<Report>(&mut channel) {},
        Listener::Init => while hear::<(Setup, Option<String>, MemoryBound)>(&mut channel) {},
    }
    Vec::new()
}

/// A line on which these bytes come, and nothing behind them.
fn channel(bytes: &[u8]) -> io::Result<Channel> {
    let (mut theirs, ours) = UnixStream::pair()?;
    theirs.write_all(&bytes[..bytes.len().min(LONGEST)])?;
    theirs.shutdown(Shutdown::Write)?;
    Channel::new(ours)
}

/// Whether there was a message. It is the same when it is said again.
fn hear<T: Serialize + DeserializeOwned>(channel: &mut Channel) -> bool {
    let Ok(message) = channel.receive::<T>() else { return false };
    let said = postcard::to_stdvec(&message).expect("it has been said before");
    let again: T = postcard::from_bytes(&said).expect("it is well said");
    assert!(postcard::to_stdvec(&again).expect("it has been said before") == said);
    true
}

/// Lays out what the caller says. What is there then is told, and laying that out gives the same once more.
fn monitor(caller: &mut Channel, directory: &Path) -> Vec<String> {
    let place = open(directory);
    let mut refusals = Vec::new();
    let mut nodes = Vec::new();
    while let Ok(order) = caller.receive::<Order>() {
        if let Order::Place(node) = order {
            nodes.push(node);
        }
    }
    let source = File::open("/proc/self/exe").expect("this program");
    match lay_out(&place, "first", &nodes, &source) {
        Ok(told) => {
            let (nodes, content) = as_nodes(&told);
            let mut file =
                File::from(rustix::fs::memfd_create("told", rustix::fs::MemfdFlags::CLOEXEC).expect("memory"));
            file.write_all(&content).expect("memory");
            let again = lay_out(&place, "second", &nodes, &file).expect("it was laid out before");
            assert!(again == told, "{told:?}\n{again:?}");
        }
        Err(message) => refusals.push(message.what),
    }
    for name in ["first", "second"] {
        remove(&place, name).expect("our own directory");
    }
    refusals
}

/// Changes, each with the bytes of its file.
type Told = Vec<(Change, Vec<u8>)>;

fn lay_out(place: &OwnedFd, name: &str, nodes: &[Node], source: &File) -> Result<Told, Failure> {
    rustix::fs::mkdirat(place, name, Mode::RWXU).expect("our own directory");
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(place, name, flags, Mode::empty()).expect("our own directory");
    let ids = TreeIds::first(IDS);
    // With one id, so that who fuzzes need not be root.
    let mut layout = Layout::new(root.as_fd(), source, &ids, true);
    nodes.iter().try_for_each(|node| layout.place(node))?;
    tell(&root, &layout.finish()?)
}

/// What the monitor tells of a tree that nobody knows, as the caller hears it.
fn tell(root: &OwnedFd, hidden: &Changed) -> Result<Told, Failure> {
    let (ours, theirs) = UnixStream::pair().expect("a socket");
    let mut caller = Channel::new(theirs).expect("a socket");
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| listen_to_changes(Channel::new(ours).expect("a socket")));
        let told = send_changes(root.as_fd(), Snapshot::of_nothing(), hidden, u64::MAX, &mut caller)
            .and_then(|()| caller.send_now(&Answer::NoMoreChanges).map_err(Failure::from));
        drop(caller);
        let heard = listener.join().expect("it does not panic");
        told.map(|()| heard.expect("the monitor speaks well"))
    })
}

fn listen_to_changes(mut monitor: Channel) -> Result<Told, Error> {
    let (mut incoming, mut told) = (Incoming::default(), Told::new());
    while let Some(change) = incoming.next_change(&mut monitor)? {
        let mut content = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match incoming.read(&mut monitor, &mut buffer)? {
                0 => break,
                read => content.extend_from_slice(&buffer[..read]),
            }
        }
        told.push((change, content));
    }
    Ok(told)
}

/// The nodes of what was told, and a source with their bytes one after the other.
fn as_nodes(told: &Told) -> (Vec<Node>, Vec<u8>) {
    let (mut nodes, mut source) = (Vec::new(), Vec::new());
    for (change, content) in told {
        let Change::Set { node, .. } = change else { continue };
        let mut node = node.clone();
        if let crate::Kind::File { pieces, .. } = &mut node.kind {
            pieces.iter_mut().for_each(|piece| piece.source += source.len() as u64);
        }
        source.extend_from_slice(content);
        nodes.push(node);
    }
    (nodes, source)
}

fn open(directory: &Path) -> OwnedFd {
    rustix::fs::openat(CWD, directory, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).expect("our own directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The monitor takes all of the seeds' tree, and of no input is anything left.
    #[test]
    fn seeds_are_understood() {
        let directory = tempfile::tempdir().unwrap();
        let whole_tree = &seeds()[0];
        for seed in seeds() {
            let listener = Listener::ALL[usize::from(seed[0])];
            let refusals = listen(listener, &seed[1..], directory.path());
            // A node alone may lack its directory.
            assert!(refusals.is_empty() || seed != *whole_tree, "{refusals:?}");
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{listener:?}");
        }
    }
}
