//! A kernel's file: its form, the processor it is for, its version and its configuration.
//!
//! All of it is read from the file as it is given to a VMM, compressed parts and all; nothing is run.

mod bzimage;
mod config;
mod decompress;
mod ikconfig;
mod raw_image;

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use memchr::memmem;
use nex_program::{Elf, Machine};

pub use config::{Config, Setting};
pub use decompress::Compression;

/// Far above any kernel, with the symbols for a debugger taken out.
const LONGEST: u64 = 512 << 20;

/// What every kernel has in it, in front of its version (`linux_banner`).
const BANNER: &[u8] = b"Linux version ";

/// The form of a kernel's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelFormat {
    /// The x86 form that unpacks itself (`arch/x86/boot/bzImage`).
    BzImage,
    /// The ELF file that the linker makes (`vmlinux`).
    Elf,
    /// The plain form of arm64 and riscv (`arch/arm64/boot/Image`).
    Image,
    /// The EFI program that unpacks itself (`vmlinuz.efi`).
    Zboot,
}

impl Display for KernelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BzImage => "bzImage",
            Self::Elf => "vmlinux (ELF)",
            Self::Image => "Image",
            Self::Zboot => "EFI zboot",
        })
    }
}

/// Why a file cannot be read as a kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// The host does not give the bytes.
    #[error("{0}")]
    Host(#[from] io::Error),
    /// It is no kernel.
    #[error("it is no kernel: {0}")]
    NoKernel(&'static str),
    /// It is longer than any kernel.
    #[error("it is longer than any kernel ({LONGEST} bytes)")]
    TooLong,
    /// A compressed part of it cannot be unpacked.
    #[error("what {compression} has packed in it cannot be unpacked: {cause}")]
    Packed {
        /// The compression.
        compression: Compression,
        /// Why.
        cause: String,
    },
}

/// What a kernel's file tells.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The form of the file, when what is around it is taken off.
    pub format: KernelFormat,
    /// What the whole file is compressed with.
    pub wrapping: Option<Compression>,
    /// What the kernel inside a file that unpacks itself is compressed with.
    pub payload: Option<Compression>,
    /// What it is for.
    pub machine: Option<Machine>,
    /// Such as `6.1.0-31-cloud-amd64` (`uname -r`).
    pub version: Option<String>,
    /// Its configuration, when it was built with `CONFIG_IKCONFIG`.
    pub config: Option<Config>,
    /// Why there may be more to it than was read: its payload cannot be unpacked.
    pub unread: Option<String>,
}

impl Kernel {
    /// Reads the file at a path on this machine.
    ///
    /// # Errors
    /// When it cannot be read or is no kernel.
    pub fn open(path: &Path) -> Result<Self, KernelError> {
        let mut bytes = Vec::new();
        File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LONGEST {
            return Err(KernelError::TooLong);
        }
        Self::parse(&bytes)
    }

    /// Reads a kernel from the bytes of its file.
    ///
    /// # Errors
    /// When it is no kernel.
    pub fn parse(bytes: &[u8]) -> Result<Self, KernelError> {
        let Some(wrapping) = Compression::of(bytes) else { return Self::parse_plain(bytes) };
        let inner = wrapping.unpack(bytes).map_err(|cause| KernelError::Packed { compression: wrapping, cause })?;
        Ok(Self { wrapping: Some(wrapping), ..Self::parse_plain(&inner)? })
    }

    fn parse_plain(bytes: &[u8]) -> Result<Self, KernelError> {
        if let Some(header) = bzimage::Header::parse(bytes) {
            let payload = header.payload(bytes);
            let kernel = Self { version: header.version(bytes), ..Self::new(KernelFormat::BzImage, header.machine()) };
            return Ok(kernel.with_payload(payload));
        }
        if let Some((payload, is_kernel_for)) = raw_image::zboot(bytes) {
            return Ok(Self::new(KernelFormat::Zboot, is_kernel_for).with_payload(Some(payload)));
        }
        if let Some(machine) = raw_image::machine(bytes) {
            return Ok(Self::new(KernelFormat::Image, Some(machine)).with_content(bytes));
        }
        if Elf::is_elf(bytes) {
            let kernel = Self::new(KernelFormat::Elf, Elf::machine(bytes)).with_content(bytes);
            return if kernel.version.is_some() {
                Ok(kernel)
            } else {
                Err(KernelError::NoKernel("it is an ELF file without the version of a kernel in it"))
            };
        }
        Err(KernelError::NoKernel("it is neither bzImage nor vmlinux nor the Image of arm64 or riscv"))
    }

    fn new(format: KernelFormat, machine: Option<Machine>) -> Self {
        Self { format, wrapping: None, payload: None, machine, version: None, config: None, unread: None }
    }

    /// With what the compressed kernel inside tells.
    fn with_payload(self, payload: Option<&[u8]>) -> Self {
        let Some((payload, compression)) = payload.and_then(|bytes| Some((bytes, Compression::of(bytes)?))) else {
            return Self { unread: Some("its payload is packed in no way that is known here".into()), ..self };
        };
        match compression.unpack(payload) {
            Ok(content) => Self { payload: Some(compression), ..self }.with_content(&content),
            Err(cause) => {
                let unread = format!("its payload, packed by {compression}, cannot be unpacked: {cause}");
                Self { payload: Some(compression), unread: Some(unread), ..self }
            }
        }
    }

    /// With what the kernel itself tells.
    fn with_content(mut self, content: &[u8]) -> Self {
        self.machine = self.machine.or_else(|| Elf::machine(content)).or_else(|| raw_image::machine(content));
        self.version = self.version.or_else(|| version(content));
        self.config = ikconfig::find(content);
        self
    }
}

/// The version behind the banner. The text stands in other places too, so a number must follow.
fn version(content: &[u8]) -> Option<String> {
    const LONGEST_VERSION: usize = 64;
    memmem::find_iter(content, BANNER).find_map(|at| {
        let text = content.get(at + BANNER.len()..)?;
        let text = text.get(..LONGEST_VERSION).unwrap_or(text);
        let end = text.iter().position(|byte| !byte.is_ascii_graphic())?;
        text.first().filter(|first| first.is_ascii_digit())?;
        Some(String::from_utf8_lossy(text.get(..end)?).into_owned())
    })
}
