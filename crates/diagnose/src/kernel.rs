//! What the contract needs of a kernel's file.

use std::path::Path;

use nex_fault::Note;
use nex_kernel::{Compression, Error, Form, Kernel, embedded_config};
use nex_program::Processor;

pub use nex_kernel::{Config, Setting};

/// What a kernel's file tells.
#[derive(Clone, Debug)]
pub struct KernelFacts {
    /// What the file is.
    pub form: Form,
    /// What the kernel inside is compressed with.
    pub compression: Option<Compression>,
    /// What it is for.
    pub processor: Option<Processor>,
    /// Such as `6.1.0-31-cloud-amd64` (`uname -r`).
    pub release: Option<String>,
    /// Its configuration, when it was built with `CONFIG_IKCONFIG`.
    pub config: Option<Config>,
    /// Why there may be more to it than was read: what is compressed in it cannot be unpacked.
    pub unread: Option<Note>,
}

impl KernelFacts {
    /// Reads a kernel's file, which may have and unpack to `most` bytes.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is no kernel for a processor that microVMs have.
    pub fn read(path: &Path, most: u64) -> Result<Self, Error> {
        Self::of(&Kernel::read(path, most)?)
    }

    /// Looks at a kernel.
    ///
    /// # Errors
    /// When it is an ELF file of another kind: every kernel has its release in it.
    pub fn of(kernel: &Kernel) -> Result<Self, Error> {
        let (config, unread) = match embedded_config(kernel) {
            Ok(config) => (config, None),
            Err(error @ Error::UnpacksTooLarge { .. }) => return Err(error),
            Err(error) => (None, Some(Note::of(&error))),
        };
        let release = kernel.release().ok().flatten();
        if release.is_none() && kernel.form() == Form::Vmlinux {
            return Err(Error::not_a_kernel("an ELF file without a kernel's release in it"));
        }
        let processor = Processor::for_architecture(kernel.architecture().oci_name());
        Ok(Self { form: kernel.form(), compression: kernel.compression(), processor, release, config, unread })
    }
}
