//! The guest's name, and the way to itself. The way to others is the kernel's `ip=` parameter, or what a program sets up.

use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, send, socket};

/// Takes the name from `/etc/hostname`.
///
/// # Errors
/// When the kernel refuses it. A guest without the file keeps the kernel's name.
pub fn set_hostname() -> Result<(), String> {
    let Ok(text) = std::fs::read_to_string("/etc/hostname") else { return Ok(()) };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(name) = lines.next() else { return Ok(()) };
    nix::unistd::sethostname(name).map_err(|error| format!("cannot set the host name {name:?}: {error}"))
}

/// Brings the interface `lo` up; the kernel gives it 127.0.0.1 and ::1 by itself.
///
/// # Errors
/// When the kernel refuses. One without a network has nothing to bring up.
pub fn bring_loopback_up() -> Result<(), String> {
    match set_up(LOOPBACK) {
        Ok(()) | Err(nix::Error::EAFNOSUPPORT | nix::Error::EPROTONOSUPPORT) => Ok(()),
        Err(error) => Err(format!("cannot bring up the network interface lo: {error}")),
    }
}

/// The number of `lo` in every network namespace (the kernel's `LOOPBACK_IFINDEX`).
const LOOPBACK: i32 = 1;

/// Sets an interface's flag `IFF_UP` by a message of rtnetlink(7): a `nlmsghdr` and an `ifinfomsg`.
fn set_up(interface: i32) -> nix::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const NLM_F_ACK: u16 = 4;
    const IFF_UP: u32 = 1;
    const LENGTH: u32 = 32;
    let (sequence, port) = (1u32, 0u32);
    let (family, padding, device_type) = (0u8, 0u8, 0u16);
    let mut message = Vec::new();
    message.extend_from_slice(&LENGTH.to_ne_bytes());
    message.extend_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message.extend_from_slice(&(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    message.extend_from_slice(&sequence.to_ne_bytes());
    message.extend_from_slice(&port.to_ne_bytes());
    message.extend_from_slice(&[family, padding]);
    message.extend_from_slice(&device_type.to_ne_bytes());
    message.extend_from_slice(&interface.to_ne_bytes());
    let (flags, change) = (IFF_UP, IFF_UP);
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&change.to_ne_bytes());

    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    nix::sys::socket::connect(netlink.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    send(netlink.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = [0; 256];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // The answer is a header of 16 bytes and an error number, 0 when it is done.
    let error = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_ne_bytes);
    if error == 0 { Ok(()) } else { Err(nix::Error::from_raw(-error)) }
}
