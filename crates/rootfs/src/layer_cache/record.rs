//! What a layer says about names, kept so that it can be told to another merge: entries in order, one after the other.
//!
//! The entries and not the tree that they make are kept: the merge stays the only one that knows what they mean, and what
//! depends on the build, such as the time of directories that no layer describes, stays out.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;

use nex_ext4::{Content, Device, Extent, Metadata, Timestamp, Xattr};
use serde::{Deserialize, Serialize};

use crate::layer::{Entry, EntryKind, LayerPath, Node, NodeKind, symlink_target};

/// The bits of a mode that a layer decides.
const PERMISSIONS: u16 = 0o7777;

/// In nanoseconds.
const SECOND: u32 = 1_000_000_000;

/// An entry as it is written.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    path: &'a [u8],
    #[serde(borrow)]
    kind: WrittenKind<'a>,
}

#[derive(Serialize, Deserialize)]
enum WrittenKind<'a> {
    #[serde(borrow)]
    Node(WrittenNode<'a>),
    HardLink(&'a [u8]),
    Whiteout,
    Opaque,
}

#[derive(Serialize, Deserialize)]
struct WrittenNode<'a> {
    mode: u16,
    uid: u32,
    gid: u32,
    seconds: i64,
    nanoseconds: u32,
    #[serde(borrow)]
    xattrs: Vec<(&'a [u8], &'a [u8])>,
    #[serde(borrow)]
    kind: WrittenNodeKind<'a>,
}

#[derive(Serialize, Deserialize)]
enum WrittenNodeKind<'a> {
    Directory,
    /// The size, and of each extent its first block in the file and on the disk, and its length.
    File(u64, Vec<(u32, u64, u32)>),
    Symlink(&'a [u8]),
    CharacterDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

/// Takes down entries.
pub struct Record {
    file: BufWriter<File>,
    buffer: Vec<u8>,
    entries: u64,
    result: io::Result<()>,
}

impl Record {
    /// Begins in an empty file.
    pub fn new(file: File) -> Self {
        Self { file: BufWriter::new(file), buffer: Vec::new(), entries: 0, result: Ok(()) }
    }

    /// Takes down the next entry. What fails is told in the end.
    pub fn add(&mut self, entry: &Entry) {
        if self.result.is_ok() {
            self.result = self.write(&Written::of(entry));
            self.entries += 1;
        }
    }

    /// How many entries there are so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Ends it.
    ///
    /// # Errors
    /// When not everything could be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.result?;
        self.file.flush()
    }

    fn write(&mut self, written: &Written) -> io::Result<()> {
        self.buffer.clear();
        self.buffer = postcard::to_extend(written, std::mem::take(&mut self.buffer)).map_err(io::Error::other)?;
        self.file.write_all(&self.buffer)
    }
}

/// Reads the entries of a record. They must be what the layers of an image can say, and their content must be in `blocks`, each
/// file's behind that of the one before.
pub fn entries(record: &[u8], blocks: Range<u64>) -> impl Iterator<Item = io::Result<Entry>> {
    let (mut rest, mut blocks) = (record, blocks);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = match postcard::take_from_bytes::<Written>(rest) {
            Ok((written, behind)) => {
                rest = behind;
                written.entry(&mut blocks)
            }
            Err(_) => None,
        };
        if entry.is_none() {
            rest = &[];
        }
        Some(entry.ok_or_else(|| io::Error::other("its entries cannot be read")))
    })
}

impl<'a> Written<'a> {
    fn of(entry: &'a Entry) -> Self {
        let kind = match &entry.kind {
            EntryKind::Node(node) => WrittenKind::Node(WrittenNode::of(node)),
            EntryKind::HardLink(target) => WrittenKind::HardLink(target.as_bytes()),
            EntryKind::Whiteout => WrittenKind::Whiteout,
            EntryKind::Opaque => WrittenKind::Opaque,
        };
        Self { path: entry.path.as_bytes(), kind }
    }

    /// `None` when no layer says such a thing.
    fn entry(self, blocks: &mut Range<u64>) -> Option<Entry> {
        let path = match self.kind {
            // The name of a directory to be hidden may be longer than a name can be; it hides nothing then.
            WrittenKind::Whiteout | WrittenKind::Opaque => LayerPath::with_marks(self.path).ok()?,
            WrittenKind::Node(_) | WrittenKind::HardLink(_) => LayerPath::new(self.path).ok()?,
        };
        let kind = match self.kind {
            WrittenKind::Node(node) => EntryKind::Node(node.node(blocks)?),
            WrittenKind::HardLink(target) => EntryKind::HardLink(LayerPath::new(target).ok()?),
            WrittenKind::Whiteout => EntryKind::Whiteout,
            WrittenKind::Opaque => EntryKind::Opaque,
        };
        Some(Entry { path, kind })
    }
}

impl<'a> WrittenNode<'a> {
    fn of(node: &'a Node) -> Self {
        let Metadata { mode, uid, gid, time: Timestamp { seconds, nanoseconds } } = node.metadata;
        let xattrs = node.xattrs.iter().map(|xattr| (&*xattr.name, &*xattr.value)).collect();
        let kind = match &node.kind {
            NodeKind::Directory => WrittenNodeKind::Directory,
            NodeKind::File(content) => {
                let extent = |extent: &Extent| (extent.logical, extent.physical, extent.length);
                WrittenNodeKind::File(content.size(), content.extents().iter().map(extent).collect())
            }
            NodeKind::Symlink(target) => WrittenNodeKind::Symlink(target),
            NodeKind::CharacterDevice(device) => WrittenNodeKind::CharacterDevice(device.major, device.minor),
            NodeKind::BlockDevice(device) => WrittenNodeKind::BlockDevice(device.major, device.minor),
            NodeKind::Fifo => WrittenNodeKind::Fifo,
        };
        Self { mode, uid, gid, seconds, nanoseconds, xattrs, kind }
    }

    /// `None` when no layer describes such a node.
    fn node(self, blocks: &mut Range<u64>) -> Option<Node> {
        if self.mode & !PERMISSIONS != 0 || self.nanoseconds >= SECOND {
            return None;
        }
        let time = Timestamp { seconds: self.seconds, nanoseconds: self.nanoseconds };
        let metadata = Metadata { mode: self.mode, uid: self.uid, gid: self.gid, time };
        let xattr = |(name, value): (&[u8], &[u8])| Xattr { name: name.into(), value: value.into() };
        let xattrs: Box<[_]> = self.xattrs.into_iter().map(xattr).collect();
        nex_ext4::check_xattrs(&xattrs).ok()?;
        let kind = match self.kind {
            WrittenNodeKind::Directory => NodeKind::Directory,
            WrittenNodeKind::File(size, extents) => {
                let extent = |(logical, physical, length)| Extent { logical, physical, length };
                let extents: Vec<_> = extents.into_iter().map(extent).collect();
                // A block belongs to one file: where the last one ends, the next may begin.
                let behind = extents.last().map(|last| last.physical.saturating_add(last.length.into()));
                let content = Content::placed_before(size, extents, blocks.clone())?;
                blocks.start = behind.unwrap_or(blocks.start);
                NodeKind::File(content)
            }
            WrittenNodeKind::Symlink(target) => NodeKind::Symlink(symlink_target(target.into()).ok()?),
            WrittenNodeKind::CharacterDevice(major, minor) => NodeKind::CharacterDevice(Device { major, minor }),
            WrittenNodeKind::BlockDevice(major, minor) => NodeKind::BlockDevice(Device { major, minor }),
            WrittenNodeKind::Fifo => NodeKind::Fifo,
        };
        Some(Node { metadata, xattrs, kind })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use super::*;

    #[test]
    fn what_is_taken_down_reads_back() {
        let path = |path: &[u8]| LayerPath::new(path).unwrap();
        let content =
            Content::placed_before(9000, vec![Extent { logical: 1, physical: 40, length: 2 }], 33..90).unwrap();
        let node = |kind| {
            let time = Timestamp { seconds: -5, nanoseconds: 999_999_999 };
            let xattrs = [Xattr { name: (*b"user.a").into(), value: (*b"\0\xff").into() }].into();
            EntryKind::Node(Node { metadata: Metadata { mode: 0o7777, uid: u32::MAX, gid: 5, time }, xattrs, kind })
        };
        let device = Device { major: 4095, minor: 1 << 19 };
        let kinds = [
            node(NodeKind::Directory),
            node(NodeKind::File(content)),
            node(NodeKind::File(Content::default())),
            node(NodeKind::Symlink((*b"../\xff").into())),
            node(NodeKind::CharacterDevice(device)),
            node(NodeKind::BlockDevice(device)),
            node(NodeKind::Fifo),
            EntryKind::HardLink(path(b"a/b")),
            EntryKind::Whiteout,
            EntryKind::Opaque,
        ];
        let written: Vec<_> = kinds.into_iter().map(|kind| Entry { path: path(b"d/\xfe"), kind }).collect();
        let mut file = tempfile::tempfile().unwrap();
        let mut record = Record::new(file.try_clone().unwrap());
        written.iter().for_each(|entry| record.add(entry));
        record.finish().unwrap();
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let read: io::Result<Vec<_>> = entries(&bytes, 33..90).collect();
        assert_eq!(read.unwrap(), written);

        // Blocks of others, blocks of the file before, and an end within an entry.
        assert!(entries(&bytes, 33..41).any(|entry| entry.is_err()));
        assert!(entries(&bytes.repeat(2), 33..90).any(|entry| entry.is_err()));
        assert!(entries(&bytes[..bytes.len() - 1], 33..90).any(|entry| entry.is_err()));
    }
}
