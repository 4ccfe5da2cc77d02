//! The guest's vsock, which Firecracker has in Unix sockets: one on which it takes connections to the guest, and one for each
//! of the host's ports, on which we take connections from the guest.
//!
//! ```text
//! guest ── connect(host, 1024) ──> NAME_1024, on which we listen
//! host  ── NAME, "CONNECT 52\n", "OK ..." ──> whoever listens on port 52 in the guest
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;

use super::dial::Dial;
use super::socket;
use crate::process::is_readable;

/// The guest's address. One guest of a Firecracker never meets another's, so it need not be anybody's own.
pub const GUEST_CID: u32 = 3;
/// The sockets' name in the directory that holds them.
pub const NAME: &str = "vsock";

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

    /// Asks for a connection to a port of the guest, and waits for nothing.
    ///
    /// # Errors
    /// When Firecracker does not listen, or takes nobody now.
    pub fn dial(&self, port: u32) -> io::Result<Dial> {
        Dial::ask(socket::connect(self.directory.as_fd(), NAME, self.user)?, port)
    }
}
