//! What an agent's file says about whether the host can talk to it.

use nex_contract::{Mark, PROTOCOL};
use nex_protocol::MARKER;
use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

use nex_inspect::View;

/// The most bytes of one segment of notes. A program has some hundred.
const LONGEST_NOTES: u64 = 64 << 10;

/// As many segments and notes are looked at.
const MOST: usize = 256;

/// How an agent speaks to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speech {
    /// It is one of nex's own.
    Own(Mark),
    /// It is somebody's, and has the beginning of the protocol's lines in its file: it may say that it is ready.
    Lines,
    /// It is somebody's, and says nothing that the host understands.
    None,
}

impl Speech {
    /// As much of an agent's file is looked at, in bytes: nex's own has some 1.6 MiB, and others may have their texts at the end.
    pub const LONGEST: u64 = 64 << 20;

    /// How the agent speaks that a path leads to, by the first 64 MiB of its file; `None` where there is none that can be read.
    pub fn of(view: &dyn View, path: &[u8]) -> Option<Self> {
        view.read(path, Self::LONGEST).ok().flatten().map(|start| Self::of_file(&start))
    }

    /// How the agent speaks whose file begins so.
    pub fn of_file(start: &[u8]) -> Self {
        match mark(start) {
            Some(mark) => Self::Own(mark),
            None if memchr::memmem::find(start, MARKER).is_some() => Self::Lines,
            None => Self::None,
        }
    }

    /// Whether it serves the channel to the host, where it is the init of a guest: an agent of nex's own that this nex understands.
    pub fn serves_channel(&self) -> bool {
        matches!(self, Self::Own(mark) if mark.is_understood() && mark.serves_channel)
    }

    /// Why it is no agent of nex's own that this nex understands; `None` when it is one.
    pub fn unfit(&self) -> Option<String> {
        match self {
            Self::Own(mark) if mark.is_understood() => None,
            Self::Own(mark) => Some(format!(
                "is nex-agent {}, which speaks version {} of the protocol, and nex {} speaks version {PROTOCOL}",
                mark.version,
                mark.protocol,
                env!("CARGO_PKG_VERSION"),
            )),
            Self::Lines | Self::None => Some("is not nex's own".into()),
        }
    }
}

/// The mark of nex's own agents, by a note in an ELF file; `None` for any other file.
fn mark(file: &[u8]) -> Option<Mark> {
    let notes = notes::<FileHeader64<Endianness>>(file).or_else(|| notes::<FileHeader32<Endianness>>(file))?;
    notes.into_iter().find_map(Mark::parse)
}

/// The descriptors of the notes that have the mark's name and type.
fn notes<H: FileHeader<Endian = Endianness>>(file: &[u8]) -> Option<Vec<&[u8]>> {
    let header = H::parse(file).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, file).ok()?;
    let is_bounded = |segment: &&H::ProgramHeader| {
        segment.p_type(endian) == elf::PT_NOTE && segment.p_filesz(endian).into() <= LONGEST_NOTES
    };
    let segments = segments.iter().filter(is_bounded).take(MOST);
    let notes = segments.filter_map(|segment| segment.notes(endian, file).ok().flatten());
    let notes = notes.flat_map(|notes| notes.take(MOST).map_while(Result::ok));
    let is_ours = |note: &object::read::elf::Note<'_, H>| {
        note.name() == Mark::NAME && note.n_type(endian) == elf::NoteType(Mark::TYPE)
    };
    Some(notes.filter(is_ours).map(|note| note.desc()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file of 64 bits with one segment of notes, and a note in it.
    fn with_note(name: &[u8], kind: u32, descriptor: &[u8]) -> Vec<u8> {
        let padded = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let sizes = [name.len() as u32, descriptor.len() as u32, kind].map(u32::to_le_bytes).concat();
        let note = [sizes, padded(name), padded(descriptor)].concat();
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        for (value, bytes) in [
            (2, 2),
            (62, 2),
            (1, 4),
            (0, 8),
            (64, 8), // e_phoff
            (0, 8),
            (0, 4),
            (64, 2),
            (56, 2),
            (1, 2), // e_phnum
            (0, 6),
            (4, 4), // p_type: PT_NOTE
            (4, 4),
            (120, 8), // p_offset
            (0, 16),
            (note.len() as u64, 8),
            (note.len() as u64, 8),
            (4, 8),
        ] {
            let value = u64::to_le_bytes(value);
            file.extend((0..bytes).map(|place| value.get(place).copied().unwrap_or_default()));
        }
        [file, note].concat()
    }

    #[test]
    fn only_our_note_is_a_mark() {
        let descriptor = [&PROTOCOL.to_le_bytes()[..], b"1.2.3\0\0\0"].concat();
        let speech = |name: &[u8], kind: u32| Speech::of_file(&with_note(name, kind, &descriptor));
        let mark = Mark { protocol: PROTOCOL, version: "1.2.3".into(), serves_channel: false };
        assert_eq!(speech(b"nex\0", 1), Speech::Own(mark));
        assert_eq!(speech(b"nex\0", 1).unfit(), None);
        for other in [speech(b"nex\0", 2), speech(b"GNU\0", 1), speech(b"nexx\0", 1)] {
            assert_eq!(other, Speech::None);
        }
        let newer = Speech::of_file(&with_note(b"nex\0", 1, b"\x63\0\0\0"));
        assert_eq!(newer, Speech::Own(Mark { protocol: 99, version: String::new(), serves_channel: false }));
        assert!(newer.unfit().is_some_and(|why| why.contains("version 99") && why.contains("version 1")), "{newer:?}");
    }

    #[test]
    fn the_mark_says_whether_the_channel_is_served() {
        let serves = |protocol: u32, abilities: &[u8]| {
            let descriptor = [&protocol.to_le_bytes()[..], &[0; 32], abilities].concat();
            Speech::of_file(&with_note(b"nex\0", 1, &descriptor)).serves_channel()
        };
        assert!(serves(PROTOCOL, &[1, 0, 0, 0]) && serves(PROTOCOL, &[3, 0, 0, 0]));
        assert!(!serves(PROTOCOL, &[2, 0, 0, 0]) && !serves(PROTOCOL, &[]) && !serves(PROTOCOL + 1, &[1, 0, 0, 0]));
        assert!(!Speech::Lines.serves_channel() && !Speech::None.serves_channel());
    }

    #[test]
    fn an_agent_of_somebody_may_know_the_lines() {
        assert_eq!(Speech::of_file(b"#!/bin/sh\necho '@nex1 ready ...'\n"), Speech::Lines);
        assert_eq!(Speech::of_file(b"#!/bin/sh\necho hello\n"), Speech::None);
        assert_eq!(Speech::of_file(b""), Speech::None);
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_sizes_has_no_mark() {
        let whole = with_note(b"nex\0", 1, &[0; 36]);
        for end in 0..whole.len() {
            assert_eq!(Speech::of_file(&whole[..end]), Speech::None, "{end}");
        }
        // Each byte of the headers, and of the note's sizes.
        for place in 16..132 {
            let mut file = whole.clone();
            file[place] = 0xff;
            let _ = Speech::of_file(&file);
        }
    }
}
