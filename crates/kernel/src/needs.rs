//! What a guest needs of its kernel, and how far a kernel's configuration has it.

use serde::Serialize;

use crate::architecture::Architecture;
use crate::config::{Config, Setting};
use crate::drivers::Absent;

/// What a guest is without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// No guest starts.
    Required,
    /// A guest starts, and lacks what the need is for.
    Useful,
}

/// How far a kernel has what is needed: the better, the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is there from the beginning.
    BuiltIn,
    /// It is not built in: somebody has to load a module.
    Module,
    /// The configuration is not known, or does not say.
    Unknown,
    /// It is not there.
    Missing,
}

/// Something that a guest needs, and whether a kernel has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// What a guest is without it.
    pub grade: Grade,
    /// Whether the kernel has it.
    pub state: State,
    /// The options that are not built in, such as `CONFIG_EXT4_FS`. Where any of several will do and one is built in, none is here.
    pub lacks: Vec<String>,
}

/// What a guest needs, before a kernel is looked at.
struct Wish {
    name: &'static str,
    purpose: &'static str,
    grade: Grade,
    options: Options,
}

enum Options {
    /// The first as a module, which then needs no other; built in, it needs all of them.
    ModuleOrAll(&'static [&'static str]),
    All(&'static [&'static str]),
    Any(&'static [&'static str]),
}

const fn required(name: &'static str, purpose: &'static str, options: Options) -> Wish {
    Wish { name, purpose, grade: Grade::Required, options }
}

const fn useful(name: &'static str, purpose: &'static str, options: &'static [&'static str]) -> Wish {
    Wish { name, purpose, grade: Grade::Useful, options: Options::All(options) }
}

/// In the order of a boot.
const WISHES: [Wish; 20] = [
    required("virtio", "devices of virtual machines", Options::Any(&["VIRTIO_MMIO", "VIRTIO_PCI"])),
    required("drive", "the root's drive", Options::All(&["VIRTIO_BLK"])),
    required("ext4", "the root's file system", Options::All(&["EXT4_FS"])),
    required("devices", "/dev", Options::All(&["DEVTMPFS"])),
    required("file systems", "/proc, /sys, /run and /tmp", Options::All(&["PROC_FS", "SYSFS", "TMPFS"])),
    required("programs", "programs", Options::All(&["BINFMT_ELF"])),
    useful("pci", "QEMU's devices", &["PCI", "VIRTIO_PCI"]),
    useful("mmio", "Firecracker's devices", &["VIRTIO_MMIO"]),
    useful("overlay", "a root that is only read, as in nex run", &["OVERLAY_FS"]),
    // DM_INIT sets the device up before there is anybody who loads modules; who loads them sets it up.
    Wish {
        name: "verity",
        purpose: "a root that the kernel checks",
        grade: Grade::Useful,
        options: Options::ModuleOrAll(&["DM_VERITY", "DM_INIT"]),
    },
    useful("erofs", "images of EROFS", &["EROFS_FS"]),
    useful("network", "a network", &["VIRTIO_NET", "INET"]),
    useful("ip", "an address and name servers by ip=", &["IP_PNP"]),
    useful("vsock", "the agent's own connections under Firecracker", &["VIRTIO_VSOCKETS"]),
    useful("virtio console", "the agent's channel to the host under QEMU", &["VIRTIO_CONSOLE"]),
    useful("random", "random numbers of the host", &["HW_RANDOM_VIRTIO"]),
    useful("scripts", "programs that begin with #!", &["BINFMT_SCRIPT"]),
    useful("cgroups", "systemd, and limits for programs", &["CGROUPS"]),
    useful("namespaces", "containers in the guest", &["NAMESPACES", "USER_NS", "PID_NS", "NET_NS"]),
    useful("seccomp", "filters of system calls", &["SECCOMP_FILTER"]),
];

/// The serial port of QEMU and Firecracker.
const CONSOLE: Wish = required("console", "what a guest says", Options::All(&["SERIAL_8250_CONSOLE"]));

/// QEMU's port for ARM is another one than Firecracker's.
const CONSOLE_OF_ARM: Wish =
    required("console", "what a guest says", Options::Any(&["SERIAL_AMBA_PL011_CONSOLE", "SERIAL_8250_CONSOLE"]));

/// What a guest needs, and whether a kernel with this configuration has it. What the configuration leaves open, and the kernel has surely
/// not built in, can only be a module.
pub fn needs(config: Option<&Config>, absent: &Absent, architecture: Architecture) -> Vec<Need> {
    let console = match architecture {
        Architecture::X86_64 => CONSOLE,
        Architecture::Aarch64 => CONSOLE_OF_ARM,
    };
    WISHES.into_iter().chain([console]).map(|wish| wish.judged_by(config, absent)).collect()
}

impl Wish {
    fn judged_by(self, config: Option<&Config>, absent: &Absent) -> Need {
        let get = |name: &&str| match State::from(config.map_or(Setting::Unknown, |config| config.get(name))) {
            State::Unknown if absent.has_option(name) => State::Module,
            state => state,
        };
        let (names, state) = match self.options {
            Options::ModuleOrAll([first, ..]) if get(first) == State::Module => {
                (std::slice::from_ref(first), Some(State::Module))
            }
            Options::All(names) | Options::ModuleOrAll(names) => (names, names.iter().map(get).max()),
            Options::Any(names) => (names, names.iter().map(get).min()),
        };
        let state = state.unwrap_or(State::Unknown);
        let lacking = names.iter().filter(|name| state != State::BuiltIn && get(name) != State::BuiltIn);
        let lacks = lacking.map(|name| format!("CONFIG_{name}")).collect();
        Need { name: self.name, purpose: self.purpose, grade: self.grade, state, lacks }
    }
}

impl From<Setting> for State {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::Yes => Self::BuiltIn,
            Setting::Module => Self::Module,
            Setting::Unknown => Self::Unknown,
            Setting::No => Self::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str, name: &str) -> (State, String) {
        let text = format!("# Automatically generated file; DO NOT EDIT.\n{text}\n");
        let config = Config::parse(text.as_bytes());
        let found = needs(config.as_ref(), &Absent::default(), Architecture::Aarch64)
            .into_iter()
            .find(|need| need.name == name);
        found.map_or((State::Unknown, String::new()), |need| (need.state, need.lacks.join(" ")))
    }

    #[test]
    fn the_worst_of_all_counts_and_the_best_of_any() {
        assert_eq!(state("CONFIG_VIRTIO_PCI=y", "virtio"), (State::BuiltIn, String::new()));
        assert_eq!(
            state("CONFIG_VIRTIO_PCI=m", "virtio"),
            (State::Module, "CONFIG_VIRTIO_MMIO CONFIG_VIRTIO_PCI".into())
        );
        assert_eq!(state("CONFIG_DM_VERITY=y", "verity"), (State::Missing, "CONFIG_DM_INIT".into()));
        assert_eq!(state("CONFIG_DM_VERITY=m", "verity"), (State::Module, "CONFIG_DM_VERITY".into()));
        assert_eq!(state("CONFIG_SERIAL_AMBA_PL011_CONSOLE=y", "console"), (State::BuiltIn, String::new()));
        let unknown = needs(None, &Absent::default(), Architecture::X86_64);
        assert!(unknown.iter().all(|need| need.state == State::Unknown && !need.lacks.is_empty()), "{unknown:?}");
    }
}
