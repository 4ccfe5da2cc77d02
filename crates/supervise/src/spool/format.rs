//! Segments and entries to the byte (docs/supervisor.md). Numbers are little-endian.

/// What a segment begins with.
const MAGIC: [u8; 8] = *b"nexspool";

/// Changes when segments or entries change their form.
const VERSION: u32 = 1;

/// The bytes of a segment's header.
pub const SEGMENT_HEADER: usize = 32;

/// The bytes of an entry's header.
pub const ENTRY_HEADER: usize = 28;

/// The most bytes of output in an entry.
pub const MOST_DATA: usize = 64 << 10;

/// Where output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// As an entry has it.
    const fn number(self) -> u8 {
        match self {
            Self::Out => 1,
            Self::Err => 2,
        }
    }

    const fn of(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Out),
            2 => Some(Self::Err),
            _ => None,
        }
    }
}

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Its number, which its file's name has, too.
    pub number: u64,
    /// How many bytes of output there were before it, those that are lost included.
    pub position: u64,
}

impl SegmentHeader {
    /// Its bytes.
    pub fn encode(self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        let mut rest = &mut bytes[..];
        put(&mut rest, &MAGIC);
        put(&mut rest, &VERSION.to_le_bytes());
        put(&mut rest, &self.number.to_le_bytes());
        put(&mut rest, &self.position.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..SEGMENT_HEADER - 4]);
        bytes[SEGMENT_HEADER - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads one; `None` when the bytes are no header, or damaged.
    pub fn decode(bytes: &[u8; SEGMENT_HEADER]) -> Option<Self> {
        let (summed, sum) = bytes.split_last_chunk()?;
        let mut rest = summed;
        let is_known = take(&mut rest)? == MAGIC && u32::from_le_bytes(take(&mut rest)?) == VERSION;
        let (number, position) = (u64::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?));
        (is_known && crc32c::crc32c(summed) == u32::from_le_bytes(*sum)).then_some(Self { number, position })
    }
}

/// An entry's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHeader {
    /// How many bytes of output follow: 1 to [`MOST_DATA`].
    pub length: u32,
    /// Where they come from.
    pub stream: Stream,
    /// How many bytes of output, of both streams, there were before them, those that are lost included.
    pub position: u64,
    /// When they came, in milliseconds since 1970.
    pub time: u64,
}

impl EntryHeader {
    /// Its bytes, with the checksum of the header and these bytes of output.
    pub fn encode(self, data: &[u8]) -> [u8; ENTRY_HEADER] {
        let mut bytes = [0; ENTRY_HEADER];
        let mut rest = &mut bytes[..];
        put(&mut rest, &self.length.to_le_bytes());
        put(&mut rest, &[self.stream.number(), 0, 0, 0]);
        put(&mut rest, &self.position.to_le_bytes());
        put(&mut rest, &self.time.to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..ENTRY_HEADER - 4]), data);
        bytes[ENTRY_HEADER - 4..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads one; `None` when the bytes are no header. What [`is_sound`](Self::is_sound) says is still to be asked.
    pub fn decode(bytes: &[u8; ENTRY_HEADER]) -> Option<Self> {
        let mut rest = &bytes[..];
        let length = u32::from_le_bytes(take(&mut rest)?);
        let [stream, zeros @ ..] = take::<4>(&mut rest)?;
        let (position, time) = (u64::from_le_bytes(take(&mut rest)?), u64::from_le_bytes(take(&mut rest)?));
        let is_in_bounds = (1..=MOST_DATA).contains(&usize::try_from(length).ok()?) && zeros == [0; 3];
        let stream = Stream::of(stream)?;
        is_in_bounds.then_some(Self { length, stream, position, time })
    }

    /// Whether the checksum in a header is that of the header and its bytes of output.
    pub fn is_sound(header: &[u8; ENTRY_HEADER], data: &[u8]) -> bool {
        header.split_last_chunk().is_some_and(|(summed, sum)| {
            crc32c::crc32c_append(crc32c::crc32c(summed), data) == u32::from_le_bytes(*sum)
        })
    }
}

/// Writes the next bytes of a header, which has room for all that its encoder puts there.
fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    if let Some((place, after)) = std::mem::take(rest).split_at_mut_checked(bytes.len()) {
        place.copy_from_slice(bytes);
        *rest = after;
    }
}

/// The next bytes of a header.
fn take<const LENGTH: usize>(rest: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back_and_every_changed_bit_is_seen() {
        let segment = SegmentHeader { number: 7, position: 1 << 40 };
        let bytes = segment.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Some(segment));
        let entry = EntryHeader { length: 3, stream: Stream::Err, position: 5, time: 1_700_000_000_000 };
        let (head, data) = (entry.encode(b"abc"), *b"abc");
        assert_eq!(EntryHeader::decode(&head), Some(entry));
        assert!(EntryHeader::is_sound(&head, &data));
        for bit in 0..SEGMENT_HEADER * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&damaged), None, "bit {bit}");
        }
        for bit in 0..(ENTRY_HEADER + data.len()) * 8 {
            let (mut head, mut data) = (head, data);
            let byte = bit / 8;
            *head.get_mut(byte).unwrap_or(&mut data[byte.saturating_sub(ENTRY_HEADER).min(2)]) ^= 1 << (bit % 8);
            assert!(!EntryHeader::is_sound(&head, &data), "bit {bit}");
        }
    }

    #[test]
    fn lengths_and_streams_have_bounds() {
        let entry = EntryHeader { length: 1, stream: Stream::Out, position: 0, time: 0 };
        for length in [0, MOST_DATA as u32 + 1, u32::MAX] {
            assert_eq!(EntryHeader::decode(&EntryHeader { length, ..entry }.encode(b"")), None, "{length}");
        }
        let mut other = entry.encode(b"x");
        other[4] = 3;
        assert_eq!(EntryHeader::decode(&other), None);
    }
}
