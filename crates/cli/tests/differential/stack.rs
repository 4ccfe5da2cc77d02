//! Stacks of layers: what is in them, as tar and as the tree that comes of it.

use std::collections::BTreeSet;
use std::fmt;

use nex_testkit::layer::{self, Entry};
use nex_testkit::layout::Compression;
use nex_testkit::manifest::{self, Kind};

use crate::attributes::{Attributes, Bearer};
use crate::compare::Time;

/// A stack of layers.
#[derive(Clone)]
pub struct Stack {
    /// The layers, the lowest first.
    pub layers: Vec<Vec<Member>>,
    /// How they are compressed.
    pub compression: Compression,
}

/// One entry of a layer.
#[derive(Clone)]
pub struct Member {
    /// The name as it is spelled in the layer.
    pub path: Vec<u8>,
    /// What it says about the name.
    pub what: What,
    /// What belongs to it beside.
    pub attributes: Attributes,
}

/// What a member says about its name.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// A directory.
    Directory,
    /// A file of this content.
    File(Vec<u8>),
    /// A file with holes: its size, and what is in it at which places.
    Sparse(u64, Vec<(u64, Vec<u8>)>),
    /// A symbolic link.
    Symlink(Vec<u8>),
    /// A hard link to this name.
    HardLink(Vec<u8>),
    /// A pipe.
    Fifo,
    /// A character device: major, minor.
    CharacterDevice(u32, u32),
    /// A block device: major, minor.
    BlockDevice(u32, u32),
    /// The name is hidden, by a mark of this type.
    Whiteout(Mark),
    /// All that is in the directory of this name is hidden.
    Opaque,
    /// A name that AUFS keeps for itself, beside this one; it means nothing.
    Bookkeeping(&'static str),
}

/// The types of file that stand for a whiteout in images that somebody has published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// An empty file, as the specification has it.
    File,
    /// A hard link to nothing.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A directory.
    Directory,
}

impl Stack {
    /// The members as entries of tar.
    pub fn entries(&self) -> Vec<Vec<Entry>> {
        self.layers.iter().map(|layer| layer.iter().map(Member::entry).collect()).collect()
    }

    /// All members, the lowest first.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.layers.iter().flatten()
    }

    /// The times of all directories that the layers describe.
    pub fn directory_times(&self) -> BTreeSet<Time> {
        let directories = self.members().filter(|member| member.what == What::Directory);
        directories.map(|member| member.attributes.modified()).collect()
    }

    /// Takes a member out, by its number among all.
    pub fn remove(&mut self, mut number: usize) -> Option<Member> {
        for layer in &mut self.layers {
            if number < layer.len() {
                return Some(layer.remove(number));
            }
            number -= layer.len();
        }
        None
    }
}

impl Member {
    fn entry(&self) -> Entry {
        let path = &self.path;
        let (entry, bearer) = match &self.what {
            What::Directory => (Entry::directory(path), Bearer::Directory),
            What::File(content) => (Entry::file(path, content), Bearer::File),
            What::Sparse(size, regions) => (Entry::sparse(path, *size, regions), Bearer::File),
            What::Symlink(target) => (Entry::symlink(path, target), Bearer::Other),
            What::HardLink(target) => return Entry::hard_link(path, target),
            What::Fifo => (Entry::fifo(path), Bearer::Other),
            What::CharacterDevice(major, minor) => (Entry::character_device(path, *major, *minor), Bearer::Other),
            What::BlockDevice(major, minor) => (Entry::block_device(path, *major, *minor), Bearer::Other),
            What::Whiteout(mark) => return self.mark(*mark),
            What::Opaque => return Entry::file([path, &b"/.wh..wh..opq"[..]].concat(), ""),
            What::Bookkeeping(name) => return Entry::file([self.directory(), name.as_bytes()].concat(), ""),
        };
        self.attributes.apply(entry, bearer)
    }

    /// The file that hides this name.
    fn mark(&self, mark: Mark) -> Entry {
        let directory = self.directory();
        let name = trim_slashes(&self.path[directory.len()..]);
        let path = [directory, b".wh.", name].concat();
        match mark {
            Mark::File => Entry::file(path, ""),
            Mark::HardLink => Entry::hard_link(path, "missing"),
            Mark::Symlink => Entry::symlink(path, "missing"),
            Mark::Directory => Entry::directory([&path, &b"/"[..]].concat()),
        }
    }

    /// The path up to its last name.
    fn directory(&self) -> &[u8] {
        let path = trim_slashes(&self.path);
        &path[..path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)]
    }

    /// What the tree has under this name.
    ///
    /// # Panics
    /// When the member is a hard link or a mark, which have nothing of their own.
    pub fn file(&self) -> manifest::Entry {
        let content = |bytes: &[u8]| manifest::file_kind(bytes).expect("memory can be read");
        let (kind, bearer) = match &self.what {
            What::Directory => (Kind::Directory, Bearer::Directory),
            What::File(bytes) => (content(bytes), Bearer::File),
            What::Sparse(size, regions) => (content(&layer::expanded(*size, regions)), Bearer::File),
            What::Symlink(target) => (Kind::Symlink(target.clone()), Bearer::Other),
            What::Fifo => (Kind::Fifo, Bearer::Other),
            What::CharacterDevice(major, minor) => (Kind::CharacterDevice(*major, *minor), Bearer::Other),
            What::BlockDevice(major, minor) => (Kind::BlockDevice(*major, *minor), Bearer::Other),
            What::HardLink(_) | What::Whiteout(_) | What::Opaque | What::Bookkeeping(_) => {
                panic!("{self:?} has no file of its own")
            }
        };
        self.attributes.of_file(kind, bearer)
    }
}

/// A path without the slashes at its end.
fn trim_slashes(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1)]
}

impl fmt::Debug for Stack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.compression)?;
        for (number, layer) in self.layers.iter().enumerate() {
            write!(formatter, "\n  layer {}:", number + 1)?;
            layer.iter().try_for_each(|member| write!(formatter, "\n    {member:?}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.path.escape_ascii(), self.what)?;
        match self.what {
            What::HardLink(_) | What::Whiteout(_) | What::Opaque | What::Bookkeeping(_) => Ok(()),
            _ => write!(formatter, "  {:?}", self.attributes),
        }
    }
}

impl fmt::Debug for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => write!(formatter, "directory"),
            Self::File(content) => write!(formatter, "file of {} bytes", content.len()),
            Self::Sparse(size, regions) => write!(formatter, "file of {size} bytes, {} regions", regions.len()),
            Self::Symlink(target) => write!(formatter, "-> {}", target.escape_ascii()),
            Self::HardLink(target) => write!(formatter, "= {}", target.escape_ascii()),
            Self::Fifo => write!(formatter, "pipe"),
            Self::CharacterDevice(major, minor) => write!(formatter, "character device {major}:{minor}"),
            Self::BlockDevice(major, minor) => write!(formatter, "block device {major}:{minor}"),
            Self::Whiteout(mark) => write!(formatter, "hidden by a mark of type {mark:?}"),
            Self::Opaque => write!(formatter, "opaque"),
            Self::Bookkeeping(name) => write!(formatter, "is beside {name}"),
        }
    }
}
