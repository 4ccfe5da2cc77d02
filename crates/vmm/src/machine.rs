//! What a guest is made of, in words that every VMM understands.

use std::fmt;
use std::path::PathBuf;

use nex_kernel::Architecture;

use crate::access::Access;
use crate::channel::Channel;
use crate::disk::Disk;
use crate::error::Error;

/// A machine that has not been started.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor's kind; the kernel must be for it.
    pub architecture: Architecture,
    /// The kernel's file: a bzImage or vmlinux for x86, an Image for ARM.
    pub kernel: PathBuf,
    /// Bytes that it may have, and that it may unpack to.
    pub max_kernel: u64,
    /// The archive that the kernel unpacks into its first root file system.
    pub initramfs: Option<PathBuf>,
    /// The kernel's command line, but for what only the VMM can know: it puts the console's name and what makes a panic
    /// end the guest before these words. The last of two contradicting words counts, so these win.
    pub command_line: String,
    /// The drives, in the order in which the guest sees them.
    pub drives: Vec<Drive>,
    /// The guest's memory, in MiB.
    pub memory_mib: u32,
    /// How many processors it has.
    pub vcpus: u8,
    /// Its channel to the host, if it has one.
    pub channel: Option<Channel>,
}

impl Machine {
    /// Adds a drive on the first one's bus, and gives its name in the guest.
    pub fn add_drive(&mut self, disk: Disk, access: Access) -> String {
        let bus = self.drives.first().map(|drive| drive.bus).unwrap_or_default();
        self.drives.push(Drive { disk, access, bus });
        bus.device(self.drives.len() - 1)
    }

    /// Adds words at the end of the command line.
    pub fn add_words(&mut self, words: &str) {
        if !words.is_empty() {
            self.command_line = format!("{} {words}", self.command_line).trim_start().to_owned();
        }
    }
}

/// A file that the guest has, byte by byte, as a block device.
#[derive(Clone, Debug)]
pub struct Drive {
    /// The file, open for that.
    pub disk: Disk,
    /// What the guest may do with it.
    pub access: Access,
    /// What it is attached to.
    pub bus: Bus,
}

impl Drive {
    /// Opens a file for a drive.
    ///
    /// # Errors
    /// When it cannot be opened, or is neither a regular file nor a block device.
    pub fn open(path: impl Into<PathBuf>, access: Access, bus: Bus) -> Result<Self, Error> {
        Ok(Self { disk: Disk::open(path, access)?, access, bus })
    }
}

/// What a drive is attached to. It decides on the device's name in the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bus {
    /// Virtio: `/dev/vda`, `/dev/vdb` and so on.
    #[default]
    Virtio,
    /// NVMe: `/dev/nvme0n1`, `/dev/nvme1n1` and so on. Distributions' kernels have it built in more often than virtio; only QEMU
    /// has it.
    Nvme,
}

impl Bus {
    /// The name of its drive with this number, from 0 on, in the guest.
    pub fn device(self, number: usize) -> String {
        match self {
            // Nobody has more drives than letters.
            Self::Virtio => format!("/dev/vd{}", char::from(b'a'.saturating_add(number as u8))),
            Self::Nvme => format!("/dev/nvme{number}n1"),
        }
    }
}

/// Who executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor, through `/dev/kvm`.
    Kvm,
    /// A program, some ten times slower.
    Emulation,
}

impl fmt::Display for Accelerator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Kvm => "KVM",
            Self::Emulation => "emulation",
        })
    }
}
