//! The socket in a guest's directory.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use nex_supervise::GuestDir;
use nex_supervise::api::SOCKET;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

/// A socket at which clients are accepted.
#[derive(Debug)]
pub struct Socket(UnixListener);

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its process, when it connected.
    pub pid: u32,
}

impl Socket {
    /// Makes it. The directory is the user's alone, and so is the socket.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn bind(guest: &GuestDir) -> io::Result<Self> {
        // A socket's path has 107 bytes at most, and a state directory may be deep.
        let path = format!("/proc/self/fd/{}/{SOCKET}", guest.directory().handle().as_raw_fd());
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// The next client of the user's own, or of root; `None` when nobody else waits.
    pub fn accept(&self) -> Option<(UnixStream, Peer)> {
        loop {
            let stream = match self.0.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // One that has gone again, or there is no descriptor for it now.
                Err(_) => return None,
            };
            let Ok(credentials) = socket_peercred(&stream) else { continue };
            let (uid, pid) = (credentials.uid.as_raw(), credentials.pid.as_raw_nonzero().get().unsigned_abs());
            if credentials.uid == geteuid() || credentials.uid.is_root() {
                return Some((stream, Peer { uid, pid }));
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
