//! Records in front of a header that extend it: what its fields are too small for.

use crate::error::Error;
use crate::header::RawHeader;
use crate::pax::Pax;

/// What Solaris's tar writes for records of PAX's form, before POSIX had them.
pub const SUN_RECORDS: u8 = b'X';

/// What has been read in front of a header.
pub struct Extensions {
    /// The PAX records.
    pub pax: Pax,
    long_path: Option<Vec<u8>>,
    long_target: Option<Vec<u8>>,
    is_empty: bool,
    /// Bytes that may still come.
    room: u64,
}

impl Extensions {
    /// Nothing yet, and at most so many bytes.
    pub fn new(limit: u32) -> Self {
        Self { pax: Pax::default(), long_path: None, long_target: None, is_empty: true, room: limit.into() }
    }

    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// Bytes that may still come.
    pub fn room(&self) -> u64 {
        self.room
    }

    /// Takes the content of an extension header: PAX records (`x`, or `X` of Solaris), or a long name (`L`) or target (`K`) of GNU tar. As in
    /// Go, it takes the place of an earlier one of its type.
    ///
    /// # Errors
    /// When its content is not valid.
    pub fn add(&mut self, kind: u8, content: Vec<u8>) -> Result<(), Error> {
        self.is_empty = false;
        self.room = self.room.saturating_sub(content.len() as u64);
        match kind {
            b'x' | SUN_RECORDS => self.pax = Pax::parse(&content)?,
            b'L' => self.long_path = Some(terminated(content)),
            _ => self.long_target = Some(terminated(content)),
        }
        Ok(())
    }

    /// The name of the entry. As in Go, a long name counts most, and GNU tar's name of a sparse file before PAX's.
    pub fn path(&self, header: &RawHeader<'_>) -> Vec<u8> {
        let sparse = self.pax.sparse.name.as_ref();
        let extended = self.long_path.as_ref().or(sparse).or(self.pax.path.as_ref());
        extended.map_or_else(|| header.path().into_owned(), Vec::clone)
    }

    /// The target of a link.
    pub fn link_target(&self, header: &RawHeader<'_>) -> Vec<u8> {
        let extended = self.long_target.as_ref().or(self.pax.link_target.as_ref());
        extended.map_or_else(|| header.link_target().to_vec(), Vec::clone)
    }
}

/// Names of GNU tar end with a NUL, and those of other writers with several. One before other bytes is left where it is, and
/// refused with the name.
fn terminated(mut name: Vec<u8>) -> Vec<u8> {
    while name.last() == Some(&0) {
        name.pop();
    }
    name
}
