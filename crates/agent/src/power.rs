//! How the machine ends: by power-off or by reset.
//!
//! A Firecracker microVM on x86 has no power switch. There a power-off becomes a halt that never returns, while a reset
//! through the keyboard controller makes Firecracker exit. So the choice must be right before the call:
//!
//! 1. `nex.poweroff=off` or `nex.poweroff=reboot` on the kernel command line decides;
//! 2. else `reboot=k` there (Firecracker's default) means a reset;
//! 3. else ACPI tables that Firecracker made mean a reset;
//! 4. else the machine is powered off, and reset if that call comes back.

use std::fs::File;
use std::io::Read;

use nex_contract::{PowerOff, Word};
use nix::sys::reboot::{RebootMode, reboot};

/// How the machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The power is switched off.
    Off,
    /// The machine is reset, which is how a VMM without a power switch is told to exit.
    Reset,
}

impl Ending {
    /// Chooses by the rule of this module. `/proc` and `/sys` should be mounted.
    pub fn of_this_machine() -> Self {
        let command_line = std::fs::read("/proc/cmdline").unwrap_or_default();
        Self::choose(&command_line, is_firecracker())
    }

    fn choose(command_line: &[u8], firecracker: bool) -> Self {
        let words = || command_line.split(u8::is_ascii_whitespace);
        // As for the kernel's own parameters, the last one counts.
        let mut asked = words().filter_map(|word| match Word::parse(str::from_utf8(word).ok()?)?.ok()? {
            Word::PowerOff(PowerOff::Off) => Some(Self::Off),
            Word::PowerOff(PowerOff::Reboot) => Some(Self::Reset),
            // When to end, and not how.
            _ => None,
        });
        match asked.next_back() {
            Some(asked) => asked,
            None if firecracker || words().filter_map(|word| word.strip_prefix(b"reboot=")).any(by_keyboard) => {
                Self::Reset
            }
            None => Self::Off,
        }
    }

    /// Ends the machine. Returns only when the kernel refuses, with its reasons.
    pub fn take(self) -> Vec<String> {
        let modes = match self {
            Self::Off => [RebootMode::RB_POWER_OFF, RebootMode::RB_AUTOBOOT],
            Self::Reset => [RebootMode::RB_AUTOBOOT, RebootMode::RB_POWER_OFF],
        };
        let refusal = |mode| reboot(mode).err().map(|error| format!("the kernel refuses to end the machine: {error}"));
        modes.into_iter().filter_map(refusal).collect()
    }
}

/// Whether a `reboot=` parameter, such as `k` or `w,k`, names the keyboard controller. Only first letters count.
fn by_keyboard(methods: &[u8]) -> bool {
    methods.split(|&byte| byte == b',').any(|method| method.first() == Some(&b'k'))
}

/// Whether the fixed ACPI description table was made by Firecracker, by the maker's name in its header.
fn is_firecracker() -> bool {
    /// The header of every ACPI table up to the end of the maker's name (`OEMID`).
    const HEADER: usize = 16;
    const MAKER: std::ops::Range<usize> = 10..HEADER;
    let mut header = [0; HEADER];
    let read = File::open("/sys/firmware/acpi/tables/FACP").and_then(|mut table| table.read_exact(&mut header));
    read.is_ok() && header[MAKER] == *b"FIRECK"
}

#[cfg(test)]
mod tests {
    use super::Ending::{self, Off, Reset};

    #[test]
    fn a_plain_machine_is_powered_off() {
        assert_eq!(Ending::choose(b"console=ttyS0 root=/dev/vda rw\n", false), Off);
        assert_eq!(Ending::choose(b"", false), Off);
        assert_eq!(Ending::choose(b"reboot=t panic=1", false), Off);
    }

    #[test]
    fn a_firecracker_machine_is_reset() {
        assert_eq!(Ending::choose(b"console=ttyS0 reboot=k panic=1\n", false), Reset);
        assert_eq!(Ending::choose(b"reboot=w,k", false), Reset);
        assert_eq!(Ending::choose(b"ip=10.0.0.2", true), Reset);
    }

    #[test]
    fn the_command_line_decides_and_its_last_word_counts() {
        assert_eq!(Ending::choose(b"reboot=k nex.poweroff=off", true), Off);
        assert_eq!(Ending::choose(b"nex.poweroff=off nex.poweroff=reboot\n", false), Reset);
        assert_eq!(Ending::choose(b"nex.poweroff=reboot nex.poweroff=1", false), Reset);
        assert_eq!(Ending::choose(b"nex.poweroff=maybe", false), Off);
    }
}
