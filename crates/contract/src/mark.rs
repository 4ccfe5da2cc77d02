//! The mark by which nex knows its own agent: a note in the agent's ELF file.
//!
//! | part of the note | is |
//! | --- | --- |
//! | name | `nex` |
//! | type | 1 |
//! | descriptor | the protocol's number in four bytes, the lowest first; the agent's version as text in 32 bytes, zeros behind it; what it can do beyond the protocol, a bit each, in four bytes, the lowest first |
//!
//! It stands in a segment of its own kind (`PT_NOTE`), which the kernel loads with the program, so that strip(1) keeps it.

/// What host and guest agree on: the lines, the words on the command line, the workload's files. It grows when an agent
/// and a host of different numbers cannot work together.
pub const PROTOCOL: u32 = 1;

/// The bytes that the version takes.
const VERSION_ROOM: usize = 32;

/// The bit of an agent that serves the channel (`crates/channel`) as an init.
const SERVES_CHANNEL: u32 = 1;

/// What an agent's mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The number of the protocol that it speaks.
    pub protocol: u32,
    /// Its version, as a message may show it.
    pub version: String,
    /// Whether it serves the channel between it and the host, where it is the init and the host has made one.
    pub serves_channel: bool,
}

impl Mark {
    /// The note's name.
    pub const NAME: &[u8] = b"nex";

    /// The note's type.
    pub const TYPE: u32 = 1;

    /// Reads the note's descriptor; `None` when it is none of ours.
    pub fn parse(descriptor: &[u8]) -> Option<Self> {
        let (protocol, version) = descriptor.split_first_chunk()?;
        let (version, abilities) = version.split_at(version.len().min(VERSION_ROOM));
        let version = nex_text::short_name(version.split(|&byte| byte == 0).next().unwrap_or_default());
        // Marks of agents that could do nothing beyond the protocol end with the version.
        let abilities = abilities.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let serves_channel = abilities & SERVES_CHANNEL != 0;
        Some(Self { protocol: u32::from_le_bytes(*protocol), version, serves_channel })
    }

    /// Whether this nex and the agent understand each other.
    pub fn is_understood(&self) -> bool {
        self.protocol == PROTOCOL
    }
}

/// The note, as it stands in the agent's file.
#[repr(C, align(4))]
pub struct MarkNote {
    name_size: u32,
    descriptor_size: u32,
    kind: u32,
    name: [u8; 4],
    protocol: [u8; 4],
    version: [u8; VERSION_ROOM],
    abilities: [u8; 4],
}

impl MarkNote {
    /// The note of an agent of this version, which serves the channel.
    ///
    /// # Panics
    /// When the version is longer than 32 bytes: while the agent is compiled.
    pub const fn new(version: &str) -> Self {
        let (text, mut bytes, mut place) = (version.as_bytes(), [0; VERSION_ROOM], 0);
        while place < text.len() {
            bytes[place] = text[place];
            place += 1;
        }
        Self {
            name_size: 4,
            descriptor_size: 4 + VERSION_ROOM as u32 + 4,
            kind: Mark::TYPE,
            name: *b"nex\0",
            protocol: PROTOCOL.to_le_bytes(),
            version: bytes,
            abilities: SERVES_CHANNEL.to_le_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_comes_back() {
        let note = MarkNote::new("0.1.0");
        let descriptor = [&note.protocol[..], &note.version, &note.abilities].concat();
        assert_eq!(note.descriptor_size as usize, descriptor.len());
        assert_eq!(size_of::<MarkNote>(), 12 + 4 + descriptor.len(), "no padding");
        let mark = Mark::parse(&descriptor).expect("ours");
        assert_eq!((mark.protocol, mark.version.as_str(), mark.is_understood()), (PROTOCOL, "0.1.0", true));
        assert!(mark.serves_channel);
        let older = Mark::parse(&descriptor[..4 + VERSION_ROOM]).expect("ours");
        assert_eq!(older, Mark { serves_channel: false, ..mark });
    }

    #[test]
    fn any_bytes_will_do() {
        assert_eq!(Mark::parse(b""), None);
        assert_eq!(Mark::parse(b"\x01\0\0"), None);
        let mark = Mark::parse(&[&b"\x02\0\0\0\x1b[2J"[..], &[b'x'; 4096]].concat()).expect("one");
        assert!(!mark.is_understood() && mark.version.starts_with("\\u{1b}[2J") && mark.version.len() < 64, "{mark:?}");
        assert_eq!(Mark::parse(b"\x01\0\0\0").expect("one").version, "");
    }
}
