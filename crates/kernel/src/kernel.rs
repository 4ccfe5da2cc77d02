//! A kernel's file.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use memchr::memmem;

use crate::architecture::Architecture;
use crate::compression::Compression;
use crate::error::Error;
use crate::{bytes, bzimage, image, other, pvh, segments};

/// The largest file that is read, in bytes.
const LIMIT: u64 = 1 << 30;
/// What an ELF file begins with: the magic number, 64 bits, little endian.
const ELF_64: &[u8] = b"\x7fELF\x02\x01";
const ELF: &[u8] = b"\x7fELF";
/// Where `e_machine` stands in it, and its numbers.
const E_MACHINE: usize = 18;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;
/// What stands before the release in every kernel (`linux_banner`).
const BANNER: &[u8] = b"Linux version ";

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
}

impl Kernel {
    /// Reads a kernel's file.
    ///
    /// # Errors
    /// When it cannot be read, or is no Linux kernel for a processor that microVMs have.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut file = Vec::new();
        let read = nex_file::open_regular(path).and_then(|opened| opened.take(LIMIT + 1).read_to_end(&mut file));
        let length = read.map_err(|cause| Error::Read { path: path.into(), cause })?;
        if u64::try_from(length).is_ok_and(|length| length > LIMIT) {
            return Err(Error::TooLarge { path: path.into(), limit: LIMIT });
        }
        Self::parse(file)
    }

    /// Looks at a kernel's file.
    ///
    /// # Errors
    /// When it is no Linux kernel for a processor that microVMs have.
    pub fn parse(file: Vec<u8>) -> Result<Self, Error> {
        if let Some((form, architecture)) = plain(&file)? {
            return Ok(Self { file, form, architecture });
        }
        if bzimage::is_bzimage(&file) {
            return match bzimage::has_64_bits(&file) {
                true => Ok(Self { file, form: Form::BzImage, architecture: Architecture::X86_64 }),
                false => Err(Error::NotAKernel { found: "a kernel for x86 with 32 bits" }),
            };
        }
        if image::is_zboot(&file) {
            if image::is_for_another(&file) {
                return Err(Error::NotAKernel { found: "an EFI program with a kernel for another kind of processor" });
            }
            return Ok(Self { file, form: Form::Zboot, architecture: Architecture::Aarch64 });
        }
        if Compression::of(&file) == Some(Compression::Gzip) {
            let inner = Compression::Gzip.unpack(&file)?;
            let (_, architecture) =
                plain(&inner)?.ok_or(Error::NotAKernel { found: "something compressed by gzip" })?;
            return Ok(Self { file, form: Form::Gzip, architecture });
        }
        Err(Error::NotAKernel { found: other::what_it_is(&file) })
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

    /// The kernel itself: a vmlinux or an Image.
    ///
    /// # Errors
    /// When it is compressed, and cannot be unpacked.
    pub fn unpacked(&self) -> Result<Cow<'_, [u8]>, Error> {
        let Some(payload) = self.payload()? else { return Ok(Cow::Borrowed(&self.file)) };
        let Some(compression) = Compression::of(payload) else {
            return Err(Error::Damaged { what: "its payload is compressed by nothing that is known" });
        };
        let inner = compression.unpack(payload)?;
        match plain(&inner)? {
            Some(_) => Ok(Cow::Owned(inner)),
            None => Err(Error::Damaged { what: "there is no kernel in its payload" }),
        }
    }

    /// The release, as `uname -r` prints it and as its modules' directory is called; `None` when the file does not tell.
    pub fn release(&self) -> Option<String> {
        if self.form == Form::BzImage {
            return bzimage::banner(&self.file).and_then(first_word);
        }
        let kernel = self.unpacked().ok()?;
        // The words are also the start of messages, but there no number follows.
        let places = memmem::find_iter(&kernel, BANNER).map(|place| place + BANNER.len());
        let mut texts = places.filter_map(|place| bytes::text(&kernel, place));
        texts.find(|text| text.first().is_some_and(u8::is_ascii_digit)).and_then(first_word)
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
            _ => Err(Error::NotAKernel { found: "an ELF file for another kind of processor" }),
        };
    }
    Ok(image::is_image(file).then_some((Form::Image, Architecture::Aarch64)))
}

fn first_word(text: &[u8]) -> Option<String> {
    let word = text.split(u8::is_ascii_whitespace).next().filter(|word| !word.is_empty())?;
    String::from_utf8(word.to_vec()).ok()
}
