//! Reads a stream, entry by entry.

use std::io::BufRead;

use crate::acl;
use crate::entry::{Device, Header, Kind, Metadata, Time, Xattr};
use crate::error::Error;
use crate::extensions::{Extensions, SUN_RECORDS};
use crate::header::{Format, RawHeader};
use crate::record::{RECORD, Record};
use crate::sparse::{Map, read_map};

/// Whether these bytes begin with a header whose checksum is right.
pub fn is_header(start: &[u8]) -> bool {
    start.first_chunk().is_some_and(|record| RawHeader::new(record).is_ok())
}

/// What `tar --incremental` of GNU writes for a directory: its content is a list of what is in it.
const GNU_DUMPED_DIRECTORY: u8 = b'D';

/// What `tar --label` of GNU writes in front of all.
const GNU_LABEL: u8 = b'V';

/// Who writes a type that POSIX does not have, and that is known here.
fn vendor(kind: u8) -> Option<&'static str> {
    match kind {
        GNU_DUMPED_DIRECTORY => Some("GNU tar with --incremental"),
        GNU_LABEL => Some("GNU tar with --label"),
        SUN_RECORDS => Some("the tar of Solaris"),
        _ => None,
    }
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
    Tar(Error),
    /// The sink failed.
    Sink(E),
}

/// Reads the entries of a tar stream.
pub struct Reader<R> {
    source: R,
    max_extensions: u32,
    types: Types,
    content: Stored,
    is_at_end: bool,
}

/// How content stands in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its bytes.
    pub length: u64,
    /// The same with the padding behind them.
    pub padded: u64,
    /// Whether only parts of a sparse file are there.
    pub is_sparse: bool,
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

impl<R: BufRead> Reader<R> {
    /// Reads a stream of which the extension headers of one entry take at most `max_extensions` bytes.
    pub fn new(source: R, max_extensions: u32, types: Types) -> Self {
        Self { source, max_extensions, types, content: Stored::default(), is_at_end: false }
    }

    /// The next entry; what is left of the content before it is passed over. `None` at the end of the archive.
    ///
    /// # Errors
    /// When the stream fails or is not a valid tar.
    pub fn next_entry(&mut self) -> Result<Option<Header>, Error> {
        self.skip_content()?;
        let mut extensions = Extensions::new(self.max_extensions);
        while !self.is_at_end {
            let record = match self.next_record()? {
                Some(record) if record != [0; RECORD] => record,
                end => return self.end(end.is_some(), &extensions),
            };
            let header = RawHeader::new(&record)?;
            let kind = header.kind();
            if let Some(writer) = vendor(kind)
                && self.types == Types::Posix
            {
                return Err(Error::VendorType { kind, writer });
            }
            match kind {
                // As containerd does: global headers carry comments (git) and never a name of their own.
                // A label names the whole archive, and no file.
                b'g' | GNU_LABEL if extensions.is_empty() => {
                    self.content = Stored::new(header.size()?, None)?;
                    self.skip_content()?;
                }
                b'g' | GNU_LABEL => return Err(Error::NothingExtended),
                b'x' | SUN_RECORDS | b'L' | b'K' => {
                    let content = self.extension(&extensions, header.size()?)?;
                    extensions.add(kind, content)?;
                }
                _ => return self.entry(&header, extensions).map(Some),
            }
        }
        Ok(None)
    }

    /// The stream, which stands where the content of the current entry begins, and how many bytes that takes with its padding: for who
    /// passes over it in a better way than by reading.
    pub fn into_parts(self) -> (R, Content) {
        let Stored { length, padding, sparse } = self.content;
        (self.source, Content { length, padded: length + padding, is_sparse: sparse.is_some() })
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

    fn skip_content(&mut self) -> Result<(), Error> {
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
    fn chunk(&mut self, most: u64) -> Result<&[u8], Error> {
        let chunk = self.source.fill_buf().map_err(Error::Read)?;
        if chunk.is_empty() {
            return Err(Error::Truncated);
        }
        Ok(&chunk[..chunk.len().min(usize::try_from(most).unwrap_or(usize::MAX))])
    }

    /// The next record; `None` at the end of the stream.
    fn next_record(&mut self) -> Result<Option<Record>, Error> {
        if self.source.fill_buf().map_err(Error::Read)?.is_empty() {
            return Ok(None);
        }
        self.record().map(Some)
    }

    fn record(&mut self) -> Result<Record, Error> {
        let mut record = [0; RECORD];
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
    fn end(&mut self, zeros: bool, extensions: &Extensions) -> Result<Option<Header>, Error> {
        if zeros && self.next_record()?.is_some_and(|record| record != [0; RECORD]) {
            return Err(Error::LoneZeros);
        }
        if !extensions.is_empty() {
            return Err(Error::NothingExtended);
        }
        self.is_at_end = true;
        Ok(None)
    }

    /// The content of an extension header, which is kept in memory.
    fn extension(&mut self, extensions: &Extensions, size: u64) -> Result<Vec<u8>, Error> {
        if size > extensions.room() {
            return Err(Error::TooManyExtensions(self.max_extensions));
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

    fn entry(&mut self, header: &RawHeader<'_>, mut extensions: Extensions) -> Result<Header, Error> {
        let path = extensions.path(header);
        if path.is_empty() {
            return Err(Error::NoName);
        }
        let kind = kind(header, &extensions, &path)?;
        let mut metadata = metadata(header, &extensions)?;
        self.content = match kind {
            Kind::File => self.content(header, &extensions)?,
            // The names that are in it, for a restore that deletes others.
            Kind::Directory if header.kind() == GNU_DUMPED_DIRECTORY => Stored::new(header.size()?, None)?,
            _ if extensions.pax.sparse.version()?.is_some() => return Err(Error::SparseMap),
            // As Go does: other types have no content, whatever their size says.
            _ => Stored::default(),
        };
        let xattrs = std::mem::take(&mut extensions.pax.xattrs).into_iter();
        let mut xattrs = xattrs.map(|(name, value)| Xattr { name, value }).collect();
        acl::apply(&mut extensions.pax, &kind, &mut metadata, &mut xattrs)?;
        Ok(Header { path, kind, metadata, xattrs })
    }

    fn content(&mut self, header: &RawHeader<'_>, extensions: &Extensions) -> Result<Stored, Error> {
        let mut length = match extensions.pax.size {
            Some(size) => size,
            None => header.size()?,
        };
        let map = read_map(header, &extensions.pax, &mut length, || self.record())?;
        Stored::new(length, map)
    }
}

fn kind(header: &RawHeader<'_>, extensions: &Extensions, path: &[u8]) -> Result<Kind, Error> {
    let target = || extensions.link_target(header);
    let device = || header.device().map(|(major, minor)| Device { major, minor });
    Ok(match header.kind() {
        // Archives older than POSIX.1-1988 mark a directory only by the slash behind its name.
        0 if path.ends_with(b"/") => Kind::Directory,
        0 | b'0' | b'7' => Kind::File,
        b'S' if header.format() == Format::Gnu => Kind::File,
        b'1' => Kind::HardLink(target()),
        b'2' => Kind::Symlink(target()),
        b'3' => Kind::CharacterDevice(device()?),
        b'4' => Kind::BlockDevice(device()?),
        b'5' | GNU_DUMPED_DIRECTORY => Kind::Directory,
        b'6' => Kind::Fifo,
        other => return Err(Error::Type(other)),
    })
}

fn metadata(header: &RawHeader<'_>, extensions: &Extensions) -> Result<Metadata, Error> {
    let pax = &extensions.pax;
    let id = |pax: Option<u64>, header: Result<i64, Error>| match pax {
        Some(id) => Ok(i128::from(id)),
        None => header.map(i128::from),
    };
    let (uid, gid) = (id(pax.uid, header.uid())?, id(pax.gid, header.gid())?);
    // chown(2) takes the highest number for "as it is", so nobody has it.
    let fitting = |id| u32::try_from(id).ok().filter(|id| *id != u32::MAX);
    let (Some(fitting_uid), Some(fitting_gid)) = (fitting(uid), fitting(gid)) else {
        return Err(Error::Owner { uid, gid });
    };
    let time = match pax.time {
        Some(time) => time,
        None => Time { seconds: header.mtime()?, nanoseconds: 0 },
    };
    Ok(Metadata { mode: header.mode()?, uid: fitting_uid, gid: fitting_gid, time })
}

impl Stored {
    fn new(length: u64, sparse: Option<Map>) -> Result<Self, Error> {
        let padded = length.checked_next_multiple_of(RECORD as u64).ok_or(Error::Size)?;
        Ok(Self { length, padding: padded - length, sparse })
    }
}
