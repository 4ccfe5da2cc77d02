//! The sockets of a network namespace, as the kernel tells them (sock_diag(7)): also those that no process has open, such as
//! connections that nobody has accepted, and sockets that are on their way through others.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use crate::sys;

/// The one kind of request (`SOCK_DIAG_BY_FAMILY`), and its flags: for all of them (`NLM_F_REQUEST | NLM_F_DUMP`).
const BY_FAMILY: u16 = 20;
const ALL: u16 = 0x301;

/// The kernel's `nlmsghdr`, and what it says at the end, or in the place of an answer.
const HEADER: usize = 16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;

/// What stands before the attributes of an answer: `inet_diag_msg`, `unix_diag_msg`.
const INET: usize = 72;
const UNIX: usize = 16;

/// Attributes of an answer: the memory of a socket, and the connections that nobody has accepted, each a number of 4 bytes.
const INET_MEMORY: u16 = 7;
const UNIX_WAITING: u16 = 3;
const UNIX_MEMORY: u16 = 5;

/// All states but those of what is no whole socket: connections that begin (3), or are remembered (6).
const STATES: u32 = 0xfff & !(1 << 3) & !(1 << 6);
const LISTENS: u8 = 10;

/// The most that the kernel answers at once.
const ANSWER: usize = 64 << 10;

/// The line to the kernel, about one namespace.
pub struct SockDiag {
    socket: OwnedFd,
    /// The number of the last request.
    request: u32,
}

/// A socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketInfo {
    /// The number by which processes have it; 0 while none has had it.
    pub inode: u64,
    /// Its own port of TCP, and that at the other end.
    pub port: u16,
    pub peer: u16,
    /// Whether it takes connections.
    pub listens: bool,
    /// Connections to it that nobody has accepted, where these are not listed for themselves.
    pub unaccepted: u64,
    /// What waits in it, in bytes of memory.
    pub bytes: u64,
}

impl SockDiag {
    /// One for the network namespace that the calling thread is in.
    pub fn open() -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
        Ok(Self { socket, request: 0 })
    }

    /// Unix sockets, but for connections that nobody has accepted: their listeners tell how many there are.
    pub fn of_unix(&mut self) -> io::Result<Vec<SocketInfo>> {
        const SHOW_WAITING_AND_MEMORY: u32 = 0x28;
        let mut request = [0; 24];
        request[0] = libc::AF_UNIX as u8;
        request[4..8].copy_from_slice(&u32::MAX.to_ne_bytes());
        request[12..16].copy_from_slice(&SHOW_WAITING_AND_MEMORY.to_ne_bytes());
        self.ask(&request, |answer| {
            let mut info = SocketInfo { inode: word(answer, 4)?.into(), ..SocketInfo::default() };
            for (kind, value) in attributes(answer.get(UNIX..)?) {
                match kind {
                    UNIX_WAITING => info.unaccepted = value.len() as u64 / 4,
                    UNIX_MEMORY => info.bytes = memory(value),
                    _ => {}
                }
            }
            Some(info)
        })
    }

    /// Sockets of TCP and UDP, in both versions of IP, that have a port or a peer.
    pub fn of_internet(&mut self) -> io::Result<Vec<SocketInfo>> {
        let mut all = Vec::new();
        for family in [libc::AF_INET, libc::AF_INET6] {
            for protocol in [libc::IPPROTO_TCP, libc::IPPROTO_UDP] {
                let mut request = [0; 56];
                request[..3].copy_from_slice(&[family as u8, protocol as u8, 1 << (INET_MEMORY - 1)]);
                request[4..8].copy_from_slice(&STATES.to_ne_bytes());
                let is_stream = protocol == libc::IPPROTO_TCP;
                match self.ask(&request, |answer| internet_socket(answer, is_stream)) {
                    // The kernel has no such sockets, or does not tell of them.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    infos => all.append(&mut infos?),
                }
            }
        }
        Ok(all)
    }

    /// What the kernel answers to a request, message by message.
    fn ask(&mut self, what: &[u8], mut read: impl FnMut(&[u8]) -> Option<SocketInfo>) -> io::Result<Vec<SocketInfo>> {
        self.request = self.request.wrapping_add(1);
        let length = (HEADER + what.len()) as u32;
        let mut request = length.to_ne_bytes().to_vec();
        request.extend([BY_FAMILY.to_ne_bytes(), ALL.to_ne_bytes()].concat());
        request.extend([self.request.to_ne_bytes(), [0; 4]].concat());
        request.extend(what);
        send(&self.socket, &request, SendFlags::empty())?;
        let (mut infos, mut buffer) = (Vec::new(), vec![0; ANSWER]);
        loop {
            let (length, _) = recv(&self.socket, &mut *buffer, RecvFlags::empty())?;
            let mut rest = &buffer[..length];
            while let Some((message, next)) = message(rest) {
                rest = next;
                if word(message, 8) != Some(self.request) {
                    // Of a request that nobody waits for any more.
                    continue;
                }
                match half(message, 4) {
                    Some(DONE) => return Ok(infos),
                    Some(ERROR) => {
                        let error = word(message, HEADER).unwrap_or_default().cast_signed();
                        return Err(io::Error::from_raw_os_error(-error));
                    }
                    _ => infos.extend(read(&message[HEADER..])),
                }
            }
        }
    }
}

fn internet_socket(answer: &[u8], is_stream: bool) -> Option<SocketInfo> {
    let port = |at: usize| Some(u16::from_be_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    let (port, peer) = (port(4)?, port(6)?);
    let mut info = SocketInfo { inode: word(answer, 68)?.into(), ..SocketInfo::default() };
    if is_stream {
        info = SocketInfo { port, peer, listens: answer[1] == LISTENS, ..info };
    }
    for (kind, value) in attributes(answer.get(INET..)?) {
        if kind == INET_MEMORY {
            info.bytes = memory(value);
        }
    }
    Some(info)
}

fn memory(value: &[u8]) -> u64 {
    let mut numbers = [0; sys::SOCKET_MEMORY];
    for (number, bytes) in numbers.iter_mut().zip(value.chunks_exact(4)) {
        *number = word(bytes, 0).unwrap_or_default();
    }
    sys::memory_of(&numbers)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The first message, whole, and what follows it.
fn message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(word(bytes, 0)?).ok()?;
    let message = bytes.get(..length).filter(|message| message.len() >= HEADER)?;
    Some((message, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The attributes that follow an answer: kinds and values.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (length, kind) = (usize::from(half(bytes, 0)?), half(bytes, 2)?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsFd;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    fn inode(socket: impl AsFd) -> u64 {
        rustix::fs::fstat(socket).unwrap().st_ino
    }

    fn find(all: &[SocketInfo], inode: u64) -> SocketInfo {
        *all.iter().find(|info| info.inode == inode).unwrap()
    }

    #[test]
    fn what_waits_is_known_of_every_socket() {
        let mut diag = SockDiag::open().unwrap();
        let (mut sender, receiver) = UnixStream::pair().unwrap();
        sender.write_all(&[0; 50_000]).unwrap();
        let place = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(place.path().join("socket")).unwrap();
        let _unaccepted = [0; 3].map(|_| UnixStream::connect(place.path().join("socket")).unwrap());
        let all = diag.of_unix().unwrap();
        assert!(find(&all, inode(&sender)).bytes >= 50_000);
        assert_eq!(find(&all, inode(&receiver)).bytes, 0);
        assert_eq!(find(&all, inode(&listener)).unaccepted, 3);

        let (listener, datagrams) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let port = listener.local_addr().unwrap().port();
        let mut sender = TcpStream::connect(("127.0.0.1", port)).unwrap();
        sender.write_all(&[0; 50_000]).unwrap();
        datagrams.send_to(&[0; 10_000], datagrams.local_addr().unwrap()).unwrap();
        let all = diag.of_internet().unwrap();
        let info = find(&all, inode(&listener));
        assert!((info.port, info.listens) == (port, true));
        let unaccepted = all.iter().find(|info| info.port == port && info.inode == 0).unwrap();
        assert!(unaccepted.bytes >= 50_000 && !unaccepted.listens, "{unaccepted:?}");
        assert!(find(&all, inode(&datagrams)).bytes >= 10_000);
    }

    #[test]
    fn nonsense_is_nothing() {
        assert_eq!(message(&[]), None);
        assert_eq!(message(&3u32.to_ne_bytes()), None);
        assert_eq!(message(&[[200, 0, 0, 0]; 8].concat()), None);
        assert_eq!(attributes(&[2, 0, 1, 0]).count(), 0);
        assert_eq!(attributes(&[0xff; 12]).count(), 0);
        assert_eq!(internet_socket(&[0; 20], true), None);
    }
}
