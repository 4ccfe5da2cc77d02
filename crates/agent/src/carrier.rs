//! The agent's end of the channel to the host, which the word `nex.channel=` asks for.
//!
//! | carrier | the host's end | the agent's |
//! | --- | --- | --- |
//! | a virtio-serial port | is there before the guest, and when it is closed it stays so | the port's device, which has one opener at a time |
//! | a vsock port | connects, as often as it likes | listens, and takes connections of the host alone |
//!
//! The agent opens it before any other program runs, so that none is there first.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nex_channel::Carrier as Kind;
use nex_contract::{CHANNEL_PORT_NAME, Carrier as Wanted};
use nix::fcntl::OFlag;
use nix::libc::VMADDR_CID_ANY;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, VsockAddr, bind, getpeername, listen, socket};
use rustix::net::SocketFlags;

use crate::vsock::HOST;

/// Where the kernel lists its virtio-serial ports, each with its name in a file.
const PORTS: &str = "/sys/class/virtio-ports";
/// How long the port may take, from the agent's start: its driver is there by then, and asks the VMM for the port's name.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to look.
const PAUSE: Duration = Duration::from_millis(5);
/// How many connections may wait, and how many are looked at in one go: the host makes one, and others are closed.
const WAITING: i32 = 8;

/// The agent's end. All that it gives is non-blocking, and closed in programs.
#[derive(Debug)]
pub struct Carrier {
    listener: Option<Box<dyn Connections>>,
    stream: Option<File>,
    kind: Kind,
}

/// Where connections of a host come from.
pub trait Connections: std::fmt::Debug + Send {
    /// What is readable when one waits.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// The newest one that waits, non-blocking, without waiting for one; `None` when there is none.
    fn newest(&mut self) -> Option<OwnedFd>;
}

/// The guest's vsock port.
#[derive(Debug)]
struct VsockPort(OwnedFd);

impl Connections for VsockPort {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn newest(&mut self) -> Option<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let waiting = (0..WAITING).map_while(|_| rustix::net::accept_with(&self.0, flags).ok());
        waiting.filter(is_the_hosts).last()
    }
}

impl Carrier {
    /// Opens it. `/dev` and `/sys` should be mounted.
    ///
    /// # Errors
    /// When the kernel has no driver for it, the port does not come within two seconds, or another program has it. The text says which.
    pub fn open(wanted: Wanted) -> Result<Self, String> {
        match wanted {
            Wanted::Virtio => Ok(Self::of_port(open_port(Path::new(PORTS), PATIENCE)?)),
            Wanted::Vsock(port) => {
                let listener =
                    listen_on(port).map_err(|error| format!("cannot listen on vsock port {port}: {error}"))?;
                Ok(Self::of_connections(VsockPort(listener)))
            }
        }
    }

    /// The end of a port, which does not wait.
    pub fn of_port(port: File) -> Self {
        Self { listener: None, stream: Some(port), kind: Kind::Port }
    }

    /// The end of somebody who brings the host's connections.
    pub fn of_connections(connections: impl Connections + 'static) -> Self {
        Self { listener: Some(Box::new(connections)), stream: None, kind: Kind::Connection }
    }

    /// Whether each session has a connection of its own.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is readable when [`Self::accept`] has something to take, or the stream something to be read.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.listener.iter().map(|listener| listener.descriptor()).chain(self.stream.iter().map(AsFd::as_fd))
    }

    /// What has to be writable for the stream to take more.
    pub fn outlet(&self) -> Option<BorrowedFd<'_>> {
        self.stream.as_ref().map(AsFd::as_fd)
    }

    /// Takes what waits for the listener, and says whether the stream is another one now. The host's newest connection counts; what others
    /// have connected, as programs of the guest can, is closed.
    pub fn accept(&mut self) -> bool {
        let Some(newest) = self.listener.as_mut().and_then(|listener| listener.newest()) else { return false };
        self.stream = Some(newest.into());
        true
    }

    /// The stream, as long as there is one.
    pub fn stream(&mut self) -> Option<&mut File> {
        self.stream.as_mut()
    }

    /// Closes the stream, whose other end is closed. A listener waits for the next.
    pub fn hang_up(&mut self) {
        self.stream = None;
    }
}

/// Whether a connection comes from the host.
fn is_the_hosts(connection: &OwnedFd) -> bool {
    getpeername::<VsockAddr>(connection.as_raw_fd()).is_ok_and(|peer| peer.cid() == HOST)
}

fn listen_on(port: u32) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
    bind(listener.as_raw_fd(), &VsockAddr::new(VMADDR_CID_ANY, port))?;
    listen(&listener, Backlog::new(WAITING)?)?;
    Ok(listener)
}

fn open_port(ports: &Path, patience: Duration) -> Result<File, String> {
    if !ports.exists() {
        return Err("the kernel has no driver for virtio-serial ports (CONFIG_VIRTIO_CONSOLE)".into());
    }
    let deadline = Instant::now() + patience;
    let missing = || format!("there is no virtio-serial port {CHANNEL_PORT_NAME} after {} s", patience.as_secs());
    let device = until(deadline, || find_port(ports)).ok_or_else(missing)?;
    let file = OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&device);
    let file = file.map_err(|error| format!("cannot open {}: {error}", device.display()))?;
    // Until the VMM has told the kernel that its end is open, the port looks as if the host had closed it.
    let is_open = until(deadline, || is_open_at_the_host(&file).then_some(()));
    is_open.map(|()| file).ok_or_else(|| format!("the host's end of {} is closed", device.display()))
}

/// The device of the port with the channel's name.
fn find_port(ports: &Path) -> Option<PathBuf> {
    let mut found = fs::read_dir(ports).ok()?.flatten();
    let is_ours = |port: &Path| {
        fs::read(port.join("name")).is_ok_and(|name| name.trim_ascii_end() == CHANNEL_PORT_NAME.as_bytes())
    };
    let port = found.find(|entry| is_ours(&entry.path()))?;
    Some(Path::new("/dev").join(port.file_name()))
}

fn is_open_at_the_host(port: &File) -> bool {
    let mut state = [PollFd::new(port.as_fd(), PollFlags::POLLOUT)];
    poll(&mut state, PollTimeout::ZERO).is_ok()
        && !state[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLHUP))
}

/// Looks for something until it is there or the deadline has come. Looks once at least.
fn until<T>(deadline: Instant, look: impl Fn() -> Option<T>) -> Option<T> {
    loop {
        match look() {
            None if Instant::now() < deadline => std::thread::sleep(PAUSE),
            seen => return seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::net::UnixStream;

    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

    #[test]
    fn the_port_is_found_by_its_name() {
        let ports = tempfile::tempdir().expect("a directory");
        for (port, name) in [("vport0p1", "org.qemu.guest_agent.0\n"), ("vport2p1", "nex.channel\n"), ("vport3p1", "")]
        {
            fs::create_dir(ports.path().join(port)).expect("new");
            fs::write(ports.path().join(port).join("name"), name).expect("new");
        }
        fs::create_dir(ports.path().join("vport4p1")).expect("new");
        assert_eq!(find_port(ports.path()), Some("/dev/vport2p1".into()));
        fs::write(ports.path().join("vport2p1/name"), "nex.channel2\n").expect("there");
        assert_eq!(find_port(ports.path()), None);
    }

    #[test]
    fn a_guest_without_the_port_is_not_held_up() {
        let ports = tempfile::tempdir().expect("a directory");
        let started = Instant::now();
        let refused = open_port(&ports.path().join("none"), PATIENCE).expect_err("no driver");
        assert!(refused.contains("CONFIG_VIRTIO_CONSOLE") && started.elapsed() < PATIENCE, "{refused}");
        let refused = open_port(ports.path(), Duration::from_millis(20)).expect_err("no port");
        assert!(refused.starts_with("there is no virtio-serial port nex.channel"), "{refused}");
    }

    #[test]
    fn an_end_that_the_host_has_closed_is_seen() {
        let (ours, theirs) = UnixStream::pair().expect("a socket");
        let port = File::from(OwnedFd::from(ours));
        assert!(is_open_at_the_host(&port));
        drop(theirs);
        assert!(!is_open_at_the_host(&port));
    }

    #[test]
    fn nobody_but_the_host_is_taken() {
        let mut carrier = match Carrier::open(Wanted::Vsock(61_023)) {
            Ok(carrier) => carrier,
            Err(why) => {
                eprintln!("LEFT OUT: listening on vsock: {why}");
                return;
            }
        };
        let listener = carrier.descriptors().next().expect("a listener");
        let flags = fcntl(listener, FcntlArg::F_GETFD).map(FdFlag::from_bits_truncate);
        assert_eq!(flags, Ok(FdFlag::FD_CLOEXEC));
        // It does not wait for the host, which does not come here.
        assert!(!carrier.accept() && carrier.stream().is_none());
        // Another program has the port now.
        let refused = Carrier::open(Wanted::Vsock(61_023)).expect_err("it is taken");
        assert!(refused.starts_with("cannot listen on vsock port 61023: EADDRINUSE"), "{refused}");
        let (ours, _theirs) = UnixStream::pair().expect("a socket");
        assert!(!is_the_hosts(&OwnedFd::from(ours)));
    }

    #[test]
    fn a_stream_whose_end_is_closed_is_given_up() {
        let (ours, theirs) = UnixStream::pair().expect("a socket");
        ours.set_nonblocking(true).expect("a socket");
        let mut carrier = Carrier::of_port(OwnedFd::from(ours).into());
        let read = |carrier: &mut Carrier| std::io::Read::read(carrier.stream().expect("open"), &mut [0; 4]);
        assert_eq!(read(&mut carrier).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        drop(theirs);
        assert_eq!(read(&mut carrier).map_err(|error| error.kind()), Ok(0));
        carrier.hang_up();
        assert!(carrier.stream().is_none() && carrier.descriptors().next().is_none() && !carrier.accept());
    }
}
