//! Sockets of the scripts that lead to the host's network. The monitor makes them, as it is in the host's network namespace,
//! and scripts are not.
//!
//! They take memory there, and ports, and nothing in a process tells of one that is on its way through another socket. So the
//! monitor remembers those that live.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, socket_with};

use super::call::Call;

/// The most that there are at once.
pub const MOST: usize = 4096;

/// The sockets that were lent and live.
pub struct Lent {
    /// The kernel forgets a file in here when nobody has it any more, wherever it was. Nobody waits for any of them.
    living: OwnedFd,
    /// Not fewer than there are.
    count: usize,
    /// Whether one of them may take connections, each of which is a socket more.
    pub listens: bool,
}

impl Lent {
    /// None yet.
    pub fn new() -> Result<Self> {
        Ok(Self { living: epoll::create(CreateFlags::CLOEXEC)?, count: 0, listens: false })
    }

    fn remember(&mut self, socket: BorrowedFd) -> Result<()> {
        if self.count >= MOST {
            self.count = self.living().len();
        }
        if self.count >= MOST {
            return Err(Errno::NFILE);
        }
        epoll::add(&self.living, socket, EventData::new_u64(0), EventFlags::empty())?;
        self.count += 1;
        Ok(())
    }

    /// The inodes of those that live.
    pub fn living(&self) -> BTreeSet<u64> {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.living.as_raw_fd()));
        let inode = |line: &str| {
            let value = line.strip_prefix("tfd:")?.split_once(" ino:")?.1;
            u64::from_str_radix(value.split_ascii_whitespace().next()?, 16).ok()
        };
        info.unwrap_or_default().lines().filter_map(inode).collect()
    }

    /// Whether one may live.
    pub fn may_be_any(&self) -> bool {
        self.count > 0
    }
}

/// Where a script finds the socket that it has asked for, as socket(2) gives it.
///
/// The arguments are numbers in the registers of a process that waits: nobody changes them meanwhile.
///
/// # Errors
/// Those of socket(2), for the process that asks.
pub fn make(lent: &Mutex<Lent>, call: &Call) -> std::io::Result<i64> {
    let family = AddressFamily::from_raw(u16::try_from(call.word(0)).map_err(std::io::Error::other)?);
    let close_on_exec = SocketFlags::CLOEXEC.bits();
    let kind = SocketType::from_raw(call.word(1) & !close_on_exec);
    let protocol = std::num::NonZeroU32::new(call.word(2)).map(Protocol::from_raw);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, protocol)?;
    lent.lock().unwrap_or_else(PoisonError::into_inner).remember(socket.as_fd())?;
    call.give(&socket, call.word(1) & close_on_exec != 0)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn those_that_live_are_known_wherever_they_are() {
        let mut lent = Lent::new().unwrap();
        let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let sockets = [0; 3].map(|_| socket());
        let inodes: BTreeSet<u64> = sockets.iter().map(|socket| rustix::fs::fstat(socket).unwrap().st_ino).collect();
        sockets.iter().for_each(|socket| lent.remember(socket.as_fd()).unwrap());
        // Who has it is another: here, another number.
        let kept = sockets[1].try_clone().unwrap();
        assert_eq!(lent.living(), inodes);
        drop(sockets);
        assert_eq!(lent.living(), BTreeSet::from([rustix::fs::fstat(&kept).unwrap().st_ino]));
        lent.count = MOST;
        let another = socket();
        lent.remember(another.as_fd()).unwrap();
        assert_eq!((lent.count, lent.living().len()), (2, 2));
    }
}
