//! Whether a guest has a channel to the host, beside the agent's lines, and what its kernel needs for one.
//!
//! ```text
//! ChannelWish ──> the machine's channel, and the kernel's modules ──> the VMM's device ──> the word nex.channel= for the agent
//! ```

use nex_contract::{CHANNEL_PORT_NAME, CHANNEL_VSOCK_PORT};
use nex_vmm::Channel;

use crate::agent_channel;
use crate::choice::VmmOptions;

/// What a kernel needs for QEMU's virtio-serial port, unless it is built in. QEMU's devices are on PCI.
const SERIAL_MODULES: [&str; 2] = ["virtio_pci", "virtio_console"];

/// Whether a guest has a channel to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelWish {
    /// It has none.
    #[default]
    Without,
    /// It has one. Where its kernel has the drivers in modules, and one of them is missing, the agent does not find it.
    WhereThere,
    /// It has one, and a kernel whose modules lack a driver for it is refused.
    Required,
}

impl ChannelWish {
    /// The machine's channel.
    pub(crate) fn channel(self) -> Option<Channel> {
        let channel = || Channel { port_name: CHANNEL_PORT_NAME.into(), vsock_port: CHANNEL_VSOCK_PORT };
        (self != Self::Without).then(channel)
    }

    /// The modules for it, whichever VMM may come to run the guest: those that are needed, and those that are taken where they are there.
    pub(crate) fn modules(self, vmm: &VmmOptions) -> (Vec<&'static str>, Vec<&'static str>) {
        let serial = vmm.may_be_qemu().then_some(SERIAL_MODULES).into_iter().flatten();
        let modules = serial.chain(vmm.may_have_vsock().then_some(agent_channel::MODULE)).collect();
        match self {
            Self::Without => Default::default(),
            Self::WhereThere => (Vec::new(), modules),
            Self::Required => (modules, Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::VmmKind;

    #[test]
    fn the_modules_are_those_of_every_vmm_that_may_run_the_guest() {
        let qemu = VmmOptions { kind: VmmKind::Qemu, ..VmmOptions::default() };
        let firecracker = VmmOptions { kind: VmmKind::Firecracker, ..VmmOptions::default() };
        assert_eq!(ChannelWish::Without.modules(&qemu), Default::default());
        assert_eq!(ChannelWish::WhereThere.modules(&qemu), (vec![], vec!["virtio_pci", "virtio_console"]));
        assert_eq!(ChannelWish::Required.modules(&qemu), (vec!["virtio_pci", "virtio_console"], vec![]));
        assert_eq!(ChannelWish::Required.modules(&firecracker), (vec!["vmw_vsock_virtio_transport"], vec![]));
    }
}
