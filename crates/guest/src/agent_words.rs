//! The words by which the agent learns what the VMM has for it.

use nex_contract::{Carrier, Word};
use nex_vmm::{ChannelDevice, Machine, Vmm};

use crate::agent_channel::PORT;

/// The machine as the VMM gets it: with the port for the agent's lines, and what the channel is carried by. The words stand first, so
/// that others win.
pub fn with_words(vmm: &dyn Vmm, machine: &Machine) -> Machine {
    let lines = vmm.vsock_ports().contains(&PORT).then_some(Word::Vsock(PORT));
    let channel = machine.channel.as_ref().map(|channel| {
        Word::Channel(match vmm.channel_device() {
            ChannelDevice::VirtioSerial => Carrier::Virtio,
            ChannelDevice::Vsock => Carrier::Vsock(channel.vsock_port),
        })
    });
    let words = [lines, channel].into_iter().flatten().map(|word| format!("{word} ")).collect::<String>();
    let mut machine = machine.clone();
    machine.command_line.insert_str(0, &words);
    machine
}
