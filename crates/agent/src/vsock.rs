//! A connection to the host beside the console, where the VMM has one.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, VsockAddr, connect, socket};

/// The host's number (`VMADDR_CID_HOST`).
pub const HOST: u32 = 2;

/// Connects to a port of the host's.
///
/// # Errors
/// When the kernel or the VMM has no vsock, or nobody listens. A host that does not answer at all costs the two seconds after
/// which the kernel gives up.
pub fn connect_to_host(port: u32) -> nix::Result<OwnedFd> {
    let socket = socket(AddressFamily::Vsock, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    connect(socket.as_raw_fd(), &VsockAddr::new(HOST, port))?;
    fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(socket)
}
