//! A layer's tar stream, entry by entry.
//!
//! The parser is `tar-core`, which never touches a file system. What Go's `archive/tar` (and with it umoci, containerd
//! and Docker) decides about doubtful archives is decided the same way here, so that one archive means one thing.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use nex_ext4::{Device, Metadata, Timestamp, Xattr};
use tar_core::parse::{Limits, ParseError, ParseEvent, ParsedEntry, Parser};
use tar_core::{EntryType, Header, SparseEntry};
use thiserror::Error;

use super::pax::{Pax, PaxError};
use super::window::Window;

/// The size of a tar record and of everything that content is padded to.
const RECORD: u64 = 512;

/// The most regions a sparse file may have.
const MAX_SPARSE_REGIONS: usize = 1 << 20;

/// Why a tar stream is refused.
#[derive(Debug, Error)]
pub enum TarError {
    /// The stream under the tar failed.
    #[error(transparent)]
    Read(io::Error),
    /// The headers are not valid.
    #[error(transparent)]
    Header(ParseError),
    /// The PAX records are not valid.
    #[error(transparent)]
    Pax(#[from] PaxError),
    /// The stream ends inside of an entry.
    #[error("the tar ends in the middle of this entry; the layer is cut short")]
    Truncated,
    /// A type that no file system has.
    #[error("has the type '{}', which is not a file's", .0.escape_ascii())]
    Type(u8),
    /// An owner that does not fit.
    #[error("has the owner {uid}:{gid}; ext4 holds ids up to 4294967295")]
    Owner {
        /// The user id in the header.
        uid: u64,
        /// The group id in the header.
        gid: u64,
    },
    /// A size over 64 bits, or a negative one.
    #[error("has a size that does not fit in 64 bits")]
    Size,
    /// A sparse file whose map contradicts itself or the stored bytes.
    #[error("has a sparse map that contradicts its sizes")]
    SparseMap,
}

/// The header of an entry, with all extensions applied.
#[derive(Debug)]
pub struct TarHeader {
    /// The name as it stands in the archive.
    pub path: Vec<u8>,
    /// The type.
    pub kind: TarKind,
    /// Owner, mode and time.
    pub metadata: Metadata,
    /// Extended attributes, each name once.
    pub xattrs: Vec<Xattr>,
}

impl TarHeader {
    /// Bytes of names, link targets and extended attributes.
    pub fn memory(&self) -> u64 {
        let target = match &self.kind {
            TarKind::Symlink(target) | TarKind::HardLink(target) => target.len(),
            _ => 0,
        };
        let xattrs: usize = self.xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len()).sum();
        (self.path.len() + target + xattrs) as u64
    }
}

/// The type of an entry.
#[derive(Debug, PartialEq, Eq)]
pub enum TarKind {
    /// A directory.
    Directory,
    /// A regular file; its content is next in the stream.
    File,
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A hard link to this name.
    HardLink(Vec<u8>),
    /// A character device.
    CharacterDevice(Device),
    /// A block device.
    BlockDevice(Device),
    /// A named pipe.
    Fifo,
}

/// Takes the content of a file, in order.
pub trait ContentSink {
    /// What can go wrong.
    type Error;
    /// The next bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// The next bytes are zeros that were not stored.
    fn hole(&mut self, length: u64) -> Result<(), Self::Error>;
}

/// Why content did not arrive: the layer's fault, or the sink's.
#[derive(Debug)]
pub enum CopyError<E> {
    /// The tar stream failed.
    Tar(TarError),
    /// The sink failed.
    Sink(E),
}

/// Reads the entries of a tar stream.
pub struct TarReader<R> {
    window: Window<R>,
    parser: Parser,
    content: Stored,
}

/// The content of the current entry as it is stored in the stream.
#[derive(Default)]
struct Stored {
    /// Bytes that are left, without padding.
    length: u64,
    /// Padding behind them.
    padding: u64,
    /// Where the stored bytes go in a sparse file, and its size.
    sparse: Option<(Vec<SparseEntry>, u64)>,
}

impl<R: BufRead> TarReader<R> {
    /// Reads a stream of which the extension headers of one entry take at most `max_extensions` bytes.
    pub fn new(source: R, max_extensions: u32) -> Self {
        let limits =
            Limits { max_metadata_size: max_extensions, max_sparse_entries: MAX_SPARSE_REGIONS, ..Limits::default() };
        let mut parser = Parser::new(limits);
        // The parser refuses times before 1970. `Pax` checks every number again.
        parser.set_ignore_pax_errors(true);
        Self { window: Window::new(source), parser, content: Stored::default() }
    }

    /// The next entry; what is left of the content before it is passed over. `None` at the end of the archive.
    ///
    /// # Errors
    /// When the stream fails or is not a valid tar.
    pub fn next_entry(&mut self) -> Result<Option<TarHeader>, TarError> {
        self.skip_content()?;
        let mut wanted = RECORD as usize;
        loop {
            // More than is asked for, or long chains of extension records are parsed anew for each of them.
            let input = self.window.peek(wanted.next_power_of_two()).map_err(TarError::Read)?;
            if input.is_empty() {
                return Ok(None);
            }
            if input.len() < wanted {
                return if at_end(input) { Ok(None) } else { Err(TarError::Truncated) };
            }
            match self.parser.parse(input).map_err(TarError::Header)? {
                ParseEvent::NeedData { min_bytes } => wanted = min_bytes,
                // As containerd does: global headers carry comments (git) and never a name of their own.
                ParseEvent::GlobalExtensions { consumed, .. } => {
                    self.window.consume(consumed);
                    wanted = RECORD as usize;
                }
                ParseEvent::End { consumed } => {
                    self.window.consume(consumed);
                    return Ok(None);
                }
                ParseEvent::Entry { consumed, entry } => {
                    let (header, stored) = read_entry(&entry, None)?;
                    self.window.consume(consumed);
                    self.content = stored;
                    return Ok(Some(header));
                }
                ParseEvent::SparseEntry { consumed, entry, sparse_map, real_size } => {
                    let (header, stored) = read_entry(&entry, Some((sparse_map, real_size)))?;
                    self.window.consume(consumed);
                    self.content = stored;
                    return Ok(Some(header));
                }
            }
        }
    }

    /// Copies the content of the current entry; holes of sparse files stay holes.
    ///
    /// # Errors
    /// When the stream ends early, or the sink fails.
    pub fn copy_content<S: ContentSink>(&mut self, sink: &mut S) -> Result<(), CopyError<S::Error>> {
        let Some((map, size)) = self.content.sparse.take() else {
            return self.copy_stored(self.content.length, sink);
        };
        let mut position = 0;
        for region in map {
            sink.hole(region.offset - position).map_err(CopyError::Sink)?;
            self.copy_stored(region.length, sink)?;
            position = region.offset + region.length;
        }
        sink.hole(size - position).map_err(CopyError::Sink)
    }

    fn copy_stored<S: ContentSink>(&mut self, length: u64, sink: &mut S) -> Result<(), CopyError<S::Error>> {
        let mut left = length;
        while left > 0 {
            let chunk = self.window.chunk().map_err(|error| CopyError::Tar(TarError::Read(error)))?;
            if chunk.is_empty() {
                return Err(CopyError::Tar(TarError::Truncated));
            }
            let taken = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            sink.write(&chunk[..taken]).map_err(CopyError::Sink)?;
            self.window.consume(taken);
            left -= taken as u64;
            self.content.length -= taken as u64;
        }
        Ok(())
    }

    fn skip_content(&mut self) -> Result<(), TarError> {
        let mut left = self.content.length + self.content.padding;
        self.content = Stored::default();
        while left > 0 {
            let chunk = self.window.chunk().map_err(TarError::Read)?;
            if chunk.is_empty() {
                return Err(TarError::Truncated);
            }
            let taken = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.window.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }
}

/// Some writers leave out one or both of the zero records at the end, and Go takes that for an end.
fn at_end(rest: &[u8]) -> bool {
    rest.len() as u64 == RECORD && rest.iter().all(|&byte| byte == 0)
}

fn read_entry(
    entry: &ParsedEntry<'_>,
    sparse: Option<(Vec<SparseEntry>, u64)>,
) -> Result<(TarHeader, Stored), TarError> {
    let pax = entry.pax.map(Pax::parse).transpose()?.unwrap_or_default();
    let header = TarHeader {
        path: entry.path.to_vec(),
        kind: kind(entry)?,
        metadata: metadata(entry, &pax)?,
        xattrs: xattrs(entry),
    };
    let stored = match (&header.kind, sparse) {
        (TarKind::File, None) => plain_content(entry, &pax)?,
        (TarKind::File, Some((map, size))) => sparse_content(entry, &pax, map, size)?,
        // As Go does: these types have no content, whatever their size says.
        _ => Stored::default(),
    };
    Ok((header, stored))
}

fn kind(entry: &ParsedEntry<'_>) -> Result<TarKind, TarError> {
    let target = || entry.link_target.as_deref().unwrap_or_default().to_vec();
    let device = || Device { major: entry.dev_major.unwrap_or_default(), minor: entry.dev_minor.unwrap_or_default() };
    Ok(match entry.entry_type {
        // Archives older than POSIX.1-1988 mark a directory only by the slash behind its name.
        EntryType::Regular if type_flag(entry.header) == 0 && entry.path.ends_with(b"/") => TarKind::Directory,
        EntryType::Regular | EntryType::Continuous | EntryType::GnuSparse => TarKind::File,
        EntryType::Directory => TarKind::Directory,
        EntryType::Link => TarKind::HardLink(target()),
        EntryType::Symlink => TarKind::Symlink(target()),
        EntryType::Char => TarKind::CharacterDevice(device()),
        EntryType::Block => TarKind::BlockDevice(device()),
        EntryType::Fifo => TarKind::Fifo,
        other => return Err(TarError::Type(other.to_byte())),
    })
}

fn type_flag(header: &Header) -> u8 {
    header.as_ustar().typeflag[0]
}

fn metadata(entry: &ParsedEntry<'_>, pax: &Pax) -> Result<Metadata, TarError> {
    let owner = || TarError::Owner { uid: entry.uid, gid: entry.gid };
    Ok(Metadata {
        mode: (entry.mode & 0o7777) as u16,
        uid: u32::try_from(entry.uid).map_err(|_| owner())?,
        gid: u32::try_from(entry.gid).map_err(|_| owner())?,
        // Base-256 fields hold times before 1970 as two's complement.
        time: pax.time.unwrap_or(Timestamp { seconds: entry.mtime as i64, nanoseconds: 0 }),
    })
}

/// As in every PAX record, the last one of a name counts.
fn xattrs(entry: &ParsedEntry<'_>) -> Vec<Xattr> {
    let last: BTreeMap<_, _> = entry.xattrs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
    last.into_iter().map(|(name, value)| Xattr { name: name.into(), value: value.into() }).collect()
}

fn plain_content(entry: &ParsedEntry<'_>, pax: &Pax) -> Result<Stored, TarError> {
    if pax.size.is_none() {
        check_base_256(&entry.header.as_ustar().size)?;
    }
    Stored::new(entry.size, None)
}

fn sparse_content(entry: &ParsedEntry<'_>, pax: &Pax, map: Vec<SparseEntry>, size: u64) -> Result<Stored, TarError> {
    let mut stored: u64 = 0;
    let mut end: u64 = 0;
    for region in &map {
        if region.offset < end {
            return Err(TarError::SparseMap);
        }
        end = region.offset.checked_add(region.length).ok_or(TarError::SparseMap)?;
        stored = stored.checked_add(region.length).ok_or(TarError::SparseMap)?;
    }
    // In version 1.0 the map stands before the content, in records of its own; PAX `size` counts them too.
    let map_before_content =
        pax.size == Some(entry.size) && entry.size > stored && (entry.size - stored).is_multiple_of(RECORD);
    if end > size || (entry.size != stored && !map_before_content) {
        return Err(TarError::SparseMap);
    }
    Stored::new(stored, Some((map, size)))
}

impl Stored {
    fn new(length: u64, sparse: Option<(Vec<SparseEntry>, u64)>) -> Result<Self, TarError> {
        let padded = length.checked_next_multiple_of(RECORD).ok_or(TarError::Size)?;
        Ok(Self { length, padding: padded - length, sparse })
    }
}

/// The parser reads base-256 numbers modulo 2^64.
fn check_base_256(field: &[u8; 12]) -> Result<(), TarError> {
    let (marker, high) = (field[0], &field[1..4]);
    let fits = marker & 0x80 == 0 || (marker == 0x80 && high == [0; 3] && field[4] & 0x80 == 0);
    if fits { Ok(()) } else { Err(TarError::Size) }
}

#[cfg(test)]
mod tests;
