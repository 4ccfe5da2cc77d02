//! A kernel's file.

use std::borrow::Cow;
use std::io::Read;
use std::mem;
use std::path::Path;

use crate::architecture::Architecture;
use crate::compression::Compression;
use crate::error::Error;
use crate::unpacking::Unpacking;
use crate::window::{self, Window};
use crate::{banner, bytes, bzimage, image, other, pvh, segments};

/// The largest kernel that is read or unpacked, in bytes, where the user does not say otherwise. Distributions' kernels unpack to some
/// 60 MiB; those with debug information may have more than this.
pub const MAX_KERNEL: u64 = 256 << 20;
/// What an ELF file begins with: the magic number, 64 bits, little endian.
const ELF_64: &[u8] = b"\x7fELF\x02\x01";
const ELF: &[u8] = b"\x7fELF";
/// Where `e_machine` stands in it, and its numbers.
const E_MACHINE: usize = 18;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// What a kernel's file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A compressed kernel that unpacks itself, for x86.
    BzImage,
    /// An ELF file.
    Vmlinux,
    /// The kernel for ARM as it stands in memory.
    Image,
    /// An EFI program for ARM with a compressed Image in it.
    Zboot,
    /// A vmlinux or an Image, compressed by gzip and nothing else.
    Gzip,
}

/// A kernel's file, read.
#[derive(Clone)]
pub struct Kernel {
    file: Vec<u8>,
    form: Form,
    architecture: Architecture,
    /// Bytes to which it may unpack.
    most: u64,
}

impl Kernel {
    /// Reads a kernel's file of at most `most` bytes, which hold for what it unpacks to as well ([`MAX_KERNEL`]).
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is no Linux kernel for a processor that microVMs have.
    pub fn read(path: &Path, most: u64) -> Result<Self, Error> {
        let failed = |cause| Error::Read { path: path.into(), cause };
        match nex_file::read_regular_within(path, most).map_err(failed)? {
            Some(file) => Self::parse(file, most),
            None => Err(Error::TooLarge { path: path.into(), limit: most }),
        }
    }

    /// Looks at a kernel's file, which may unpack to `most` bytes.
    ///
    /// # Errors
    /// When it is no Linux kernel for a processor that microVMs have.
    pub fn parse(file: Vec<u8>, most: u64) -> Result<Self, Error> {
        let kernel = |form, architecture, file| Self { file, form, architecture, most };
        if let Some((form, architecture)) = plain(&file)? {
            return Ok(kernel(form, architecture, file));
        }
        if bzimage::is_bzimage(&file) {
            return match bzimage::has_64_bits(&file) {
                true => Ok(kernel(Form::BzImage, Architecture::X86_64, file)),
                false => Err(Error::not_a_kernel("a kernel for x86 with 32 bits")),
            };
        }
        if image::is_zboot(&file) {
            if image::is_for_another(&file) {
                return Err(Error::not_a_kernel("an EFI program with a kernel for another kind of processor"));
            }
            return Ok(kernel(Form::Zboot, Architecture::Aarch64, file));
        }
        if Compression::of(&file) == Some(Compression::Gzip) {
            let start = beginning(&mut Compression::Gzip.open(&file, most)?)?;
            let (_, architecture) =
                plain(&start)?.ok_or_else(|| Error::not_a_kernel("something compressed by gzip"))?;
            return Ok(kernel(Form::Gzip, architecture, file));
        }
        Err(other::refusal(&file))
    }

    /// Makes sure that the file goes as far as its own header says: one that is cut off is read by nobody to its end, and its
    /// guest says nothing. An Image does not tell how long its file is.
    ///
    /// # Errors
    /// When it ends before.
    pub fn check_length(&self) -> Result<(), Error> {
        match self.form {
            Form::Vmlinux if segments::are_cut_off(&self.file) => {
                Err(Error::Damaged { what: "it ends before the end of its segments" })
            }
            _ => self.payload().map(drop),
        }
    }

    /// What the file is.
    pub fn form(&self) -> Form {
        self.form
    }

    /// What the kernel is for.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// How the kernel inside is compressed; `None` when it is not, or by nothing that is known.
    pub fn compression(&self) -> Option<Compression> {
        self.payload().ok().flatten().and_then(Compression::of)
    }

    /// Whether it is a vmlinux with the note by which QEMU finds its entry (`CONFIG_PVH`).
    pub fn has_pvh_entry(&self) -> bool {
        self.form == Form::Vmlinux && pvh::has_entry(&self.file)
    }

    /// The kernel itself, whole in memory: a vmlinux or an Image.
    ///
    /// # Errors
    /// When it is compressed, and cannot be unpacked.
    pub fn unpacked(&self) -> Result<Cow<'_, [u8]>, Error> {
        let Some((compression, payload)) = self.compressed()? else { return Ok(Cow::Borrowed(&self.file)) };
        // What is no kernel is not unpacked to its end.
        self.check_inside(&beginning(&mut compression.open(payload, self.most)?)?)?;
        compression.unpack(payload, self.most).map(Cow::Owned)
    }

    /// Shows the kernel itself from its beginning to its end, in windows, of which the memory holds one. `see` gets each place of the
    /// kernel as one of the first `Window::fresh` bytes of one window, with 1 MiB or all that is left behind it.
    ///
    /// # Errors
    /// When it is compressed, and cannot be unpacked.
    pub fn windows(&self, mut see: impl FnMut(Window<'_>)) -> Result<(), Error> {
        let Some((compression, payload)) = self.compressed()? else {
            see(Window { bytes: &self.file, fresh: self.file.len() });
            return Ok(());
        };
        let mut unpacking = compression.open(payload, self.most)?;
        let mut is_first = true;
        let mut wrong = None;
        let shown = window::show(&mut unpacking, |window| {
            if mem::take(&mut is_first) {
                wrong = self.check_inside(window.bytes).err();
            }
            if wrong.is_none() {
                see(window);
            }
            wrong.is_none()
        });
        shown.map_err(|cause| unpacking.error(cause))?;
        wrong.map_or(Ok(()), Err)
    }

    /// The release, as `uname -r` prints it and as its modules' directory is called; `None` when the file does not tell.
    ///
    /// # Errors
    /// When it is inside a compressed kernel that cannot be unpacked. A bzImage tells it outside.
    pub fn release(&self) -> Result<Option<String>, Error> {
        if self.form == Form::BzImage {
            return Ok(bzimage::banner(&self.file).and_then(banner::first_word));
        }
        let mut found = None;
        self.windows(|window| found = found.take().or_else(|| banner::find(&window)))?;
        Ok(found)
    }

    fn compressed(&self) -> Result<Option<(Compression, &[u8])>, Error> {
        let Some(payload) = self.payload()? else { return Ok(None) };
        let unknown = Error::Damaged { what: "its payload is compressed by nothing that is known" };
        Compression::of(payload).map(|compression| Some((compression, payload))).ok_or(unknown)
    }

    fn check_inside(&self, start: &[u8]) -> Result<(), Error> {
        plain(start)?.map(drop).ok_or(Error::Damaged { what: "there is no kernel in its payload" })
    }

    /// What is compressed; `None` where nothing is.
    fn payload(&self) -> Result<Option<&[u8]>, Error> {
        match self.form {
            Form::BzImage => bzimage::payload(&self.file).map(Some),
            Form::Zboot => image::payload(&self.file).map(Some),
            Form::Gzip => Ok(Some(&self.file)),
            Form::Vmlinux | Form::Image => Ok(None),
        }
    }
}

/// What a kernel is that is not compressed; `None` when it is something else.
fn plain(file: &[u8]) -> Result<Option<(Form, Architecture)>, Error> {
    if file.starts_with(ELF) {
        let machine = if file.starts_with(ELF_64) { bytes::u16(file, E_MACHINE) } else { None };
        return match machine {
            Some(EM_X86_64) => Ok(Some((Form::Vmlinux, Architecture::X86_64))),
            // Bootloaders and VMMs want an Image, but a vmlinux is what has the symbols.
            Some(EM_AARCH64) => Ok(Some((Form::Vmlinux, Architecture::Aarch64))),
            _ => Err(Error::not_a_kernel("an ELF file for another kind of processor")),
        };
    }
    Ok(image::is_image(file).then_some((Form::Image, Architecture::Aarch64)))
}

/// Enough of an unpacked kernel to tell what it is.
fn beginning(unpacking: &mut Unpacking<'_>) -> Result<Vec<u8>, Error> {
    const ENOUGH: u64 = 64;
    let mut start = Vec::new();
    unpacking.by_ref().take(ENOUGH).read_to_end(&mut start).map_err(|cause| unpacking.error(cause))?;
    Ok(start)
}
