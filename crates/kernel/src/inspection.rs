//! What a kernel's file is, and whether a guest can have it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nex_contract::Document;
use nex_fault::{Code, Fault, Remedy, Setting as Flag};
use serde::Serialize;

use crate::architecture::Architecture;
use crate::codes;
use crate::config::{Config, Setting};
use crate::drivers::Absent;
use crate::error::Error;
use crate::ikconfig::embedded_config;
use crate::kernel::{Form, Kernel};
use crate::modules::Modules;
use crate::needs::{Grade, Need, State, needs};

/// Whether a guest can have a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It has all that is required.
    Fit,
    /// It lacks something that is required.
    Unfit,
    /// Its configuration is not known.
    Unknown,
}

/// Who runs a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Launcher {
    /// QEMU.
    Qemu,
    /// Firecracker.
    Firecracker,
}

/// Whether a VMM starts a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// The VMM.
    pub vmm: Launcher,
    /// Why it does not; `None` where nothing speaks against it.
    pub obstacle: Option<String>,
}

/// A kernel's file, looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// [`Document::Kernel`].
    pub schema_version: u32,
    /// The file.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// What it is for, as an image index names it.
    pub architecture: &'static str,
    /// As `uname -r` prints it.
    pub release: Option<String>,
    /// What the file is: `vmlinux`, `bzImage`, `Image`, ...
    pub form: String,
    /// What the kernel inside is compressed with.
    pub compression: Option<String>,
    /// Whether a vmlinux has the entry by which QEMU starts it (`CONFIG_PVH`); `None` for other files.
    pub pvh: Option<bool>,
    /// Where its configuration is from.
    pub config: Option<String>,
    /// The file that it is in, where the kernel does not carry it.
    #[serde(skip)]
    pub config_file: Option<PathBuf>,
    /// Where its modules are.
    pub modules: Option<String>,
    /// Who starts it.
    pub vmms: Vec<Start>,
    /// What a guest needs, and whether it is there.
    pub needs: Vec<Need>,
    /// Whether a guest can have it.
    pub verdict: Verdict,
}

/// What to read beside a kernel, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct InspectOptions<'a> {
    /// Bytes that the file may have, and that it may unpack to.
    pub most: u64,
    /// The kernel's configuration, where it does not carry its own; without it, the one beside it.
    pub config: Option<&'a Path>,
}

/// Why a kernel cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file cannot be read.
    #[error("cannot read the kernel '{}'", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
    /// It is larger than it may be.
    #[error("'{}' has more than {limit} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// There is no kernel in the file, or not all of it.
    #[error("cannot use the kernel '{}'", .path.display())]
    Kernel {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Error,
    },
    /// The configuration cannot be read.
    #[error("cannot read the kernel's configuration '{}'", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        source: io::Error,
    },
    /// The configuration is something else.
    #[error("'{}' is no kernel's configuration: it has no CONFIG_ line", .0.display())]
    NoConfig(PathBuf),
}

impl Fault for InspectError {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => codes::UNREADABLE,
            Self::TooLarge { .. } => codes::TOO_LARGE,
            Self::Kernel { source, .. } => source.code(),
            Self::Config { .. } | Self::NoConfig(_) => codes::NO_CONFIG,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::TooLarge { .. } => Some(Remedy::say("where that is right, allow more with").raise(Flag::MaxKernel)),
            Self::Kernel { source, .. } => source.remedy(),
            Self::NoConfig(_) => Some(Remedy::say("name the .config that the kernel was built with")),
            _ => None,
        }
    }
}

impl Inspection {
    /// Looks at a kernel's file.
    ///
    /// # Errors
    /// When it cannot be read, or is no whole kernel for a processor that microVMs have.
    pub fn of_file(path: &Path, options: &InspectOptions<'_>) -> Result<Self, InspectError> {
        Self::of_bytes(path, read(path, options.most)?, options)
    }

    /// Looks at what a kernel's file holds.
    pub(crate) fn of_bytes(path: &Path, file: Vec<u8>, options: &InspectOptions<'_>) -> Result<Self, InspectError> {
        let failed = |source| InspectError::Kernel { path: path.into(), source };
        let bytes = file.len() as u64;
        let kernel = Kernel::parse(file, options.most).map_err(failed)?;
        kernel.check_length().map_err(failed)?;
        let release = kernel.release().map_err(failed)?;
        if release.is_none() && kernel.form() == Form::Vmlinux {
            return Err(failed(Error::not_a_kernel("an ELF file without a kernel's release in it")));
        }
        let own = embedded_config(&kernel).map_err(failed)?;
        let beside = || options.config.map(Path::to_owned).or_else(|| Config::beside(path, release.as_deref()));
        let config_file = if own.is_none() { beside() } else { None };
        let source = match &config_file {
            Some(file) => Some(file.display().to_string()),
            None => own.as_ref().map(|_| "its own (IKCONFIG)".to_owned()),
        };
        let config = own.map_or_else(|| config_file.as_deref().map(read_config).transpose(), |own| Ok(Some(own)))?;
        // A directory that cannot be read is of no use to a guest, either.
        let search = release.as_deref().and_then(|release| Modules::search(path, release, options.most).ok());
        let modules = search.and_then(|search| search.modules);
        let architecture = kernel.architecture();
        let is_open = config.as_ref().is_none_or(|config| !config.is_whole());
        let absent = if is_open { Absent::of(&kernel).map_err(failed)? } else { Absent::default() };
        let needs = needs(config.as_ref(), &absent, architecture);
        let loads_modules =
            modules.is_some() && config.as_ref().is_none_or(|config| config.get("BLK_DEV_INITRD") != Setting::No);
        Ok(Self {
            schema_version: Document::Kernel.schema_version(),
            path: path.display().to_string(),
            bytes,
            architecture: architecture.oci_name(),
            release,
            form: kernel.form().to_string(),
            compression: kernel.compression().map(|compression| compression.to_string()),
            pvh: (kernel.form() == Form::Vmlinux).then(|| kernel.has_pvh_entry()),
            config: source,
            config_file,
            modules: modules.map(|modules| modules.directory().display().to_string()),
            vmms: [Launcher::Qemu, Launcher::Firecracker].map(|vmm| start(vmm, &kernel, config.as_ref())).into(),
            verdict: verdict(&needs, loads_modules),
            needs,
        })
    }

    /// Why no guest can have it, in words; `None` when one can, or nobody knows.
    pub fn unfit(&self) -> Option<String> {
        let lacks = |need: &Need| format!("{} ({})", need.purpose, need.lacks.join(", "));
        let of_state = |state| {
            let needs = self.needs.iter().filter(move |need| need.grade == Grade::Required && need.state == state);
            needs.map(lacks).collect::<Vec<_>>().join("; ")
        };
        match (self.verdict, of_state(State::Missing), of_state(State::Module)) {
            (Verdict::Unfit, missing, _) if !missing.is_empty() => Some(format!("it lacks {missing}")),
            (Verdict::Unfit, _, modules) if self.modules.is_some() => Some(format!(
                "no initramfs can load its modules (CONFIG_BLK_DEV_INITRD), and it has in modules: {modules}"
            )),
            (Verdict::Unfit, _, modules) => {
                Some(format!("its modules are not found, and it does not have built in: {modules}"))
            }
            _ => None,
        }
    }

    /// Whether a guest could have it if its modules were found.
    pub(crate) fn wants_modules(&self) -> bool {
        let is_missing = |need: &Need| need.grade == Grade::Required && need.state == State::Missing;
        self.verdict == Verdict::Unfit && self.modules.is_none() && !self.needs.iter().any(is_missing)
    }

    /// Why this VMM does not start it.
    pub fn obstacle(&self, vmm: Launcher) -> Option<&str> {
        self.vmms.iter().find(|start| start.vmm == vmm).and_then(|start| start.obstacle.as_deref())
    }
}

pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, InspectError> {
    let failed = |source| InspectError::Read { path: path.into(), source };
    let file = nex_file::read_regular_within(path, most).map_err(failed)?;
    file.ok_or_else(|| InspectError::TooLarge { path: path.into(), limit: most })
}

fn read_config(path: &Path) -> Result<Config, InspectError> {
    let config = Config::read(path).map_err(|source| InspectError::Config { path: path.into(), source })?;
    config.ok_or_else(|| InspectError::NoConfig(path.into()))
}

fn verdict(needs: &[Need], loads_modules: bool) -> Verdict {
    let required = || needs.iter().filter(|need| need.grade == Grade::Required).map(|need| need.state);
    match required().max() {
        Some(State::Missing) => Verdict::Unfit,
        _ if !loads_modules && required().any(|state| state == State::Module) => Verdict::Unfit,
        Some(State::Unknown) => Verdict::Unknown,
        _ => Verdict::Fit,
    }
}

fn start(vmm: Launcher, kernel: &Kernel, config: Option<&Config>) -> Start {
    let lacks = |option: &str| config.is_some_and(|config| config.get(option) == Setting::No);
    let obstacle = match (vmm, kernel.form(), kernel.architecture()) {
        (Launcher::Qemu, Form::Vmlinux, Architecture::X86_64) if !kernel.has_pvh_entry() => {
            Some("QEMU finds no entry in a vmlinux without CONFIG_PVH")
        }
        (_, Form::Vmlinux, Architecture::Aarch64) => Some("for ARM, it starts an Image and no vmlinux"),
        (Launcher::Qemu, Form::Zboot, _) => Some("QEMU starts no EFI program with the kernel in it"),
        (Launcher::Qemu, Form::Gzip, Architecture::X86_64) => Some("QEMU starts no vmlinux compressed by gzip"),
        (Launcher::Qemu, ..) if lacks("VIRTIO_PCI") => Some("QEMU's drives need CONFIG_VIRTIO_PCI"),
        (Launcher::Firecracker, ..) if lacks("VIRTIO_MMIO") => Some("Firecracker's drives need CONFIG_VIRTIO_MMIO"),
        _ => None,
    };
    Start { vmm, obstacle: obstacle.map(str::to_owned) }
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BzImage => "bzImage",
            Self::Vmlinux => "vmlinux",
            Self::Image => "Image",
            Self::Zboot => "EFI zboot",
            Self::Gzip => "compressed kernel",
        })
    }
}

impl fmt::Display for Launcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Qemu => "QEMU",
            Self::Firecracker => "Firecracker",
        })
    }
}
