//! Connects to the sockets that Firecracker makes.
//!
//! They are in a directory where a Firecracker that its guest has taken over may put whatever it likes: a link to a socket of
//! the host, say, to which we would talk as root. So a name is opened without following it, and what is connected to is what
//! was looked at.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Connects to the socket of this name in a directory, if it is one, and this user's. Never waits.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] and [`io::ErrorKind::ConnectionRefused`] as long as nobody listens there, and
/// [`io::ErrorKind::WouldBlock`] when those who listen take nobody. [`io::ErrorKind::InvalidData`] when it is something else.
pub fn connect(directory: BorrowedFd<'_>, name: &str, user: u32) -> io::Result<UnixStream> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&found)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(refused(format!("'{name}' is no socket")));
    }
    if stat.st_uid != user {
        return Err(refused(format!("the socket '{name}' is user {}'s, not user {user}'s", stat.st_uid)));
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", found.as_raw_fd()))?;
    rustix::net::connect(&socket, &address)?;
    let socket = UnixStream::from(socket);
    socket.set_nonblocking(false)?;
    Ok(socket)
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixListener;

    use rustix::fs::CWD;

    use super::*;

    #[test]
    fn only_a_socket_of_the_users_is_connected_to() {
        let place = tempfile::tempdir().unwrap();
        let directory = File::open(place.path()).unwrap();
        let user = rustix::process::geteuid().as_raw();
        let (theirs, inside) = (tempfile::tempdir().unwrap(), |name: &str| place.path().join(name));
        let foreign = UnixListener::bind(theirs.path().join("socket")).unwrap();
        foreign.set_nonblocking(true).unwrap();
        std::os::unix::fs::symlink(theirs.path().join("socket"), inside("link")).unwrap();
        rustix::fs::mknodat(CWD, inside("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::write(inside("file"), "").unwrap();
        fs::create_dir(inside("directory")).unwrap();
        for name in ["link", "fifo", "file", "directory"] {
            let refused = connect(directory.as_fd(), name, user).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{name}: {refused}");
        }
        assert_eq!(foreign.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);

        let listener = UnixListener::bind(inside("socket")).unwrap();
        let refused = connect(directory.as_fd(), "socket", user + 1).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData, "{refused}");
        let connected = connect(directory.as_fd(), "socket", user).unwrap();
        listener.accept().unwrap();
        drop((connected, listener));
        let refused = connect(directory.as_fd(), "socket", user).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect(directory.as_fd(), "none", user).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_listener_who_takes_nobody_is_not_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let directory = File::open(place.path()).unwrap();
        let _listener = UnixListener::bind(place.path().join("socket")).unwrap();
        let user = rustix::process::geteuid().as_raw();
        let mut waiting = Vec::new();
        let full = loop {
            match connect(directory.as_fd(), "socket", user) {
                Ok(connected) => waiting.push(connected),
                Err(error) => break error,
            }
            assert!(waiting.len() < 10_000, "it takes all");
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }
}
