//! Random trees, straight into the writer, and read back by the kernel: no layers and no tar between.

mod support;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use nex_ext4::{Device, Directory, Inode, InodeId, Kind, Layout, Metadata, Size, Timestamp, Tree, Xattr};
use nex_testkit::manifest::{self, Collector, Manifest};
use nex_testkit::{Failure, Result, fsck, kernel};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use support::{Builder, MIB};

/// How many trees are tried when the environment says nothing.
const QUICK: u32 = 60;
const SLOW: u32 = 2000;
/// Variables that say otherwise.
const CASES: &str = "NEX_RANDOM_TREES";
const SEED: &str = "NEX_RANDOM_SEED";

/// 2310-04-04: from here to 2378 e2fsck takes a time for one before 1970 that an old kernel wrote wrongly.
const TAKEN_FOR_1901: i64 = 5 << 31;

/// An inode to be, with a place among those before it.
#[derive(Clone, Debug)]
struct Draft {
    parent: Index,
    name: Vec<u8>,
    what: What,
    metadata: (u16, u32, u32, (i64, u32)),
    xattrs: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Debug)]
enum What {
    Directory,
    /// A directory with so many names of this length.
    Crowd(usize, usize),
    File(Vec<Piece>),
    Symlink(usize),
    /// A further name of one of the inodes before.
    HardLink(Index),
    CharacterDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    Socket,
}

/// A hole, and bytes behind it.
#[derive(Clone, Debug)]
struct Piece {
    hole: usize,
    length: usize,
    byte: u8,
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    vec(draft(), 0..40)
}

fn draft() -> impl Strategy<Value = Draft> {
    let mode = prop_oneof![select(vec![0o644, 0o755, 0o4711, 0o1777]), 0..0o10000u16];
    let id = || prop_oneof![3 => Just(0), 1 => 65_530..65_540u32, 1 => any::<u32>()];
    let seconds = prop_oneof![1_000_000_000..1_700_000_000i64, -(1i64 << 31)..TAKEN_FOR_1901, -2..2i64];
    let time = (seconds, prop_oneof![Just(0), Just(999_999_999), 0..1_000_000_000u32]);
    (any::<Index>(), name(), what(), (mode, id(), id(), time), xattrs())
        .prop_map(|(parent, name, what, metadata, xattrs)| Draft { parent, name, what, metadata, xattrs })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no name holds it", |byte| !matches!(byte, 0 | b'/'));
    let any = prop_oneof![4 => vec(byte.clone(), 1..12), 1 => vec(byte, 240..256)];
    any.prop_filter("every directory has it", |name| !matches!(&name[..], b"." | b".."))
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        5 => Just(What::Directory),
        1 => (1..700usize, 4..255usize).prop_map(|(count, length)| What::Crowd(count, length)),
        6 => vec(piece(), 0..6).prop_map(What::File),
        1 => (1..700usize).prop_map(|count| What::File(vec![Piece { hole: 4096, length: 4096, byte: 7 }; count])),
        3 => prop_oneof![1..100usize, 4000..4096usize].prop_map(What::Symlink),
        2 => any::<Index>().prop_map(What::HardLink),
        1 => (0..4096u32, 0..(1u32 << 20)).prop_map(|(major, minor)| What::CharacterDevice(major, minor)),
        1 => (0..300u32, 0..300u32).prop_map(|(major, minor)| What::BlockDevice(major, minor)),
        1 => Just(What::Fifo),
        1 => Just(What::Socket),
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    let length = || prop_oneof![Just(0), Just(4096), 1..20_000usize];
    (length(), length(), any::<u8>()).prop_map(|(hole, length, byte)| Piece { hole, length, byte })
}

/// Few enough bytes for one block, in names of every prefix that the kernel shows to root.
fn xattrs() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let prefix = select(vec!["user.", "trusted.", "security.nex."]);
    let attribute = (prefix, "[a-z]{1,40}", vec(any::<u8>(), 0..250))
        .prop_map(|(prefix, name, value)| (format!("{prefix}{name}"), value));
    let large = vec(any::<u8>(), 3000..3900).prop_map(|value| BTreeMap::from([("trusted.large".to_owned(), value)]));
    let several = vec(attribute, 1..12).prop_map(|all| all.into_iter().collect());
    prop_oneof![6 => Just(BTreeMap::new()), 2 => several, 1 => large]
}

/// A tree under way: what the writer is given, and what must be read back.
struct Growing {
    builder: Builder,
    directories: Vec<(InodeId, Vec<u8>)>,
    leaves: Vec<(InodeId, manifest::Entry)>,
    expected: Collector,
}

impl Growing {
    fn new() -> Self {
        let builder = Builder::new(&Layout::default());
        let root = builder.tree.inode(Tree::ROOT).metadata;
        let mut expected = Collector::default();
        expected.add(Vec::new(), 0, entry(manifest::Kind::Directory, &root, BTreeMap::new()));
        Self { builder, directories: vec![(Tree::ROOT, Vec::new())], leaves: Vec::new(), expected }
    }

    fn grow(&mut self, draft: &Draft) -> Result<()> {
        let (parent, above) = draft.parent.get(&self.directories).clone();
        if self.builder.tree.directory(parent).is_some_and(|names| names.contains_key(&draft.name[..])) {
            return Ok(());
        }
        let path = if above.is_empty() { draft.name.clone() } else { [&above, &b"/"[..], &draft.name].concat() };
        if let What::HardLink(index) = &draft.what {
            if !self.leaves.is_empty() {
                let (id, entry) = index.get(&self.leaves).clone();
                self.builder.link(parent, &draft.name, id);
                self.expected.add(path, id.index() as u64, entry);
            }
            return Ok(());
        }
        let (kind, shown) = self.kinds(&draft.what)?;
        let (mode, uid, gid, (seconds, nanoseconds)) = draft.metadata;
        let mode = if matches!(draft.what, What::Symlink(_)) { 0o777 } else { mode };
        let metadata = Metadata { mode, uid, gid, time: Timestamp { seconds, nanoseconds } };
        let bears_user = matches!(draft.what, What::Directory | What::Crowd(..) | What::File(_));
        let borne = draft.xattrs.iter().filter(|(name, _)| bears_user || !name.starts_with("user."));
        let borne: BTreeMap<Vec<u8>, Vec<u8>> =
            borne.map(|(name, value)| (name.clone().into_bytes(), value.clone())).collect();
        let xattr = |(name, value): (&Vec<u8>, &Vec<u8>)| Xattr { name: name[..].into(), value: value[..].into() };
        let xattrs = borne.iter().map(xattr).collect();
        let id = self.builder.add_inode(parent, &draft.name, Inode { metadata, kind, xattrs });
        let entry = entry(shown, &metadata, borne);
        self.expected.add(path.clone(), id.index() as u64, entry.clone());
        match draft.what {
            What::Directory => self.directories.push((id, path)),
            What::Crowd(count, length) => (0..count).for_each(|number| self.crowd(id, &path, number, length)),
            _ => self.leaves.push((id, entry)),
        }
        Ok(())
    }

    fn crowd(&mut self, directory: InodeId, path: &[u8], number: usize, length: usize) {
        let name = format!("{number:0>length$}").into_bytes();
        let id = self.builder.add(directory, &name, Kind::Fifo);
        let entry = entry(manifest::Kind::Fifo, &self.builder.tree.inode(id).metadata, BTreeMap::new());
        self.expected.add([path, b"/", &name].concat(), id.index() as u64, entry);
    }

    /// The kind for the writer, and the same as it is read back.
    fn kinds(&mut self, what: &What) -> Result<(Kind, manifest::Kind)> {
        let device = |major, minor| Device { major, minor };
        Ok(match what {
            What::Directory | What::Crowd(..) => (Kind::Directory(Directory::new()), manifest::Kind::Directory),
            What::File(pieces) => {
                let mut bytes = Vec::new();
                let mut file = self.builder.writer.file();
                for piece in pieces {
                    file.hole(piece.hole as u64)?;
                    file.write(&vec![piece.byte; piece.length])?;
                    bytes.resize(bytes.len() + piece.hole, 0);
                    bytes.resize(bytes.len() + piece.length, piece.byte);
                }
                (Kind::File(file.finish()?), manifest::file_kind(&bytes[..])?)
            }
            What::Symlink(length) => {
                let target = vec![b'x'; *length];
                (Kind::Symlink(target[..].into()), manifest::Kind::Symlink(target))
            }
            &What::CharacterDevice(major, minor) => {
                (Kind::CharacterDevice(device(major, minor)), manifest::Kind::CharacterDevice(major, minor))
            }
            &What::BlockDevice(major, minor) => {
                (Kind::BlockDevice(device(major, minor)), manifest::Kind::BlockDevice(major, minor))
            }
            What::Fifo | What::HardLink(_) => (Kind::Fifo, manifest::Kind::Fifo),
            What::Socket => (Kind::Socket, manifest::Kind::Socket),
        })
    }
}

fn entry(kind: manifest::Kind, metadata: &Metadata, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) -> manifest::Entry {
    manifest::Entry {
        kind,
        mode: metadata.mode.into(),
        uid: metadata.uid,
        gid: metadata.gid,
        modified: (metadata.time.seconds, metadata.time.nanoseconds),
        xattrs,
        linked: None,
    }
}

/// Writes a tree, has e2fsck check it, and gives what was expected and what the kernel reads.
fn write_and_read(drafts: &[Draft], free: u64) -> Result<(Manifest, Manifest)> {
    let mut growing = Growing::new();
    drafts.iter().try_for_each(|draft| growing.grow(draft))?;
    let image = growing.builder.try_finish(Size::Auto { free: Some(free) })?;
    fsck::check(&image.path())?;
    Ok((growing.expected.finish(), kernel::read_tree(&image.path())?))
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn try_trees(cases: u32) -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let cases = number(CASES).map_or(cases, |cases| cases as u32);
    // The standard library keys its hash maps at random.
    let seed = number(SEED).unwrap_or_else(|| RandomState::new().hash_one(0));
    let rng_seed = RngSeed::Fixed(seed);
    let config = Config { cases, rng_seed, failure_persistence: None, max_shrink_iters: 600, ..Config::default() };
    let result = TestRunner::new(config).run(&(drafts(), 0..20 * MIB), |(drafts, free)| {
        let verdict = write_and_read(&drafts, free).and_then(|(expected, found)| manifest::equal(&expected, &found));
        verdict.map_err(|failure| TestCaseError::fail(failure.to_string()))
    });
    result.map_err(|error| Failure::new(format!("{error}\nagain with {SEED}={seed} {CASES}={cases}")))
}

#[test]
fn the_kernel_reads_random_trees_as_they_were_given() -> Result<()> {
    try_trees(QUICK)
}

#[test]
#[ignore = "slow: thousands of trees, a minute"]
fn the_kernel_reads_thousands_of_random_trees_as_they_were_given() -> Result<()> {
    try_trees(SLOW)
}

/// What is read back differs from every tree that differs by one draft.
#[test]
fn a_tree_that_lacks_something_is_another() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let mut runner = TestRunner::deterministic();
    let tree = vec(draft(), 12).new_tree(&mut runner).expect("trees can be made");
    let drafts = proptest::strategy::ValueTree::current(&tree);
    let (expected, found) = write_and_read(&drafts, MIB)?;
    manifest::equal(&expected, &found)?;
    for path in expected.keys().filter(|path| !path.is_empty()) {
        let mut other = expected.clone();
        other.remove(path);
        assert!(manifest::equal(&other, &found).is_err(), "{}", path.escape_ascii());
    }
    Ok(())
}
