//! The guest's vsock, which Firecracker has in Unix sockets: one on which it takes connections to the guest, and one for each
//! of the host's ports, on which we take connections from the guest.
//!
//! ```text
//! guest ── connect(host, 1024) ──> NAME_1024, on which we listen
//! host  ── NAME, "CONNECT 52\n", "OK ..." ──> whoever listens on port 52 in the guest
//! ```

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::socket;
use crate::process::is_readable;
use crate::timed::Timed;

/// The guest's address. One guest of a Firecracker never meets another's, so it need not be anybody's own.
pub const GUEST_CID: u32 = 3;
/// The sockets' name in the directory that holds them.
pub const NAME: &str = "vsock";
/// How long Firecracker may take to connect us to the guest.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer to a `CONNECT`, in bytes: `OK` and a number.
const LONGEST: u64 = 32;

/// The host's end.
pub struct Vsock {
    /// Where the sockets are.
    directory: OwnedFd,
    /// Whom Firecracker's own socket belongs to.
    user: u32,
    listeners: Vec<(u32, UnixListener)>,
}

impl Vsock {
    /// Listens on ports of the host, in a directory that nobody else may enter: whoever connects first is the guest.
    /// Firecracker runs as this user.
    pub(crate) fn listen(directory: BorrowedFd<'_>, user: u32, ports: &[u32]) -> io::Result<Self> {
        let listener = |port: &u32| {
            let listener = nex_file::private::listen(directory, &format!("{NAME}_{port}"))?;
            listener.set_nonblocking(true)?;
            Ok((*port, listener))
        };
        let listeners = ports.iter().map(listener).collect::<io::Result<_>>()?;
        Ok(Self { directory: directory.try_clone_to_owned()?, user, listeners })
    }

    /// The names of the sockets on which we listen, in their directory.
    pub(crate) fn names(ports: &[u32]) -> impl Iterator<Item = String> {
        ports.iter().map(|port| format!("{NAME}_{port}"))
    }

    /// Readable when the guest has connected to this port of the host.
    pub fn listener(&self, port: u32) -> Option<BorrowedFd<'_>> {
        self.listeners.iter().find(|(known, _)| *known == port).map(|(_, listener)| listener.as_fd())
    }

    /// Waits for the guest to connect to this port of the host. `None` when it has not until then.
    ///
    /// # Errors
    /// When that is no port on which we listen, or the system fails.
    pub fn accept(&self, port: u32, deadline: Instant) -> io::Result<Option<UnixStream>> {
        let listener = self.listeners.iter().find(|(known, _)| *known == port).map(|(_, listener)| listener);
        let listener = listener.ok_or(io::ErrorKind::AddrNotAvailable)?;
        if !is_readable(listener.as_fd(), deadline)? {
            return Ok(None);
        }
        let (connection, _) = listener.accept()?;
        connection.set_nonblocking(false)?;
        Ok(Some(connection))
    }

    /// Connects to a port of the guest.
    ///
    /// # Errors
    /// When nobody listens there, or the guest does not answer.
    pub fn connect(&self, port: u32) -> io::Result<UnixStream> {
        let socket = socket::connect(self.directory.as_fd(), NAME, self.user)?;
        let mut connection = Timed::new(socket, PATIENCE)?;
        connection.write_all(format!("CONNECT {port}\n").as_bytes())?;
        // What the guest sends comes right behind this line, so no byte more may be read.
        let mut answer = String::new();
        BufReader::with_capacity(1, (&mut connection).take(LONGEST)).read_line(&mut answer)?;
        if answer.is_empty() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if !answer.starts_with("OK ") || !answer.ends_with('\n') {
            return Err(io::ErrorKind::InvalidData.into());
        }
        connection.into_socket()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// What a connection gives when the other end answers this.
    fn connect(answer: &'static str) -> io::Result<String> {
        let directory = tempfile::tempdir()?;
        let firecracker = UnixListener::bind(directory.path().join(NAME))?;
        let other = thread::spawn(move || {
            let (mut connection, _) = firecracker.accept()?;
            let mut asked = String::new();
            BufReader::new(&connection).read_line(&mut asked)?;
            connection.write_all(answer.as_bytes())?;
            Ok::<_, io::Error>(asked)
        });
        let connected =
            Vsock::listen(std::fs::File::open(directory.path())?.as_fd(), rustix::process::geteuid().as_raw(), &[])?
                .connect(52);
        assert_eq!(other.join().map_err(|_| io::ErrorKind::Other)??, "CONNECT 52\n");
        let mut said = String::new();
        connected?.read_to_string(&mut said)?;
        Ok(said)
    }

    #[test]
    fn a_connection_begins_behind_the_answer() -> io::Result<()> {
        assert_eq!(connect("OK 1073741824\nhello\n")?, "hello\n");
        assert_eq!(connect("").map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionRefused));
        for answer in ["NO\n", "OK 1", "OK 11111111111111111111111111111111111111\n"] {
            assert_eq!(connect(answer).map_err(|error| error.kind()), Err(io::ErrorKind::InvalidData));
        }
        Ok(())
    }
}
