//! The header of a frame, and what it may say.

use crate::kind::Kind;
use crate::limits::HEADER;
use crate::violation::Violation;

/// A header whose fields may stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind.
    pub kind: Kind,
    /// The flow, or for OPEN whether more follows.
    pub flow: u8,
    /// The stream; 0 for HELLO and CLOSE alone.
    pub stream: u32,
    /// How many bytes follow.
    pub length: usize,
}

impl Header {
    /// The bytes.
    pub fn encode(self) -> [u8; HEADER] {
        let [s0, s1, s2, s3] = self.stream.to_le_bytes();
        // No frame is longer than a few kilobytes.
        let [l0, l1, l2, l3] = (self.length as u32).to_le_bytes();
        [self.kind.number(), self.flow, 0, 0, s0, s1, s2, s3, l0, l1, l2, l3]
    }

    /// Reads a header.
    ///
    /// # Errors
    /// When its fields cannot stand together.
    pub fn decode(bytes: [u8; HEADER]) -> Result<Self, Violation> {
        let [number, flow, r0, r1, s0, s1, s2, s3, l0, l1, l2, l3] = bytes;
        let kind = Kind::ALL.into_iter().find(|kind| kind.number() == number);
        let kind = kind.ok_or(Violation::UnknownKind(number))?;
        if [r0, r1] != [0, 0] {
            return Err(Violation::Reserved(kind));
        }
        if flow > kind.max_flow() {
            return Err(Violation::BadFlow(kind, flow));
        }
        let stream = u32::from_le_bytes([s0, s1, s2, s3]);
        if (stream == 0) != kind.is_of_session() {
            return Err(Violation::BadStream(kind, stream));
        }
        let (length, (least, greatest)) = (u32::from_le_bytes([l0, l1, l2, l3]), kind.lengths());
        if (length as usize) < least || length as usize > greatest {
            return Err(Violation::BadLength(kind, length));
        }
        Ok(Self { kind, flow, stream, length: length as usize })
    }
}
