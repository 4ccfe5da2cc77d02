//! Merges layers into one tree, by the rules of the OCI image specification ("Applying Changesets") as umoci and
//! containerd read them.
//!
//! Entries are applied in the order in which they stand, the lowest layer first. A name that the current layer made is
//! *fresh*; whiteouts hide only names that are not, wherever they stand in their layer.

use std::collections::{HashMap, HashSet};

use nex_ext4::{Directory, Inode, InodeId, Kind, Metadata, Timestamp, Tree};
use nex_fault::{Code, Fault};
use nex_text::short_name;
use thiserror::Error;

use crate::codes;
use crate::layer::{Entry, EntryKind, LayerPath, NAME_MAX, Node, NodeKind};
use crate::resolve::{ResolveError, Stop, Walk};

/// What directories get that no layer describes.
const IMPLICIT_MODE: u16 = 0o755;

/// What symlink(2) gives to every symbolic link, and nothing changes: a mode in a layer means nothing.
const SYMLINK_MODE: u16 = 0o777;

/// Why an entry cannot be applied.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A parent of the entry is a file.
    #[error("cannot stand in '{0}': a part of that path is not a directory")]
    NotADirectory(String),
    /// The path leads nowhere.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A hard link to a name that nothing has.
    #[error("is a hard link to '{0}', which does not exist in this or a lower layer")]
    MissingLinkTarget(String),
    /// A hard link to a directory.
    #[error("is a hard link to the directory '{0}'")]
    LinkToDirectory(String),
    /// The root of the image as something else than a directory.
    #[error("makes the root of the image something else than a directory")]
    RootNotADirectory,
}

impl Fault for MergeError {
    fn code(&self) -> Code {
        codes::CONFLICT
    }
}

/// The tree that grows while layers are applied to it.
pub struct Merge {
    tree: Tree,
    /// What directories get that no layer describes.
    implicit: Metadata,
    /// Inodes from this id on are of the current layer, and so are their names.
    first_of_layer: usize,
    /// Names, by their directory, that the current layer gave to inodes of lower layers: directories described again,
    /// and hard links.
    refreshed: HashMap<InodeId, HashSet<Box<[u8]>>>,
    /// Directories of lower layers in which the current layer has hidden everything already. No lower name comes back,
    /// so they need not be looked at again, however often a layer hides them.
    swept: HashSet<InodeId>,
    /// The parent of the last entry: most entries stand in the same directory as the one before.
    last_parent: Option<(LayerPath, InodeId)>,
}

impl Merge {
    /// An empty root; directories without an entry of their own get `time`.
    pub fn new(time: Timestamp) -> Self {
        let implicit = Metadata { mode: IMPLICIT_MODE, uid: 0, gid: 0, time };
        Self {
            tree: Tree::new(implicit),
            implicit,
            first_of_layer: 0,
            refreshed: HashMap::new(),
            swept: HashSet::new(),
            last_parent: None,
        }
    }

    /// From here on, what there is belongs to lower layers.
    pub fn start_layer(&mut self) {
        self.first_of_layer = self.tree.len();
        self.refreshed = HashMap::new();
        self.swept = HashSet::new();
    }

    /// Applies the next entry of the current layer.
    ///
    /// # Errors
    /// When the entry contradicts what there is.
    pub fn apply(&mut self, entry: Entry) -> Result<(), MergeError> {
        match entry.kind {
            EntryKind::Node(node) => self.place(&entry.path, node),
            EntryKind::HardLink(target) => self.link(&entry.path, &target),
            EntryKind::Whiteout => self.whiteout(&entry.path),
            EntryKind::Opaque => self.opaque(&entry.path),
        }
    }

    /// The merged tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The merged tree, to change when no layer comes any more.
    pub fn tree_mut(&mut self) -> &mut Tree {
        &mut self.tree
    }

    /// The merged tree, done.
    pub fn into_tree(self) -> Tree {
        self.tree
    }

    /// Takes back what the current layer made of a name: it stands for `before` again, or for nothing.
    pub fn put_back(&mut self, path: &LayerPath, before: Option<InodeId>) {
        let Some((parent, name)) = path.split() else { return };
        let Ok(Some(directory)) = self.find_directory(&parent) else { return };
        self.last_parent = None;
        match before {
            Some(before) => self.names(directory).insert(name.into(), before),
            None => self.names(directory).remove(name),
        };
    }

    /// Makes a directory the root; whatever is not in it is gone.
    pub fn make_root(&mut self, directory: InodeId) {
        let Some(names) = self.tree.directory_mut(directory).map(std::mem::take) else { return };
        self.last_parent = None;
        let Inode { metadata, xattrs, .. } = self.tree.inode(directory).clone();
        *self.tree.inode_mut(Tree::ROOT) = Inode { metadata, kind: Kind::Directory(names), xattrs };
    }

    fn place(&mut self, path: &LayerPath, node: Node) -> Result<(), MergeError> {
        let Some((parent, name)) = path.split() else {
            return self.describe_root(node);
        };
        let directory = self.make_directory(parent)?;
        let existing = self.lookup(directory, name);
        match existing {
            Some(id) if node.kind == NodeKind::Directory && self.tree.directory(id).is_some() => {
                self.describe(id, node);
                self.refresh(directory, name, id);
            }
            _ => {
                let id = self.tree.add(inode(node));
                self.name(directory, name, id);
            }
        }
        Ok(())
    }

    fn link(&mut self, path: &LayerPath, target: &LayerPath) -> Result<(), MergeError> {
        let missing = || MergeError::MissingLinkTarget(short_name(target.as_bytes()));
        let (target_parent, target_name) =
            target.split().ok_or_else(|| MergeError::LinkToDirectory(short_name(target.as_bytes())))?;
        let target_directory = self.find_directory(&target_parent)?.ok_or_else(missing)?;
        let id = self.lookup(target_directory, target_name).ok_or_else(missing)?;
        if self.tree.directory(id).is_some() {
            return Err(MergeError::LinkToDirectory(short_name(target.as_bytes())));
        }
        let (parent, name) = path.split().ok_or(MergeError::RootNotADirectory)?;
        let directory = self.make_directory(parent)?;
        self.name(directory, name, id);
        self.refresh(directory, name, id);
        Ok(())
    }

    fn whiteout(&mut self, path: &LayerPath) -> Result<(), MergeError> {
        let Some((parent, name)) = path.split() else {
            return Ok(());
        };
        let Some(directory) = self.find_directory(&parent)? else {
            return Ok(());
        };
        if let Some(id) = self.lookup(directory, name) {
            let keep = self.is_fresh(directory, name, id);
            if self.hide_lower_names(id) && !keep {
                self.names(directory).remove(name);
            }
        }
        Ok(())
    }

    fn opaque(&mut self, path: &LayerPath) -> Result<(), MergeError> {
        if let Some(directory) = self.find_directory(path)? {
            self.hide_lower_names(directory);
        }
        Ok(())
    }

    /// Takes every name of lower layers out of an inode's subtree; names of the current layer stay, and so do the
    /// directories that they need. True when nothing is left below.
    fn hide_lower_names(&mut self, top: InodeId) -> bool {
        self.last_parent = None;
        let mut directories = Vec::from_iter(self.needs_sweep(top).then_some(top));
        let mut next = 0;
        while let Some(&directory) = directories.get(next) {
            next += 1;
            self.swept.insert(directory);
            let below = self.tree.directory(directory).into_iter().flat_map(Directory::values);
            directories.extend(below.copied().filter(|id| self.needs_sweep(*id)));
        }
        for directory in directories.into_iter().rev() {
            let mut names = std::mem::take(self.names(directory));
            names.retain(|name, id| {
                self.is_fresh(directory, name, *id) || self.tree.directory(*id).is_some_and(|below| !below.is_empty())
            });
            *self.names(directory) = names;
        }
        self.tree.directory(top).is_none_or(Directory::is_empty)
    }

    /// Whether names of lower layers may be in there: not in what the current layer made itself.
    fn needs_sweep(&self, id: InodeId) -> bool {
        id.index() < self.first_of_layer && self.tree.directory(id).is_some() && !self.swept.contains(&id)
    }

    /// Whether the current layer made this name.
    fn is_fresh(&self, directory: InodeId, name: &[u8], id: InodeId) -> bool {
        id.index() >= self.first_of_layer || self.refreshed.get(&directory).is_some_and(|names| names.contains(name))
    }

    fn refresh(&mut self, directory: InodeId, name: &[u8], id: InodeId) {
        if id.index() < self.first_of_layer {
            self.refreshed.entry(directory).or_default().insert(name.into());
        }
    }

    fn describe_root(&mut self, node: Node) -> Result<(), MergeError> {
        if node.kind != NodeKind::Directory {
            return Err(MergeError::RootNotADirectory);
        }
        self.describe(Tree::ROOT, node);
        Ok(())
    }

    /// The last description of a directory counts; its names stay.
    fn describe(&mut self, id: InodeId, node: Node) {
        let inode = self.tree.inode_mut(id);
        inode.metadata = node.metadata;
        inode.xattrs = node.xattrs;
    }

    /// The directory at a path, made where it is missing.
    fn make_directory(&mut self, path: LayerPath) -> Result<InodeId, MergeError> {
        if let Some((parent, directory)) = &self.last_parent
            && *parent == path
        {
            return Ok(*directory);
        }
        let mut walk = Walk::new(path.as_bytes());
        loop {
            match self.proceed(&mut walk)? {
                Stop::Directory(directory) => {
                    self.last_parent = Some((path, directory));
                    return Ok(directory);
                }
                Stop::Leaf { .. } => return Err(MergeError::NotADirectory(short_name(path.as_bytes()))),
                Stop::Missing { name, .. } if name.len() > NAME_MAX => {
                    return Err(ResolveError::NameTooLong(name.len()).into());
                }
                Stop::Missing { directory, name } => walk.enter(self.make_implicit(directory, name))?,
            }
        }
    }

    /// The directory at a path; `None` when there is none.
    fn find_directory(&self, path: &LayerPath) -> Result<Option<InodeId>, MergeError> {
        Ok(match self.proceed(&mut Walk::new(path.as_bytes()))? {
            Stop::Directory(directory) => Some(directory),
            Stop::Leaf { .. } | Stop::Missing { .. } => None,
        })
    }

    /// Follows a path past what its links go up from again.
    fn proceed(&self, walk: &mut Walk) -> Result<Stop, MergeError> {
        loop {
            match walk.proceed(&self.tree)? {
                Stop::Leaf { .. } | Stop::Missing { .. } if walk.turn_back() => {}
                stop => return Ok(stop),
            }
        }
    }

    /// Gives an inode a name; what had it before may have been on the way to the last parent.
    fn name(&mut self, directory: InodeId, name: &[u8], id: InodeId) {
        if self.names(directory).insert(name.into(), id).is_some() {
            self.last_parent = None;
        }
    }

    fn make_implicit(&mut self, directory: InodeId, name: Box<[u8]>) -> InodeId {
        let kind = Kind::Directory(Directory::new());
        let id = self.tree.add(Inode { metadata: self.implicit, kind, xattrs: Box::default() });
        self.names(directory).insert(name, id);
        id
    }

    fn lookup(&self, directory: InodeId, name: &[u8]) -> Option<InodeId> {
        self.tree.directory(directory)?.get(name).copied()
    }

    /// The names of an inode that is known to be a directory.
    fn names(&mut self, directory: InodeId) -> &mut Directory {
        self.tree.directory_mut(directory).expect("only directories are walked to")
    }
}

fn inode(node: Node) -> Inode {
    let kind = match node.kind {
        NodeKind::Directory => Kind::Directory(Directory::new()),
        NodeKind::File(content) => Kind::File(content),
        NodeKind::Symlink(target) => Kind::Symlink(target),
        NodeKind::CharacterDevice(device) => Kind::CharacterDevice(device),
        NodeKind::BlockDevice(device) => Kind::BlockDevice(device),
        NodeKind::Fifo => Kind::Fifo,
    };
    let mode = if matches!(kind, Kind::Symlink(_)) { SYMLINK_MODE } else { node.metadata.mode };
    Inode { metadata: Metadata { mode, ..node.metadata }, kind, xattrs: node.xattrs }
}

#[cfg(test)]
mod tests;
