//! The note that tells where a vmlinux is entered (`XEN_ELFNOTE_PHYS32_ENTRY`): QEMU boots no other one.

use object::Endianness;
use object::elf::{FileHeader64, NoteType, PT_NOTE};
use object::read::elf::{FileHeader, ProgramHeader};

const OWNER: &[u8] = b"Xen";
const KIND: NoteType = NoteType(18);

/// Whether an ELF file has the note. One that is damaged has none.
pub fn has_entry(file: &[u8]) -> bool {
    find(file).unwrap_or(false)
}

fn find(file: &[u8]) -> object::Result<bool> {
    let header = FileHeader64::<Endianness>::parse(file)?;
    let endian = header.endian()?;
    for segment in header.program_headers(endian, file)?.iter().filter(|segment| segment.p_type(endian) == PT_NOTE) {
        let Some(mut notes) = segment.notes(endian, file)? else { continue };
        while let Some(note) = notes.next()? {
            if note.name() == OWNER && note.n_type(endian) == KIND {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
