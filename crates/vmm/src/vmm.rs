//! What every VMM can do.

use crate::advisory::Advisory;
use crate::channel::ChannelDevice;
use crate::error::Error;
use crate::guest::Guest;
use crate::interrupt::Interrupt;
use crate::machine::Machine;

/// A program that runs guests.
pub trait Vmm {
    /// What a report calls it: `QEMU 7.2.22, emulation`.
    fn name(&self) -> String;

    /// The whole command line that the kernel of this machine gets.
    fn command_line(&self, machine: &Machine) -> String;

    /// A machine in the words of its program, with the machine's files under their own names: a configuration's file, or a command
    /// line for a shell. Nothing is started.
    ///
    /// # Errors
    /// When the VMM has no such machine, or a file's name is not UTF-8.
    fn describe(&self, machine: &Machine) -> Result<String, Error>;

    /// The host's ports to which its guests can connect by vsock; none where it has no vsock.
    fn vsock_ports(&self) -> &[u32] {
        &[]
    }

    /// By what its guests have a channel, where their machine has one.
    fn channel_device(&self) -> ChannelDevice;

    /// What is known to be vulnerable in the programs that run its guests.
    fn advisories(&self) -> Vec<&'static Advisory> {
        Vec::new()
    }

    /// The version of its program.
    fn version(&self) -> &str;

    /// Starts a machine. When this returns, the VMM has accepted all of the description, and the guest runs.
    ///
    /// # Errors
    /// When the VMM cannot be started or refuses the description; in its own words.
    fn start(&self, machine: &Machine) -> Result<Guest, Error> {
        self.start_unless(machine, Interrupt::never())
    }

    /// The same, given up when the interrupt comes before: nothing of the guest is left then.
    ///
    /// # Errors
    /// As [`start`](Self::start), and [`Error::Interrupted`].
    fn start_unless(&self, machine: &Machine, interrupt: Interrupt<'_>) -> Result<Guest, Error>;
}
