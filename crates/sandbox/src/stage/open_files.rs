//! Files that the scripts' processes have open.
//!
//! Who takes a file of another process may become the last who has it, as that process closes it meanwhile. The last close
//! may take as long as somebody else likes: a TCP socket waits for its peer (`SO_LINGER`), a file of a network file system or
//! of FUSE for its server. So a file is looked at where it is, a directory is entered by a handle that closes without a
//! word to anybody, and only what must be taken is.
//!
//! A task is a process or one of its threads, by the number that `/proc` has for it. A thread may have a table of open files
//! of its own.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Statx, StatxFlags};
use rustix::io::{Errno, Result};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

/// The thread itself, and not the process that it belongs to (`PIDFD_THREAD`, Linux 6.9).
const THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);

/// What is open there, as statx(2) tells it without asking any server. Nothing is opened.
///
/// # Errors
/// EBADF when nothing is.
pub fn look(task: u32, descriptor: u32) -> Result<Statx> {
    let flags = AtFlags::STATX_DONT_SYNC;
    rustix::fs::statx(CWD, path(task, descriptor), flags, StatxFlags::BASIC_STATS).map_err(bad_descriptor)
}

/// A handle of the directory that is open there, as a place for paths to begin (`O_PATH`).
///
/// # Errors
/// EBADF when nothing is open there, ENOTDIR when it is something else.
pub fn directory(task: u32, descriptor: u32) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path(task, descriptor), flags, Mode::empty()).map_err(bad_descriptor)
}

/// Takes what is open there: the same open file, position and all. A socket waits for nobody from then on when it is closed.
///
/// Only for what [`look`] has shown to be a regular file of our own, a pipe or a socket. Another thread may have put something
/// else in its place since; so only a thread that may be held up takes files.
///
/// # Errors
/// Those of `pidfd_open(2)` and `pidfd_getfd(2)`. Before Linux 6.9, EINVAL or ENOENT for all threads but a process's first.
pub fn take(task: u32, descriptor: u32) -> Result<OwnedFd> {
    let number = i32::try_from(task).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let descriptor = i32::try_from(descriptor).map_err(|_| Errno::BADF)?;
    let handle = rustix::process::pidfd_open(number, THREAD).or_else(|errno| match errno {
        Errno::INVAL => rustix::process::pidfd_open(number, PidfdFlags::empty()),
        errno => Err(errno),
    })?;
    let file = rustix::process::pidfd_getfd(handle, descriptor, PidfdGetfdFlags::empty())?;
    // Other files have no such option.
    rustix::net::sockopt::set_socket_linger(&file, None).ok();
    Ok(file)
}

fn path(task: u32, descriptor: u32) -> String {
    format!("/proc/{task}/fd/{descriptor}")
}

/// As system calls say it that are given a number.
fn bad_descriptor(errno: Errno) -> Errno {
    if errno == Errno::NOENT { Errno::BADF } else { errno }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, Instant};

    use super::*;

    fn number(file: RawFd) -> u32 {
        u32::try_from(file).unwrap()
    }

    #[test]
    fn a_file_is_looked_at_and_taken() {
        let me = std::process::id();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        let seen = look(me, number(file.as_raw_fd())).unwrap();
        assert_eq!((seen.stx_ino, seen.stx_size), (file.metadata().unwrap().ino(), 7));
        let mut taken = File::from(take(me, number(file.as_raw_fd())).unwrap());
        taken.read_to_string(&mut String::new()).unwrap();
        taken.write_all(b", and more").unwrap();
        file.write_all(b".").unwrap();
        assert_eq!(file.metadata().unwrap().len(), 18, "they have one position");
        assert_eq!(directory(me, number(file.as_raw_fd())).unwrap_err(), Errno::NOTDIR);
        let place = File::open("/").unwrap();
        assert!(
            rustix::fs::statat(directory(me, number(place.as_raw_fd())).unwrap(), "proc", AtFlags::empty()).is_ok()
        );
        for none in [1_000_000, u32::MAX] {
            assert_eq!(look(me, none).unwrap_err(), Errno::BADF);
            assert_eq!(directory(me, none).unwrap_err(), Errno::BADF);
            assert_eq!(take(me, none).unwrap_err(), Errno::BADF);
        }
    }

    #[test]
    fn a_socket_that_was_taken_waits_for_nobody_when_it_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _peer = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        while (&socket).write(&[0; 65536]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::from_secs(3600))).unwrap();
        let taken = take(std::process::id(), number(socket.as_raw_fd())).unwrap();
        drop(socket);
        let start = Instant::now();
        drop(taken);
        assert!(start.elapsed() < Duration::from_secs(60), "nobody reads what was sent");
    }
}
