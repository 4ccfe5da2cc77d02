//! A tree of files as everybody can see it, and the differences between two of them.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::Result;
use crate::failure::Failure;

/// How many differences a text lists.
const LISTED: usize = 40;
/// Where an ACL stands in the kernel's interface.
const ACL_PREFIX: &[u8] = b"system.posix_acl_";

/// What a file is, and what belongs to its type.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file: its length in bytes and the SHA-256 of its bytes.
    File {
        /// Length in bytes.
        size: u64,
        /// The digest of the content.
        sha256: [u8; 32],
    },
    /// A symbolic link with its target.
    Symlink(Vec<u8>),
    /// A character device: major, minor.
    CharacterDevice(u32, u32),
    /// A block device: major, minor.
    BlockDevice(u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
}

/// One name of a tree.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Type, content, target or device number.
    pub kind: Kind,
    /// Permission, setid and sticky bits (`07777`).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Last change: seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    /// Extended attributes by their full names.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// For a file with several names: the first of them in byte order. `None` when this is its only name.
    pub linked: Option<Vec<u8>>,
}

/// A tree: each name without a slash in front (the root is the empty name), and what it names.
pub type Manifest = BTreeMap<Vec<u8>, Entry>;

/// A difference at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name.
    pub path: Vec<u8>,
    /// What differs, expected before found.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}: {}", self.path.escape_ascii(), self.what)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => write!(formatter, "directory"),
            Self::File { size, sha256 } => {
                let [a, b, c, d, ..] = sha256;
                write!(formatter, "file of {size} bytes ({a:02x}{b:02x}{c:02x}{d:02x})")
            }
            Self::Symlink(target) => write!(formatter, "link to {}", target.escape_ascii()),
            Self::CharacterDevice(major, minor) => write!(formatter, "character device {major}:{minor}"),
            Self::BlockDevice(major, minor) => write!(formatter, "block device {major}:{minor}"),
            Self::Fifo => write!(formatter, "fifo"),
            Self::Socket => write!(formatter, "socket"),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {:04o} {}:{}", self.kind, self.mode, self.uid, self.gid)
    }
}

/// Every difference, in order of the names.
pub fn differences(expected: &Manifest, found: &Manifest) -> Vec<Difference> {
    let missing = expected.iter().filter(|(path, _)| !found.contains_key(*path));
    let missing = missing.map(|(path, entry)| Difference { path: path.clone(), what: format!("missing: {entry:?}") });
    let rest = found.iter().filter_map(|(path, entry)| {
        let what = match expected.get(path) {
            None => format!("not expected: {entry:?}"),
            Some(wanted) if wanted == entry => return None,
            Some(wanted) => entry_difference(wanted, entry),
        };
        Some(Difference { path: path.clone(), what })
    });
    let mut all: Vec<Difference> = missing.chain(rest).collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// Two trees are the same.
///
/// # Errors
/// A list of the differences.
pub fn equal(expected: &Manifest, found: &Manifest) -> Result<()> {
    let all = differences(expected, found);
    if all.is_empty() { Ok(()) } else { Err(Failure::new(list(&all))) }
}

/// The differences, one a line, the first of them when there are many.
pub fn list(differences: &[Difference]) -> String {
    let mut text = format!("{} differences:", differences.len());
    for difference in differences.iter().take(LISTED) {
        text.push_str(&format!("\n  {difference}"));
    }
    text
}

/// The fields that differ, expected before found.
fn entry_difference(expected: &Entry, found: &Entry) -> String {
    let mut parts = Vec::new();
    if expected.kind != found.kind {
        parts.push(format!("{:?}, found {:?}", expected.kind, found.kind));
    }
    if expected.mode != found.mode {
        parts.push(format!("mode {:04o}, found {:04o}", expected.mode, found.mode));
    }
    if (expected.uid, expected.gid) != (found.uid, found.gid) {
        parts.push(format!("owner {}:{}, found {}:{}", expected.uid, expected.gid, found.uid, found.gid));
    }
    if expected.modified != found.modified {
        parts.push(format!("time {:?}, found {:?}", expected.modified, found.modified));
    }
    if expected.xattrs != found.xattrs {
        parts.push(format!("xattrs {}, found {}", xattr_text(&expected.xattrs), xattr_text(&found.xattrs)));
    }
    if expected.linked != found.linked {
        parts.push(format!("linked to {}, found {}", link_text(&expected.linked), link_text(&found.linked)));
    }
    parts.join("; ")
}

fn xattr_text(xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> String {
    let pairs = xattrs.iter().map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii()));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

fn link_text(linked: &Option<Vec<u8>>) -> String {
    linked.as_ref().map_or("nothing".to_owned(), |path| format!("/{}", path.escape_ascii()))
}

/// A tree while it is read: names come with the inode they name, and hard links are found at the end.
#[derive(Default)]
pub struct Collector {
    entries: BTreeMap<Vec<u8>, (u64, Entry)>,
}

impl Collector {
    /// Adds a name. `inode` is the same for all names of one file.
    pub fn add(&mut self, path: Vec<u8>, inode: u64, entry: Entry) {
        self.entries.insert(path, (inode, entry));
    }

    /// The tree, each hard link with the first name of its file.
    pub fn finish(self) -> Manifest {
        let mut names: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
        for (path, (inode, entry)) in &self.entries {
            if entry.kind != Kind::Directory {
                names.entry(*inode).or_default().push(path.clone());
            }
        }
        let first_name = |inode: &u64| names.get(inode).filter(|all| all.len() > 1).map(|all| all[0].clone());
        let linked = |(path, (inode, entry))| (path, Entry { linked: first_name(&inode), ..entry });
        self.entries.into_iter().map(linked).collect()
    }
}

/// A regular file's kind, from its content.
///
/// # Errors
/// When reading fails.
pub fn file_kind(mut content: impl std::io::Read) -> Result<Kind> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(Kind::File { size, sha256: digest.finalize().into() }),
            count => {
                digest.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}

/// The xattr value in the form in which two readers agree: an ACL entry that needs no id has none, where the kernel
/// says 0xffffffff and libext2fs 0.
pub fn canonical_xattr(name: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    if name.starts_with(ACL_PREFIX) {
        for entry in value.get_mut(4..).unwrap_or_default().as_chunks_mut::<8>().0 {
            let names_someone = matches!(entry[0], 0x02 | 0x08);
            if !names_someone {
                entry[4..].fill(0xFF);
            }
        }
    }
    value
}

/// The same tree with times in whole seconds, for makers that keep no more.
pub fn whole_seconds(tree: Manifest) -> Manifest {
    let cut = |(path, entry): (Vec<u8>, Entry)| (path, Entry { modified: (entry.modified.0, 0), ..entry });
    tree.into_iter().map(cut).collect()
}
