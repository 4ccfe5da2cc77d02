//! Hard links past what ext4 counts: the names past the limit lead to a copy, with content and metadata of its own.
//!
//! The first names keep the inode, in the order in which the writer numbers inodes: the names of a directory by their
//! bytes, then its subdirectories in the same order, each with all that is below it. So the same tree is always split in
//! the same way.

use std::collections::BTreeMap;

use nex_ext4::{Inode, InodeId, Kind, LINK_MAX, Tree, Writer};
use nex_fault::{Code, Fault, Note, Remedy, Setting};
use thiserror::Error;

use crate::codes;

/// Why a file's names cannot be split.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The copies would take more room than an image may unpack to.
    #[error(
        "the image's hard links take too much: ext4 counts to {LINK_MAX} names of a file, and copies for the names past \
         that would take more than {0} bytes; {1} has too many names"
    )]
    TooLarge(u64, String),
    /// The output cannot take a copy.
    #[error(transparent)]
    Output(#[from] nex_ext4::Error),
}

impl Fault for LinkError {
    fn code(&self) -> Code {
        match self {
            Self::TooLarge(..) => codes::UNPACKED,
            Self::Output(error) => error.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::TooLarge(..) => Some(Remedy::say("allow more with").raise(Setting::MaxUnpacked)),
            Self::Output(error) => error.remedy(),
        }
    }
}

/// A file whose names were split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Its first name, escaped.
    pub path: String,
    /// How many names it had.
    pub names: u64,
    /// How many copies it has now.
    pub copies: u64,
    /// The blocks that the copies' content takes.
    pub blocks: u64,
}

impl Split {
    /// What the user is told.
    pub fn note(&self) -> Note {
        let Self { path, names, copies, .. } = self;
        let past = names - u64::from(LINK_MAX);
        let copies = if *copies == 1 { "a copy".to_owned() } else { format!("{copies} copies") };
        let lead = if past == 1 { "leads" } else { "lead" };
        Note::new(format!("{path} has {names} names, and ext4 counts to {LINK_MAX}: {past} of them {lead} to {copies}"))
    }
}

/// Gives every name past the limit to a copy of its inode. The copies' content may take `limit` bytes.
///
/// # Errors
/// When it would take more, or cannot be written.
pub fn split(tree: &mut Tree, writer: &mut Writer, limit: u64) -> Result<Vec<Split>, LinkError> {
    if !may_have_excess(tree) {
        return Ok(Vec::new());
    }
    let walk = Walk::through(tree);
    let mut room = limit;
    let mut splits: BTreeMap<InodeId, (Split, InodeId)> = BTreeMap::new();
    for Excess { directory, name, id } in walk.excess {
        let (split, copy) = splits.entry(id).or_insert_with(|| {
            let path = path_of(tree, &walk.parents, id);
            (Split { path, names: u64::from(LINK_MAX), copies: 0, blocks: 0 }, id)
        });
        if split.names.is_multiple_of(LINK_MAX.into()) {
            let inode = copy_inode(tree.inode(id), writer, &mut room)?;
            let inode = inode.ok_or_else(|| LinkError::TooLarge(limit, split.path.clone()))?;
            split.copies += 1;
            split.blocks += blocks(&inode.kind);
            *copy = tree.add(inode);
        }
        split.names += 1;
        if let Some(names) = tree.directory_mut(directory) {
            names.insert(name, *copy);
        }
    }
    Ok(splits.into_values().map(|(split, _)| split).collect())
}

/// A name past the limit.
struct Excess {
    directory: InodeId,
    name: Box<[u8]>,
    id: InodeId,
}

/// Whether an inode has more names than the limit, counted without an order, and with directories that have no name.
fn may_have_excess(tree: &Tree) -> bool {
    let mut names = vec![0u32; tree.len()];
    tree.directories().flat_map(|directory| directory.values()).any(|id| {
        let count = &mut names[id.index()];
        *count += 1;
        *count > LINK_MAX
    })
}

/// All names, in order.
struct Walk {
    /// The directory in which an inode has its first name.
    parents: Vec<InodeId>,
    /// The names past the limit.
    excess: Vec<Excess>,
}

impl Walk {
    fn through(tree: &Tree) -> Self {
        let mut walk = Self { parents: vec![Tree::ROOT; tree.len()], excess: Vec::new() };
        let mut counts = vec![0u32; tree.len()];
        let mut pending = vec![Tree::ROOT];
        while let Some(directory) = pending.pop() {
            let first_subdirectory = pending.len();
            for (name, &id) in tree.directory(directory).into_iter().flatten() {
                if counts[id.index()] == 0 {
                    walk.parents[id.index()] = directory;
                    pending.extend(tree.directory(id).map(|_| id));
                }
                counts[id.index()] += 1;
                if counts[id.index()] > LINK_MAX && tree.directory(id).is_none() {
                    walk.excess.push(Excess { directory, name: name.clone(), id });
                }
            }
            pending[first_subdirectory..].reverse();
        }
        walk
    }
}

/// The first name of an inode, escaped.
fn path_of(tree: &Tree, parents: &[InodeId], id: InodeId) -> String {
    let mut names = Vec::new();
    let mut below = id;
    while below != Tree::ROOT {
        let parent = parents[below.index()];
        let name = tree.directory(parent).into_iter().flatten().find(|(_, id)| **id == below);
        names.extend(name.map(|(name, _)| format!("/{}", nex_text::name(name))));
        below = parent;
    }
    names.reverse();
    names.concat()
}

/// The same inode with content of its own; `None` when that takes more than the room.
fn copy_inode(inode: &Inode, writer: &mut Writer, room: &mut u64) -> Result<Option<Inode>, nex_ext4::Error> {
    let mut copy = inode.clone();
    if let Kind::File(content) = &mut copy.kind {
        let Some(left) = room.checked_sub(content.blocks() * nex_ext4::BLOCK_SIZE) else { return Ok(None) };
        *room = left;
        let mut file = writer.file();
        file.copy(content)?;
        *content = file.finish()?;
    }
    Ok(Some(copy))
}

fn blocks(kind: &Kind) -> u64 {
    match kind {
        Kind::File(content) => content.blocks(),
        _ => 0,
    }
}
