//! QEMU's port for a guest's channel: virtio-serial, with one end of a pair of sockets behind it.
//!
//! Not vsock, for what it would need of the host ([`crate::qemu`]). QEMU inherits its end of the pair, so that nothing of the channel has
//! a name on the host. It reads that end as long as the guest has its port open and room for more, and writes to it as long as the host
//! reads: what is on its way is bounded by the guest's queue and the sockets' buffers.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::channel::Channel;

/// The socket's name in a command line that somebody else runs, in the directory where that is done.
const SOCKET: &str = "channel";

/// A channel's two ends, until QEMU has its own.
pub struct Ends {
    /// The host's, on which no call waits.
    pub ours: UnixStream,
    theirs: UnixStream,
}

impl Ends {
    /// A pair.
    pub fn new() -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok(Self { ours, theirs })
    }

    /// What QEMU inherits.
    pub fn inherited(&self) -> BorrowedFd<'_> {
        self.theirs.as_fd()
    }

    /// By what QEMU finds its end.
    pub fn backend(&self) -> [String; 2] {
        ["-chardev".into(), format!("socket,id=channel,fd={}", self.theirs.as_raw_fd())]
    }
}

/// The host's end in a command line for somebody else: a socket by name, to which one program at a time can connect. Who can connect gives
/// orders to the guest, so the umask has to be 077.
pub fn named_backend() -> [String; 2] {
    ["-chardev".into(), format!("socket,id=channel,path={SOCKET},server=on,wait=off")]
}

/// The guest's end. A port 0 would be a console: the second of two is the first that is none. More of them would have queues, too.
pub fn device(channel: &Channel) -> [String; 4] {
    // QEMU takes a single comma for the end of a name.
    let name = channel.port_name.replace(',', ",,");
    let port = format!("virtserialport,chardev=channel,name={name}");
    ["-device".into(), "virtio-serial-pci,max_ports=2".into(), "-device".into(), port]
}
