//! The arguments that say what a guest is made of, and who runs it.

use std::path::PathBuf;

use clap::{Args, ValueEnum, value_parser};
use nex_cancel::Workspace;
use nex_guest::{ChannelWish, JailOptions, KernelOptions, MachineOptions, Overlay, Verity, VmmKind, VmmOptions};
use nex_vmm::{Accelerator, Bus};

use super::size;
use crate::own_agent::own_agent;

/// What the guest is made of.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guest")]
pub struct MachineArgs {
    /// The guest's kernel [default: the newest that fits in 'nex kernel ls', else in /boot].
    ///
    /// A bzImage or vmlinux for x86_64, an Image for aarch64.
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<PathBuf>,

    /// The most bytes that the kernel, or one of its modules, may have, compressed or unpacked.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "256MiB")]
    pub max_kernel: u64,

    /// The kernel's modules [default: lib/modules/RELEASE near the kernel, or /lib/modules/RELEASE].
    #[arg(long, value_name = "DIR")]
    pub modules: Option<PathBuf>,

    /// An initramfs of your own, in place of the one that nex makes for a kernel with modules.
    #[arg(long, value_name = "FILE", conflicts_with = "modules")]
    pub initrd: Option<PathBuf>,

    /// The agent that loads the modules in the initramfs [default: the agent that came with nex].
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,

    /// The bus of the guest's drive.
    #[arg(long, value_enum, default_value_t = BusArg::Virtio)]
    pub bus: BusArg,

    /// The guest's memory.
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "512MiB")]
    pub memory: u32,

    /// The guest's processors.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = value_parser!(u8).range(1..))]
    pub vcpus: u8,

    /// More words for the kernel's command line; they override the words that nex sets.
    #[arg(long, value_name = "WORDS", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub append: String,
}

impl MachineArgs {
    /// What it is made of, with this kernel, an overlay where its root is only read, and a hash tree where its kernel checks that.
    pub fn options(&self, kernel: PathBuf, overlay: Option<Overlay>, verity: Option<Verity>) -> MachineOptions {
        let (own, refused_agent) = if self.agent.is_none() { own_agent() } else { (None, None) };
        MachineOptions {
            kernel: KernelOptions {
                kernel,
                max_kernel: self.max_kernel,
                initrd: self.initrd.clone(),
                modules: self.modules.clone(),
                agent: self.agent.clone().map(Into::into).or(own),
                refused_agent,
            },
            bus: match self.bus {
                BusArg::Virtio => Bus::Virtio,
                BusArg::Nvme => Bus::Nvme,
            },
            memory_mib: self.memory,
            vcpus: self.vcpus,
            append: self.append.clone(),
            overlay,
            verity,
            // No command talks to a guest over one.
            channel: ChannelWish::Without,
        }
    }
}

/// The guest.
#[derive(Debug, Args)]
#[command(next_help_heading = "Guest")]
pub struct GuestArgs {
    /// Print how nex would start the guest, and start nothing.
    ///
    /// For Firecracker nex prints a configuration, for QEMU a command line.
    #[arg(long)]
    pub print_vm_config: bool,

    #[command(flatten)]
    pub machine: MachineArgs,

    /// The VMM that runs the guest.
    #[arg(long, value_enum, default_value_t = VmmArg::Auto)]
    pub vmm: VmmArg,

    /// Run Firecracker in a jail, as this user and group; nex has to be root. See docs/firecracker.md.
    #[arg(long, value_name = "UID:GID", value_parser = user)]
    pub jail_user: Option<User>,

    /// Firecracker's jailer [default: the one beside Firecracker, or on the PATH].
    #[arg(long, value_name = "FILE", requires = "jail_user")]
    pub jailer: Option<PathBuf>,

    /// The directory for jails [default: /srv/jailer].
    #[arg(long, value_name = "DIRECTORY", requires = "jail_user")]
    pub jail_base: Option<PathBuf>,

    /// A limit of the jail's control group, such as 'memory.max=1G'; may be given several times.
    #[arg(long, value_name = "LIMIT", requires = "jail_user", value_parser = cgroup_limit)]
    pub jail_cgroup: Vec<String>,

    /// What executes the guest's instructions.
    #[arg(long, value_enum, default_value_t = AccelArg::Auto)]
    pub accel: AccelArg,
}

impl GuestArgs {
    /// Who runs it.
    pub fn vmm(&self, workspace: &Workspace) -> VmmOptions {
        VmmOptions {
            kind: match self.vmm {
                VmmArg::Auto => VmmKind::Auto,
                VmmArg::Qemu => VmmKind::Qemu,
                VmmArg::Firecracker => VmmKind::Firecracker,
            },
            jail: self.jail(),
            accelerator: self.accel.accelerator(),
            cache: nex_cache::default_directory(),
            workspace: workspace.clone(),
        }
    }

    fn jail(&self) -> Option<JailOptions> {
        let User { uid, gid } = self.jail_user?;
        let (jailer, base, cgroups) = (self.jailer.clone(), self.jail_base.clone(), self.jail_cgroup.clone());
        Some(JailOptions { uid, gid, jailer, base, cgroups })
    }
}

/// The value of `--vmm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VmmArg {
    /// Firecracker if it is installed and KVM works, else QEMU; with a jail always Firecracker.
    Auto,
    /// Firecracker, from NEX_FIRECRACKER or the PATH.
    Firecracker,
    /// QEMU.
    Qemu,
}

/// A user and a group, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    uid: u32,
    gid: u32,
}

fn user(text: &str) -> Result<User, String> {
    let numbers = text.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    let (uid, gid) = numbers.ok_or("a user and a group, in numbers: 1500:1500")?;
    Ok(User { uid, gid })
}

/// What the jailer takes: a file of the control group, and what is written to it.
fn cgroup_limit(text: &str) -> Result<String, String> {
    let is_limit = text
        .split_once('=')
        .is_some_and(|(file, value)| file.contains('.') && !file.contains('/') && !value.is_empty());
    if is_limit {
        Ok(text.into())
    } else {
        Err("a limit is a file of the control group and a value, as in 'memory.max=1G'".into())
    }
}

/// The value of `--accel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccelArg {
    /// KVM if it works, else emulation.
    Auto,
    /// KVM; without KVM, the guest does not start.
    Kvm,
    /// Emulation by a program, some ten times slower.
    Emulation,
}

impl AccelArg {
    /// The one that was asked for, if one was.
    pub fn accelerator(self) -> Option<Accelerator> {
        match self {
            Self::Auto => None,
            Self::Kvm => Some(Accelerator::Kvm),
            Self::Emulation => Some(Accelerator::Emulation),
        }
    }
}

/// The value of `--bus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BusArg {
    /// /dev/vda, as in every microVM.
    Virtio,
    /// /dev/nvme0n1; distributions' kernels may have this driver built in.
    Nvme,
}

/// A size in whole MiB.
fn memory(text: &str) -> Result<u32, String> {
    const MIB: u64 = 1 << 20;
    const LEAST: u64 = 32;
    let bytes = size::parse(text)?;
    let mib = bytes / MIB;
    if !bytes.is_multiple_of(MIB) || mib < LEAST {
        return Err(format!("a guest's memory is a number of whole MiB, and {LEAST}MiB or more"));
    }
    u32::try_from(mib).map_err(|_| format!("'{}' is more than any machine has", nex_text::short_name(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jails_user_has_two_numbers() {
        assert_eq!(user("1500:1600"), Ok(User { uid: 1500, gid: 1600 }));
        for text in ["1500", "nobody:nogroup", "1:2:3", "-1:2", ":"] {
            assert!(user(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_has_a_file_and_a_value() {
        assert_eq!(cgroup_limit("cpu.max=50000 100000"), Ok("cpu.max=50000 100000".into()));
        for text in ["", "memory.max", "memory.max=", "=1G", "1G", "../x.y=1"] {
            assert!(cgroup_limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_is_whole_mebibytes() {
        assert_eq!(memory("512MiB"), Ok(512));
        assert_eq!(memory("1G"), Ok(1024));
        for text in ["31MiB", "134217729", "0", "x", "8192T"] {
            assert!(memory(text).is_err(), "{text}");
        }
    }
}
