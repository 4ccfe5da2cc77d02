//! Places a layer: content straight to its final place in the output, names into the merged tree.

use std::fmt;
use std::io::BufRead;

use nex_ext4::{Device, FileWriter, Metadata, Timestamp, Writer, Xattr, XattrError};
use nex_fault::{Code, Fault, Remedy, Setting};
use nex_tar::{ContentSink, CopyError, Header, Kind, Reader, Types};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::codes;
use crate::layer::{Entry, EntryKind, LayerPath, Marker, Node, NodeKind, PATH_MAX, PathError, marker, symlink_target};
use crate::merge::{Merge, MergeError};

/// Bounds on what an image may bring, against layers made to exhaust the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries in all layers together.
    pub entries: u64,
    /// Bytes of PAX records and long names of one entry.
    pub headers: u32,
    /// Bytes of names, link targets and extended attributes of all entries together; they are kept in memory.
    pub metadata: u64,
}

impl Default for Limits {
    /// 10 million entries, 1 MiB of records, 1 GiB of metadata.
    fn default() -> Self {
        Self { entries: 10_000_000, headers: 1 << 20, metadata: 1 << 30 }
    }
}

/// How a source's tars are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Bounds on all of them.
    pub limits: Limits,
    /// Whether names that begin with `.wh.` hide others, as in the layers of an image; in a plain root filesystem they
    /// are names like any other.
    pub whiteouts: bool,
}

/// What has been placed so far, over all layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Entries read.
    pub entries: u64,
    /// Bytes of names, link targets and extended attributes.
    pub metadata: u64,
    /// Blocks of file content written, also for files that a later entry replaces or hides.
    pub blocks: u64,
    /// Extended attributes left out because no ext4 holds their namespace.
    pub foreign_xattrs: u64,
}

impl Placed {
    /// Counts more.
    pub fn add(&mut self, more: &Self) {
        self.entries = self.entries.saturating_add(more.entries);
        self.metadata = self.metadata.saturating_add(more.metadata);
        self.blocks = self.blocks.saturating_add(more.blocks);
        self.foreign_xattrs = self.foreign_xattrs.saturating_add(more.foreign_xattrs);
    }

    /// What has come since it was `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            entries: self.entries - before.entries,
            metadata: self.metadata - before.metadata,
            blocks: self.blocks - before.blocks,
            foreign_xattrs: self.foreign_xattrs - before.foreign_xattrs,
        }
    }
}

/// An entry that cannot be taken.
#[derive(Debug, Error)]
#[error("{at}")]
pub struct PlaceError {
    /// Which one.
    pub at: EntryName,
    /// What is wrong with it.
    #[source]
    pub cause: PlaceCause,
}

/// How messages call an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryName {
    /// Its number in its layer, from 1 on.
    pub number: u64,
    /// Its name as it stands in the layer; empty when it could not be read.
    pub path: Vec<u8>,
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}", self.number)?;
        // That of the root is empty, too.
        if self.path.is_empty() { Ok(()) } else { write!(f, " '{}'", nex_text::short_name(&self.path)) }
    }
}

/// Why an entry cannot be taken.
#[derive(Debug, Error)]
pub enum PlaceCause {
    /// The tar stream is not valid.
    #[error(transparent)]
    Tar(#[from] nex_tar::Error),
    /// The name is refused.
    #[error("the name {0}")]
    Path(PathError),
    /// The target of a hard link is refused.
    #[error("the target of the hard link {0}")]
    LinkTarget(PathError),
    /// The target of a symbolic link that no file system can hold.
    #[error("the target of the symbolic link has {0} bytes; the kernel takes 1 to {PATH_MAX}, without NUL")]
    SymlinkTarget(usize),
    /// Extended attributes that ext4 cannot hold.
    #[error(transparent)]
    Xattrs(#[from] XattrError),
    /// A whiteout of nothing.
    #[error("is a whiteout that names no file")]
    Whiteout,
    /// The entry contradicts the tree.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The output cannot take the content.
    #[error(transparent)]
    Output(#[from] nex_ext4::Error),
    /// Over [`Limits::metadata`].
    #[error("the names, link targets and extended attributes of the image take more than {0} bytes")]
    TooMuchMetadata(u64),
    /// Over [`Limits::entries`].
    #[error("the image has more than {0} entries")]
    TooManyEntries(u64),
}

impl From<PathError> for PlaceCause {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl Fault for PlaceError {
    fn code(&self) -> Code {
        self.cause.code()
    }

    fn remedy(&self) -> Option<Remedy> {
        self.cause.remedy()
    }
}

impl Fault for PlaceCause {
    fn code(&self) -> Code {
        match self {
            Self::Tar(error) => error.code(),
            Self::Path(error) | Self::LinkTarget(error) => error.code(),
            Self::SymlinkTarget(_) => codes::NAME,
            Self::Xattrs(error) => error.code(),
            Self::Whiteout => codes::WHITEOUT,
            Self::Merge(error) => error.code(),
            Self::Output(error) => error.code(),
            Self::TooMuchMetadata(_) => codes::METADATA,
            Self::TooManyEntries(_) => codes::ENTRIES,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Tar(error) => error.remedy(),
            Self::Xattrs(error) => error.remedy(),
            Self::Output(error) => error.remedy(),
            Self::TooMuchMetadata(_) => Some(Remedy::say("allow more with").raise(Setting::MaxMetadata)),
            Self::TooManyEntries(_) => Some(Remedy::say("allow more with").raise(Setting::MaxEntries)),
            Self::Path(_) | Self::LinkTarget(_) | Self::SymlinkTarget(_) | Self::Whiteout | Self::Merge(_) => None,
        }
    }
}

/// What layers are placed into.
pub struct Output<'a> {
    /// Where content goes.
    pub writer: &'a mut Writer,
    /// Where names go.
    pub merge: &'a mut Merge,
    /// What all layers have brought.
    pub placed: &'a mut Placed,
    /// Is given each entry before the merge is.
    pub on_entry: &'a mut dyn FnMut(&Entry),
}

impl Output<'_> {
    fn apply(&mut self, entry: Entry) -> Result<(), MergeError> {
        (self.on_entry)(&entry);
        self.merge.apply(entry)
    }
}

/// Places all entries of one layer, and says how many there were.
///
/// # Errors
/// The first entry that cannot be taken, with its number and name.
pub fn place_layer(layer: impl BufRead, output: &mut Output, rules: &Rules) -> Result<u64, PlaceError> {
    let types = if rules.whiteouts { Types::Posix } else { Types::Vendor };
    let mut tar = Reader::new(layer, rules.limits.headers, types);
    output.merge.start_layer();
    let mut entries = 0;
    loop {
        let number = entries + 1;
        let header = match tar.next_entry() {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(entries),
            Err(error) => {
                return Err(PlaceError { at: EntryName { number, path: Vec::new() }, cause: error.into() });
            }
        };
        let path = header.path.clone();
        place_entry(header, &mut tar, output, rules)
            .map_err(|cause| PlaceError { at: EntryName { number, path }, cause })?;
        entries = number;
    }
}

fn place_entry<R: BufRead>(
    header: Header,
    tar: &mut Reader<R>,
    output: &mut Output,
    rules: &Rules,
) -> Result<(), PlaceCause> {
    output.placed.entries += 1;
    if output.placed.entries > rules.limits.entries {
        return Err(PlaceCause::TooManyEntries(rules.limits.entries));
    }
    output.placed.metadata = output.placed.metadata.saturating_add(header.memory());
    if output.placed.metadata > rules.limits.metadata {
        return Err(PlaceCause::TooMuchMetadata(rules.limits.metadata));
    }
    let path = match if rules.whiteouts { meaning(&header.path)? } else { Meaning::Name(LayerPath::new(&header.path)?) }
    {
        Meaning::Name(path) => path,
        Meaning::Nothing => return Ok(()),
        Meaning::Hides(entry) => return Ok(output.apply(entry)?),
    };
    let kind = match header.kind {
        Kind::HardLink(target) => {
            let target = LayerPath::new(&target).map_err(PlaceCause::LinkTarget)?;
            return Ok(output.apply(Entry { path, kind: EntryKind::HardLink(target) })?);
        }
        Kind::File => {
            let mut sink = Sink(output.writer.file());
            tar.copy_content(&mut sink).map_err(|error| match error {
                CopyError::Tar(error) => PlaceCause::Tar(error),
                CopyError::Sink(cause) => cause,
            })?;
            let content = sink.0.finish()?;
            output.placed.blocks += content.blocks();
            NodeKind::File(content)
        }
        Kind::Directory => NodeKind::Directory,
        Kind::Symlink(target) => NodeKind::Symlink(symlink_target(target).map_err(PlaceCause::SymlinkTarget)?),
        Kind::CharacterDevice(number) => NodeKind::CharacterDevice(device(number)),
        Kind::BlockDevice(number) => NodeKind::BlockDevice(device(number)),
        Kind::Fifo => NodeKind::Fifo,
    };
    let xattrs = header.xattrs.into_iter().map(|xattr| Xattr { name: xattr.name.into(), value: xattr.value.into() });
    let (xattrs, foreign): (Vec<_>, Vec<_>) = xattrs.partition(is_storable);
    // Here and not only when the inode is written: until then, they would have to be kept whatever their size.
    nex_ext4::check_xattrs(&xattrs)?;
    output.placed.foreign_xattrs += foreign.len() as u64;
    let node = Node { metadata: metadata(&header.metadata), xattrs: xattrs.into(), kind };
    Ok(output.apply(Entry { path, kind: EntryKind::Node(node) })?)
}

/// Owner, mode and time as the file system has them.
fn metadata(of: &nex_tar::Metadata) -> Metadata {
    let time = Timestamp { seconds: of.time.seconds, nanoseconds: of.time.nanoseconds };
    Metadata { mode: of.mode, uid: of.uid, gid: of.gid, time }
}

fn device(number: nex_tar::Device) -> Device {
    Device { major: number.major, minor: number.minor }
}

/// What the name of an entry stands for.
enum Meaning {
    /// A name like any other.
    Name(LayerPath),
    /// Bookkeeping that means nothing in an image.
    Nothing,
    /// Something of lower layers is hidden.
    Hides(Entry),
}

fn meaning(raw: &[u8]) -> Result<Meaning, PlaceCause> {
    let path = LayerPath::with_marks(raw)?;
    if path.components().any(|name| marker(name) == Marker::Aufs) {
        return Ok(Meaning::Nothing);
    }
    let Some((parent, name)) = path.split() else {
        return Ok(Meaning::Name(path));
    };
    Ok(match marker(name) {
        Marker::None => {
            path.check_names()?;
            Meaning::Name(path)
        }
        Marker::Aufs => Meaning::Nothing,
        Marker::Opaque => Meaning::Hides(Entry { path: parent, kind: EntryKind::Opaque }),
        Marker::Whiteout(hidden) => {
            let path = LayerPath::new(&[parent.as_bytes(), b"/", hidden].concat())?;
            Meaning::Hides(Entry { path, kind: EntryKind::Whiteout })
        }
        Marker::Malformed => return Err(PlaceCause::Whiteout),
    })
}

/// Whether ext4 has a place for an attribute of this name. macOS's tar writes `com.apple.*`; containerd leaves such out too.
fn is_storable(xattr: &Xattr) -> bool {
    !matches!(nex_ext4::check_xattrs(std::slice::from_ref(xattr)), Err(XattrError::IllegalName { .. }))
}

/// Writes content to its place.
struct Sink<'a>(FileWriter<'a>);

impl ContentSink for Sink<'_> {
    type Error = PlaceCause;

    fn write(&mut self, bytes: &[u8]) -> Result<(), PlaceCause> {
        Ok(self.0.write(bytes)?)
    }

    fn hole(&mut self, length: u64) -> Result<(), PlaceCause> {
        Ok(self.0.hole(length)?)
    }
}
