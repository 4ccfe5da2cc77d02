//! What an ELF file says about who can run it.
//!
//! Everything comes from the program headers and the dynamic segment, as it does for the kernel and the loader; section
//! headers may be missing or lie.

use std::cell::Cell;
use std::ops::Range;

use nex_fault::{Code, Fault};
use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::ReadRef;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

use crate::codes;
use crate::processor::Processor;

/// As many entries of any list as are looked at. A large program needs dozens.
const MOST_ENTRIES: usize = 4096;

/// The longest name of a library or a version: what may be a path is no longer than one (`PATH_MAX`).
const LONGEST_NAME: u64 = 4096;

/// The longest search path. Loaders know no limit; a linker gets it in one argument, for which the kernel has this one
/// (`MAX_ARG_STRLEN`).
const LONGEST_SEARCH_PATH: u64 = 128 << 10;

/// Bytes of all names in one file together, which may all stand in the same place. Large programs have some tens of KiB.
const MOST_TEXT: u64 = 1 << 20;

/// The longest interpreter path that the kernel takes (`PATH_MAX`).
const LONGEST_INTERPRETER: u64 = 4096;

/// Far above any dynamic segment, which holds some dozens of entries.
const LONGEST_DYNAMIC: u64 = 1 << 20;

/// Why a file is no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The header is cut short, or says what no ELF file of Linux says.
    #[error("its ELF header is cut short or damaged")]
    Header,
    /// It is ELF, but an object file or a core dump.
    #[error("it is an ELF file, but neither a program nor a library (an object file?)")]
    Kind,
    /// The program headers are damaged.
    #[error("its program headers are cut short or damaged")]
    Segments,
    /// The file ends before the program does.
    #[error("it is cut short: the file ends before what a kernel loads of it")]
    CutShort,
    /// What it needs cannot be read.
    #[error("its dynamic segment is cut short or damaged")]
    Dynamic,
}

impl Fault for Broken {
    fn code(&self) -> Code {
        codes::BROKEN
    }
}

/// A version of a library's interface that a file needs, or that it offers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The library, as its user names it; the library itself does not say.
    pub library: Vec<u8>,
    /// Such as `GLIBC_2.38`.
    pub name: Vec<u8>,
}

/// One program or library.
#[derive(Clone, Debug)]
pub struct Elf {
    /// What it is for.
    pub processor: Processor,
    /// Where the last of its `PT_LOAD` segments ends in the file, in bytes; 0 when it has none.
    pub end: u64,
    /// `PT_INTERP`: the loader that the kernel starts in the program's place.
    pub interpreter: Option<Vec<u8>>,
    /// `DT_NEEDED`.
    pub needed: Vec<Vec<u8>>,
    /// `DT_RPATH`: searched for this file's libraries and for theirs. Ignored where there is a `runpath`.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`: searched for this file's libraries only.
    pub runpath: Option<Vec<u8>>,
    /// Versions that must be there.
    pub requires: Vec<Version>,
    /// Versions that it defines; empty when its symbols have no versions.
    pub provides: Vec<Vec<u8>>,
}

impl Elf {
    /// Whether the first bytes of a file are those of ELF.
    pub fn is_elf(start: &[u8]) -> bool {
        start.starts_with(&elf::ELFMAG)
    }

    /// What a program is for, by the start of its file; `None` when that is not ELF.
    pub fn processor(start: &[u8]) -> Option<Processor> {
        match start.get(usize::from(CLASS_INDEX)).map(|&class| elf::FileClass(class)) {
            Some(elf::ELFCLASS64) => processor(FileHeader64::<Endianness>::parse(start).ok()?),
            Some(elf::ELFCLASS32) => processor(FileHeader32::<Endianness>::parse(start).ok()?),
            _ => None,
        }
    }

    /// Reads what matters, and no more than a few megabytes of it.
    pub fn parse<'data, R: ReadRef<'data>>(data: R) -> Result<Self, Broken> {
        let ident = data.read_bytes_at(0, size_of::<elf::Ident>() as u64).map_err(|()| Broken::Header)?;
        match ident.get(usize::from(CLASS_INDEX)).map(|&class| elf::FileClass(class)) {
            Some(elf::ELFCLASS64) => parse::<FileHeader64<Endianness>, R>(data),
            Some(elf::ELFCLASS32) => parse::<FileHeader32<Endianness>, R>(data),
            _ => Err(Broken::Header),
        }
    }
}

/// Where the word size stands in the file (`EI_CLASS`).
const CLASS_INDEX: u8 = 4;

fn processor<H: FileHeader<Endian = Endianness>>(header: &H) -> Option<Processor> {
    let endian = header.endian().ok()?;
    let (bits, little_endian) = (if header.is_type_64() { 64 } else { 32 }, endian == Endianness::Little);
    Some(Processor { number: header.e_machine(endian).0, bits, little_endian })
}

fn parse<'data, H: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(data: R) -> Result<Elf, Broken> {
    let header = H::parse(data).map_err(|_| Broken::Header)?;
    let endian = header.endian().map_err(|_| Broken::Header)?;
    if !matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN) {
        return Err(Broken::Kind);
    }
    if usize::from(header.e_phnum(endian)) > MOST_ENTRIES {
        return Err(Broken::Segments);
    }
    let segments = header.program_headers(endian, data).map_err(|_| Broken::Segments)?;
    let loaded = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    let ends = loaded.map(|segment| segment.p_offset(endian).into().saturating_add(segment.p_filesz(endian).into()));
    let mut elf = Elf {
        end: ends.max().unwrap_or_default(),
        processor: processor(header).ok_or(Broken::Header)?,
        interpreter: interpreter::<H, R>(segments, endian, data)?,
        needed: Vec::new(),
        rpath: None,
        runpath: None,
        requires: Vec::new(),
        provides: Vec::new(),
    };
    if let Some(dynamic) = Dynamic::<H, R>::find(segments, endian, data)? {
        dynamic.read_into(&mut elf)?;
    }
    Ok(elf)
}

fn interpreter<'data, H: FileHeader, R: ReadRef<'data>>(
    segments: &'data [H::ProgramHeader],
    endian: H::Endian,
    data: R,
) -> Result<Option<Vec<u8>>, Broken> {
    let Some(segment) = segments.iter().find(|segment| segment.p_type(endian) == elf::PT_INTERP) else {
        return Ok(None);
    };
    if segment.p_filesz(endian).into() > LONGEST_INTERPRETER {
        return Err(Broken::Segments);
    }
    let path = segment.interpreter(endian, data).map_err(|_| Broken::Segments)?;
    Ok(path.map(<[u8]>::to_vec))
}

/// The dynamic segment, and the tables that it points to.
struct Dynamic<'data, H: FileHeader, R: ReadRef<'data>> {
    entries: &'data [H::Dyn],
    segments: &'data [H::ProgramHeader],
    endian: H::Endian,
    data: R,
    /// Where in the file the strings stand.
    strings: Range<u64>,
    /// Bytes of strings that may still be taken.
    text: Cell<u64>,
}

impl<'data, H: FileHeader<Endian = Endianness>, R: ReadRef<'data>> Dynamic<'data, H, R> {
    /// `None` when the file has none, or an empty one: it is static.
    fn find(segments: &'data [H::ProgramHeader], endian: Endianness, data: R) -> Result<Option<Self>, Broken> {
        let Some(segment) = segments.iter().find(|segment| segment.p_type(endian) == elf::PT_DYNAMIC) else {
            return Ok(None);
        };
        if segment.p_filesz(endian).into() > LONGEST_DYNAMIC {
            return Err(Broken::Dynamic);
        }
        let entries = segment.dynamic(endian, data).map_err(|_| Broken::Dynamic)?.unwrap_or_default();
        let mut dynamic = Self { entries, segments, endian, data, strings: 0..0, text: Cell::new(MOST_TEXT) };
        if let Some(address) = dynamic.value(elf::DT_STRTAB) {
            let start = dynamic.offset(address)?;
            let length = dynamic.value(elf::DT_STRSZ).ok_or(Broken::Dynamic)?;
            let end = start.checked_add(length).ok_or(Broken::Dynamic)?;
            dynamic.strings = start..end;
        }
        Ok(Some(dynamic))
    }

    fn read_into(&self, elf: &mut Elf) -> Result<(), Broken> {
        let needed = self.values(elf::DT_NEEDED).take(MOST_ENTRIES);
        elf.needed = needed.map(|offset| self.name(offset)).collect::<Result<_, _>>()?;
        elf.rpath = self.search_path(elf::DT_RPATH)?;
        elf.runpath = self.search_path(elf::DT_RUNPATH)?;
        elf.requires = self.versions_required()?;
        elf.provides = self.versions_provided()?;
        Ok(())
    }

    /// The chain of `DT_VERNEED`: for each library a chain of versions, each record with the distance to the next. The
    /// loader goes by the distances alone: 0 ends a chain, whatever the count says.
    fn versions_required(&self) -> Result<Vec<Version>, Broken> {
        let mut versions = Vec::new();
        let Some(address) = self.value(elf::DT_VERNEED) else { return Ok(versions) };
        let mut at = self.offset(address)?;
        let mut records = 0;
        for _ in 0..self.value(elf::DT_VERNEEDNUM).unwrap_or_default() {
            count(&mut records)?;
            let library: &elf::Verneed<Endianness> = self.record(at)?;
            let name = self.name(library.vn_file.get(self.endian).into())?;
            let mut version_at = step(at, library.vn_aux.get(self.endian))?;
            for _ in 0..library.vn_cnt.get(self.endian) {
                count(&mut records)?;
                let version: &elf::Vernaux<Endianness> = self.record(version_at)?;
                if (version.vna_flags.get(self.endian) & elf::VER_FLG_WEAK).0 == 0 {
                    let wanted = self.name(version.vna_name.get(self.endian).into())?;
                    self.pay(name.len() as u64)?;
                    versions.push(Version { library: name.clone(), name: wanted });
                }
                match version.vna_next.get(self.endian) {
                    0 => break,
                    next => version_at = step(version_at, next)?,
                }
            }
            match library.vn_next.get(self.endian) {
                0 => break,
                next => at = step(at, next)?,
            }
        }
        Ok(versions)
    }

    /// The chain of `DT_VERDEF`. The first name of a definition is its own, the others are its ancestors'.
    fn versions_provided(&self) -> Result<Vec<Vec<u8>>, Broken> {
        let mut versions = Vec::new();
        let Some(address) = self.value(elf::DT_VERDEF) else { return Ok(versions) };
        let mut at = self.offset(address)?;
        let mut records = 0;
        loop {
            count(&mut records)?;
            let definition: &elf::Verdef<Endianness> = self.record(at)?;
            let name: &elf::Verdaux<Endianness> = self.record(step(at, definition.vd_aux.get(self.endian))?)?;
            versions.push(self.name(name.vda_name.get(self.endian).into())?);
            match definition.vd_next.get(self.endian) {
                0 => return Ok(versions),
                next => at = step(at, next)?,
            }
        }
    }

    fn values(&self, tag: elf::DynamicTag) -> impl Iterator<Item = u64> {
        let endian = self.endian;
        let live = self.entries.iter().take_while(move |entry| entry.d_tag(endian) != elf::DT_NULL);
        live.filter(move |entry| entry.d_tag(endian) == tag).map(move |entry| entry.d_val(endian).into())
    }

    fn value(&self, tag: elf::DynamicTag) -> Option<u64> {
        self.values(tag).next()
    }

    fn name(&self, offset: u64) -> Result<Vec<u8>, Broken> {
        self.string(offset, LONGEST_NAME)
    }

    fn search_path(&self, tag: elf::DynamicTag) -> Result<Option<Vec<u8>>, Broken> {
        self.value(tag).map(|offset| self.string(offset, LONGEST_SEARCH_PATH)).transpose()
    }

    /// A string of at most `longest` bytes.
    fn string(&self, offset: u64, longest: u64) -> Result<Vec<u8>, Broken> {
        let start = self.strings.start.checked_add(offset).filter(|start| *start < self.strings.end);
        let start = start.ok_or(Broken::Dynamic)?;
        let end = self.strings.end.min(start.saturating_add(longest).saturating_add(1));
        let text = self.data.read_bytes_at_until(start..end, 0).map_err(|()| Broken::Dynamic)?;
        self.pay(text.len() as u64)?;
        Ok(text.to_vec())
    }

    /// Pays for bytes that are kept.
    fn pay(&self, bytes: u64) -> Result<(), Broken> {
        self.text.set(self.text.get().checked_sub(bytes).ok_or(Broken::Dynamic)?);
        Ok(())
    }

    fn record<T: object::Pod>(&self, at: u64) -> Result<&'data T, Broken> {
        self.data.read_at(at).map_err(|()| Broken::Dynamic)
    }

    /// Where in the file the byte stands that the loader sees at a virtual address.
    fn offset(&self, address: u64) -> Result<u64, Broken> {
        let loaded = self.segments.iter().filter(|segment| segment.p_type(self.endian) == elf::PT_LOAD);
        let offsets = loaded.filter_map(|segment| {
            let inside = address.checked_sub(segment.p_vaddr(self.endian).into())?;
            (inside < segment.p_filesz(self.endian).into()).then_some(())?;
            inside.checked_add(segment.p_offset(self.endian).into())
        });
        offsets.into_iter().next().ok_or(Broken::Dynamic)
    }
}

fn step(at: u64, distance: u32) -> Result<u64, Broken> {
    at.checked_add(distance.into()).ok_or(Broken::Dynamic)
}

/// Counts a record of a chain, which may lead back to itself.
fn count(records: &mut usize) -> Result<(), Broken> {
    *records += 1;
    if *records > MOST_ENTRIES { Err(Broken::Dynamic) } else { Ok(()) }
}
