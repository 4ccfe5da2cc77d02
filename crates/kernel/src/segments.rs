//! The parts of a vmlinux that are loaded (`PT_LOAD`).

use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

/// Whether an ELF file ends before one of them does. One whose headers cannot be read has none.
pub fn are_cut_off(file: &[u8]) -> bool {
    find(file).unwrap_or(false)
}

fn find(file: &[u8]) -> object::Result<bool> {
    let header = FileHeader64::<Endianness>::parse(file)?;
    let endian = header.endian()?;
    let mut loaded = header.program_headers(endian, file)?.iter().filter(|segment| segment.p_type(endian) == PT_LOAD);
    Ok(loaded.any(|segment| segment.data(endian, file).is_err()))
}
