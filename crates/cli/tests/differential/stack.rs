//! Random stacks of layers over few names, so that entries meet.

use std::collections::BTreeSet;
use std::fmt;

use nex_testkit::layer::Entry;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::attributes::{Attributes, Bearer, attributes};
use crate::compare::Time;

/// A stack of layers, the lowest first.
#[derive(Clone)]
pub struct Stack(pub Vec<Vec<Member>>);

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
    /// The name is hidden.
    Whiteout,
    /// All that is in the directory of this name is hidden.
    Opaque,
}

impl Stack {
    /// The members as entries of tar.
    pub fn entries(&self) -> Vec<Vec<Entry>> {
        self.0.iter().map(|layer| layer.iter().map(Member::entry).collect()).collect()
    }

    /// All members, the lowest first.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.0.iter().flatten()
    }

    /// The times of all directories that the layers describe.
    pub fn directory_times(&self) -> BTreeSet<Time> {
        let directories = self.members().filter(|member| member.what == What::Directory);
        directories.map(|member| member.attributes.modified()).collect()
    }

    /// Takes a member out, by its number among all.
    pub fn remove(&mut self, mut number: usize) -> Option<Member> {
        for layer in &mut self.0 {
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
            What::Symlink(target) => (Entry::symlink(path, target), Bearer::Other),
            What::HardLink(target) => return Entry::hard_link(path, target),
            What::Fifo => (Entry::fifo(path), Bearer::Other),
            What::CharacterDevice(major, minor) => (Entry::character_device(path, *major, *minor), Bearer::Other),
            What::BlockDevice(major, minor) => (Entry::block_device(path, *major, *minor), Bearer::Other),
            What::Whiteout => return Entry::file(self.mark(), ""),
            What::Opaque => return Entry::file([path, &b"/.wh..wh..opq"[..]].concat(), ""),
        };
        self.attributes.apply(entry, bearer)
    }

    /// The name of the file that hides this name.
    fn mark(&self) -> Vec<u8> {
        let path = self.path.trim_suffix_slashes();
        let name = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        [&path[..name], b".wh.", &path[name..]].concat()
    }
}

/// Paths without the slashes at their end.
trait TrimSlashes {
    fn trim_suffix_slashes(&self) -> &[u8];
}

impl TrimSlashes for Vec<u8> {
    fn trim_suffix_slashes(&self) -> &[u8] {
        let end = self.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        &self[..end]
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, layer) in self.0.iter().enumerate() {
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
            What::HardLink(_) | What::Whiteout | What::Opaque => Ok(()),
            _ => write!(formatter, "  {:?}", self.attributes),
        }
    }
}

impl fmt::Debug for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => write!(formatter, "directory"),
            Self::File(content) => write!(formatter, "file of {} bytes", content.len()),
            Self::Symlink(target) => write!(formatter, "-> {}", target.escape_ascii()),
            Self::HardLink(target) => write!(formatter, "= {}", target.escape_ascii()),
            Self::Fifo => write!(formatter, "pipe"),
            Self::CharacterDevice(major, minor) => write!(formatter, "character device {major}:{minor}"),
            Self::BlockDevice(major, minor) => write!(formatter, "block device {major}:{minor}"),
            Self::Whiteout => write!(formatter, "hidden"),
            Self::Opaque => write!(formatter, "opaque"),
        }
    }
}

/// A member whose hard link has no target yet: that is one of the names before it.
#[derive(Clone, Debug)]
struct Draft {
    member: Member,
    target: Option<Index>,
}

/// Stacks of 1 to 5 layers.
pub fn stacks() -> impl Strategy<Value = Stack> {
    vec(vec(draft(), 0..8), 1..6).prop_map(|layers| {
        let mut linkable = Vec::new();
        let layers =
            layers.into_iter().map(|layer| layer.into_iter().map(|draft| settle(draft, &mut linkable)).collect());
        Stack(layers.collect())
    })
}

/// Links a draft to one of the names before it.
fn settle(draft: Draft, linkable: &mut Vec<Vec<u8>>) -> Member {
    let Draft { mut member, target } = draft;
    if let (Some(index), false) = (target, linkable.is_empty()) {
        member.what = What::HardLink(index.get(linkable).clone());
    }
    if !matches!(member.what, What::Directory | What::Whiteout | What::Opaque) {
        linkable.push(member.path.clone());
    }
    member
}

fn draft() -> impl Strategy<Value = Draft> {
    let target = prop_oneof![6 => Just(None), 1 => any::<Index>().prop_map(Some)];
    let root = (Just(b"./".to_vec()), Just(What::Directory));
    let member = prop_oneof![1 => root.boxed(), 15 => (path(), what()).boxed()];
    (member, attributes(), target).prop_map(|((path, what), attributes, target)| {
        let target = target.filter(|_| path != b"./");
        Draft { member: Member { path, what, attributes }, target }
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let odd: Vec<&[u8]> = vec![b"\xff\xfe", b".wh", b"...", b"a b\n"];
    prop_oneof![
        30 => select(vec![b"a", b"b", b"c"]).prop_map(|name| name.to_vec()),
        1 => select(odd).prop_map(<[u8]>::to_vec),
    ]
}

/// A path in one of its spellings.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let before = prop_oneof![10 => Just(""), 1 => Just("./"), 1 => Just("/"), 1 => Just("//")];
    let between = prop_oneof![10 => Just("/"), 1 => Just("//"), 1 => Just("/./")];
    let behind = prop_oneof![10 => Just(""), 1 => Just("/")];
    (before, vec(name(), 1..4), between, behind).prop_map(|(before, names, between, behind)| {
        [before.as_bytes(), &names.join(between.as_bytes()), behind.as_bytes()].concat()
    })
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        5 => Just(What::Directory),
        4 => prop_oneof![vec(any::<u8>(), 0..20), Just(vec![7; 5000])].prop_map(What::File),
        4 => symlink_target().prop_map(What::Symlink),
        1 => path().prop_map(What::HardLink),
        1 => Just(What::Fifo),
        1 => (0..4096u32, 0..(1u32 << 20)).prop_map(|(major, minor)| What::CharacterDevice(major, minor)),
        1 => (0..300u32, 0..300u32).prop_map(|(major, minor)| What::BlockDevice(major, minor)),
        3 => Just(What::Whiteout),
        2 => Just(What::Opaque),
    ]
}

/// Relative or absolute, up and down, to something or nothing.
fn symlink_target() -> impl Strategy<Value = Vec<u8>> {
    let step = prop_oneof![6 => name(), 3 => Just(b"..".to_vec()), 1 => Just(b".".to_vec())];
    let start = prop_oneof![3 => Just(""), 1 => Just("/")];
    (start, vec(step, 1..4)).prop_map(|(start, steps)| [start.as_bytes(), &steps.join(&b'/')].concat())
}
