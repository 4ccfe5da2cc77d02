//! A guest's channel: an ordered stream of bytes both ways, between the host and one program of the guest, apart from the console.
//!
//! ```text
//! QEMU          socket pair ── chardev ── virtio-serial port NAME ── /dev/vportNpM
//! Firecracker   its Unix socket, "CONNECT PORT\n", "OK ...\n" ── vsock ── who listens on PORT
//! ```
//!
//! The host makes it in both, and its end is a stream socket in both. Nothing of it grows when one side writes what the other does
//! not read: the sockets' buffers, the VMM's and the guest's are all that there is.

/// A channel that a machine is to have, in the words of every VMM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// What the virtio-serial port is called, below the guest's `/sys/class/virtio-ports`.
    pub port_name: String,
    /// The port on which the guest's program listens, where the VMM has a vsock.
    pub vsock_port: u32,
}

/// By what a VMM's guests have their channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelDevice {
    /// A virtio-serial port.
    VirtioSerial,
    /// A vsock.
    Vsock,
}
