//! A layer's tar stream, entry by entry.
//!
//! An entry is a header record, with others before it that extend it: long names of GNU tar, records of PAX. What Go's
//! `archive/tar` (and with it umoci, containerd and Docker) decides about doubtful archives is decided the same way here,
//! so that one archive means one thing; where Go itself and other readers differ, the archive is refused.

mod error;
mod extensions;
mod header;
mod sparse;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use nex_ext4::{Device, Metadata, Timestamp, Xattr};

pub use self::error::TarError;
use self::extensions::Extensions;
use self::header::{RawHeader, Record};
use self::sparse::{Map, read_map};
use super::acl;

/// The size of a tar record and of everything that content is padded to.
const RECORD: u64 = 512;

/// What `tar --incremental` of GNU writes for a directory: its content is a list of what is in it.
const GNU_DUMPED_DIRECTORY: u8 = b'D';

/// What `tar --label` of GNU writes in front of all.
const GNU_LABEL: u8 = b'V';

/// What Solaris's tar writes for records of PAX's form, before POSIX had them.
const SUN_RECORDS: u8 = b'X';

/// Who writes a type that POSIX does not have, and that is known here.
fn vendor(kind: u8) -> Option<&'static str> {
    match kind {
        GNU_DUMPED_DIRECTORY => Some("GNU tar with --incremental"),
        GNU_LABEL => Some("GNU tar with --label"),
        SUN_RECORDS => Some("the tar of Solaris"),
        _ => None,
    }
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

/// Which types of entries are read beside those of POSIX, as those who made the tar may have had any program for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Types {
    /// None, as in layers of images: Go's readers and writers know no others.
    Posix,
    /// Those that one writer has added.
    Vendor,
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
    source: R,
    max_extensions: u32,
    types: Types,
    content: Stored,
    is_at_end: bool,
}

/// The content of the current entry as it is stored in the stream.
#[derive(Default)]
struct Stored {
    /// Bytes that are left, without padding.
    length: u64,
    /// Padding behind them.
    padding: u64,
    /// Where the stored bytes go in a sparse file.
    sparse: Option<Map>,
}

impl<R: BufRead> TarReader<R> {
    /// Reads a stream of which the extension headers of one entry take at most `max_extensions` bytes.
    pub fn new(source: R, max_extensions: u32, types: Types) -> Self {
        Self { source, max_extensions, types, content: Stored::default(), is_at_end: false }
    }

    /// The next entry; what is left of the content before it is passed over. `None` at the end of the archive.
    ///
    /// # Errors
    /// When the stream fails or is not a valid tar.
    pub fn next_entry(&mut self) -> Result<Option<TarHeader>, TarError> {
        self.skip_content()?;
        let mut extensions = Extensions::new(self.max_extensions);
        while !self.is_at_end {
            let record = match self.next_record()? {
                Some(record) if record != [0; RECORD as usize] => record,
                end => return self.end(end.is_some(), &extensions),
            };
            let header = RawHeader::new(&record)?;
            let kind = header.kind();
            if let Some(writer) = vendor(kind)
                && self.types == Types::Posix
            {
                return Err(TarError::VendorType { kind, writer });
            }
            match kind {
                // As containerd does: global headers carry comments (git) and never a name of their own.
                // A label names the whole archive, and no file.
                b'g' | GNU_LABEL if extensions.is_empty() => {
                    self.content = Stored::new(header.size()?, None)?;
                    self.skip_content()?;
                }
                b'g' | GNU_LABEL => return Err(TarError::NothingExtended),
                b'x' | SUN_RECORDS | b'L' | b'K' => {
                    let content = self.extension(&extensions, header.size()?)?;
                    extensions.add(kind, content)?;
                }
                _ => return self.entry(&header, extensions).map(Some),
            }
        }
        Ok(None)
    }

    /// Copies the content of the current entry; holes of sparse files stay holes.
    ///
    /// # Errors
    /// When the stream ends early, or the sink fails.
    pub fn copy_content<S: ContentSink>(&mut self, sink: &mut S) -> Result<(), CopyError<S::Error>> {
        let Some(Map { regions, size }) = self.content.sparse.take() else {
            return self.copy_stored(self.content.length, sink);
        };
        let mut position = 0;
        for region in regions {
            sink.hole(region.offset - position).map_err(CopyError::Sink)?;
            self.copy_stored(region.length, sink)?;
            position = region.offset + region.length;
        }
        sink.hole(size - position).map_err(CopyError::Sink)
    }

    fn copy_stored<S: ContentSink>(&mut self, length: u64, sink: &mut S) -> Result<(), CopyError<S::Error>> {
        let mut left = length;
        while left > 0 {
            let chunk = self.chunk(left).map_err(CopyError::Tar)?;
            let taken = chunk.len();
            sink.write(chunk).map_err(CopyError::Sink)?;
            self.source.consume(taken);
            left -= taken as u64;
            self.content.length -= taken as u64;
        }
        Ok(())
    }

    fn skip_content(&mut self) -> Result<(), TarError> {
        let mut left = self.content.length + self.content.padding;
        self.content = Stored::default();
        while left > 0 {
            let taken = self.chunk(left)?.len();
            self.source.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    /// The next bytes of the stream, at least one and at most `most`.
    fn chunk(&mut self, most: u64) -> Result<&[u8], TarError> {
        let chunk = self.source.fill_buf().map_err(TarError::Read)?;
        if chunk.is_empty() {
            return Err(TarError::Truncated);
        }
        Ok(&chunk[..chunk.len().min(usize::try_from(most).unwrap_or(usize::MAX))])
    }

    /// The next record; `None` at the end of the stream.
    fn next_record(&mut self) -> Result<Option<Record>, TarError> {
        if self.source.fill_buf().map_err(TarError::Read)?.is_empty() {
            return Ok(None);
        }
        self.record().map(Some)
    }

    fn record(&mut self) -> Result<Record, TarError> {
        let mut record = [0; RECORD as usize];
        let mut filled = 0;
        while let free @ 1.. = record.len() - filled {
            let chunk = self.chunk(free as u64)?;
            let taken = chunk.len();
            record[filled..filled + taken].copy_from_slice(chunk);
            self.source.consume(taken);
            filled += taken;
        }
        Ok(record)
    }

    /// Behind the last entry stand two records of zeros. Some writers leave out one or both, and Go takes that for an end.
    fn end(&mut self, zeros: bool, extensions: &Extensions) -> Result<Option<TarHeader>, TarError> {
        if zeros && self.next_record()?.is_some_and(|record| record != [0; RECORD as usize]) {
            return Err(TarError::LoneZeros);
        }
        if !extensions.is_empty() {
            return Err(TarError::NothingExtended);
        }
        self.is_at_end = true;
        Ok(None)
    }

    /// The content of an extension header, which is kept in memory.
    fn extension(&mut self, extensions: &Extensions, size: u64) -> Result<Vec<u8>, TarError> {
        if size > extensions.room() {
            return Err(TarError::TooManyExtensions(self.max_extensions));
        }
        let padding = Stored::new(size, None)?.padding;
        let mut content = Vec::new();
        let mut left = size;
        while left > 0 {
            let chunk = self.chunk(left)?;
            let taken = chunk.len();
            content.extend_from_slice(chunk);
            self.source.consume(taken);
            left -= taken as u64;
        }
        self.content.padding = padding;
        self.skip_content()?;
        Ok(content)
    }

    fn entry(&mut self, header: &RawHeader<'_>, mut extensions: Extensions) -> Result<TarHeader, TarError> {
        let path = extensions.path(header);
        if path.is_empty() {
            return Err(TarError::NoName);
        }
        let kind = kind(header, &extensions, &path)?;
        let mut metadata = metadata(header, &extensions)?;
        self.content = match kind {
            TarKind::File => self.content(header, &extensions)?,
            // The names that are in it, for a restore that deletes others.
            TarKind::Directory if header.kind() == GNU_DUMPED_DIRECTORY => Stored::new(header.size()?, None)?,
            _ if extensions.pax.sparse.version()?.is_some() => return Err(TarError::SparseMap),
            // As Go does: other types have no content, whatever their size says.
            _ => Stored::default(),
        };
        let xattrs = std::mem::take(&mut extensions.pax.xattrs).into_iter();
        let mut xattrs = xattrs.map(|(name, value)| Xattr { name: name.into(), value: value.into() }).collect();
        acl::apply(&mut extensions.pax, &kind, &mut metadata, &mut xattrs)?;
        Ok(TarHeader { path, kind, metadata, xattrs })
    }

    fn content(&mut self, header: &RawHeader<'_>, extensions: &Extensions) -> Result<Stored, TarError> {
        let mut length = match extensions.pax.size {
            Some(size) => size,
            None => header.size()?,
        };
        let map = read_map(header, &extensions.pax, &mut length, || self.record())?;
        Stored::new(length, map)
    }
}

fn kind(header: &RawHeader<'_>, extensions: &Extensions, path: &[u8]) -> Result<TarKind, TarError> {
    let target = || extensions.link_target(header);
    let device = || header.device().map(|(major, minor)| Device { major, minor });
    Ok(match header.kind() {
        // Archives older than POSIX.1-1988 mark a directory only by the slash behind its name.
        0 if path.ends_with(b"/") => TarKind::Directory,
        0 | b'0' | b'7' => TarKind::File,
        b'S' if header.format() == header::Format::Gnu => TarKind::File,
        b'1' => TarKind::HardLink(target()),
        b'2' => TarKind::Symlink(target()),
        b'3' => TarKind::CharacterDevice(device()?),
        b'4' => TarKind::BlockDevice(device()?),
        b'5' | GNU_DUMPED_DIRECTORY => TarKind::Directory,
        b'6' => TarKind::Fifo,
        other => return Err(TarError::Type(other)),
    })
}

fn metadata(header: &RawHeader<'_>, extensions: &Extensions) -> Result<Metadata, TarError> {
    let pax = &extensions.pax;
    let id = |pax: Option<u64>, header: Result<i64, TarError>| match pax {
        Some(id) => Ok(i128::from(id)),
        None => header.map(i128::from),
    };
    let (uid, gid) = (id(pax.uid, header.uid())?, id(pax.gid, header.gid())?);
    let (Ok(fitting_uid), Ok(fitting_gid)) = (u32::try_from(uid), u32::try_from(gid)) else {
        return Err(TarError::Owner { uid, gid });
    };
    let time = match pax.time {
        Some(time) => time,
        None => Timestamp { seconds: header.mtime()?, nanoseconds: 0 },
    };
    Ok(Metadata { mode: header.mode()?, uid: fitting_uid, gid: fitting_gid, time })
}

impl Stored {
    fn new(length: u64, sparse: Option<Map>) -> Result<Self, TarError> {
        let padded = length.checked_next_multiple_of(RECORD).ok_or(TarError::Size)?;
        Ok(Self { length, padding: padded - length, sparse })
    }
}
