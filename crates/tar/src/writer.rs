//! Makes an entry's header: ustar, with PAX records in front of it for all that ustar cannot say.

mod error;
mod records;
mod sparse_map;
mod ustar;

use crate::entry::{Header, Kind};
use crate::record::{RECORD, padding};

pub use self::error::WriteError;
use self::records::Records;
pub use self::sparse_map::SparseMap;
use self::ustar::Ustar;

/// The end of a tar: two records of zeros.
pub const END: [u8; 2 * RECORD] = [0; 2 * RECORD];

/// Bytes of ustar's `name` and `linkname`.
const MAX_NAME: usize = 100;
/// The largest numbers in ustar's octal fields of 7 and 11 digits.
const MAX_ID: u32 = 0o7_777_777;
const MAX_SIZE: u64 = 0o77_777_777_777;

/// What follows the header of a file. Behind it stands its [`padding`].
#[derive(Clone, Copy, Debug)]
pub enum FileContent<'a> {
    /// So many bytes; none for what is no file.
    Whole(u64),
    /// The text of a map, and then the bytes of its runs.
    Sparse(&'a SparseMap),
}

impl FileContent<'_> {
    /// Bytes in the tar, without their padding.
    fn stored(&self) -> u64 {
        match self {
            Self::Whole(size) => *size,
            Self::Sparse(map) => map.text().len() as u64 + map.stored(),
        }
    }
}

/// An entry's records before its content: a PAX header, which has the time to the nanosecond, and the header itself. The name and
/// the attributes stand in the tar as they are given: by custom, names of directories end with a slash.
///
/// # Errors
/// What no tar can say.
pub fn encode(header: &Header, content: FileContent<'_>) -> Result<Vec<u8>, WriteError> {
    let records = records(header, content)?.into_bytes();
    let length = records.len() as u64;
    let pax = Ustar::new(b'x').name(b"pax").size(length).seal();
    let mut bytes = Vec::with_capacity(2 * RECORD + records.len().next_multiple_of(RECORD));
    bytes.extend_from_slice(&pax);
    bytes.extend_from_slice(&records);
    bytes.extend_from_slice(padding(length));
    bytes.extend_from_slice(&ustar(header, content)?);
    Ok(bytes)
}

fn ustar(header: &Header, content: FileContent<'_>) -> Result<[u8; RECORD], WriteError> {
    let kind = match header.kind {
        Kind::File => b'0',
        Kind::HardLink(_) => b'1',
        Kind::Symlink(_) => b'2',
        Kind::CharacterDevice(_) => b'3',
        Kind::BlockDevice(_) => b'4',
        Kind::Directory => b'5',
        Kind::Fifo => b'6',
    };
    let metadata = &header.metadata;
    let ustar = Ustar::new(kind)
        .name(&header.path[..header.path.len().min(MAX_NAME)])
        .mode(metadata.mode)
        .owner(metadata.uid.min(MAX_ID), metadata.gid.min(MAX_ID))
        .size(content.stored().min(MAX_SIZE))
        .time(u64::try_from(metadata.time.seconds).unwrap_or_default().min(MAX_SIZE));
    Ok(match &header.kind {
        Kind::Symlink(target) | Kind::HardLink(target) => ustar.link_name(&target[..target.len().min(MAX_NAME)]),
        Kind::CharacterDevice(device) | Kind::BlockDevice(device) => {
            let (major, minor) = (device.major, device.minor);
            if major.max(minor) > MAX_ID {
                return Err(WriteError::Device { major, minor });
            }
            ustar.device(major, minor)
        }
        _ => ustar,
    }
    .seal())
}

/// What ustar cannot say, and the time always.
fn records(header: &Header, content: FileContent<'_>) -> Result<Records, WriteError> {
    let metadata = &header.metadata;
    let mut records = Records::default();
    records.time("mtime", metadata.time);
    if header.path.len() > MAX_NAME {
        records.add("path", &header.path);
    }
    if let Kind::Symlink(target) | Kind::HardLink(target) = &header.kind
        && target.len() > MAX_NAME
    {
        records.add("linkpath", target);
    }
    if metadata.uid > MAX_ID {
        records.number("uid", metadata.uid.into());
    }
    if metadata.gid > MAX_ID {
        records.number("gid", metadata.gid.into());
    }
    if content.stored() > MAX_SIZE {
        records.number("size", content.stored());
    }
    if let FileContent::Sparse(map) = content {
        records.sparse(&header.path, map.length());
    }
    for xattr in &header.xattrs {
        records.xattr(xattr)?;
    }
    Ok(records)
}
