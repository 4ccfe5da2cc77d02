//! Paths in a tree: followed through symbolic links, never out of the image.
//!
//! What is above the root is the root, and an absolute target starts there, as after a `chroot(2)`.

use nex_ext4::{InodeId, Kind, Tree};
use thiserror::Error;

use crate::layer::LayerPath;

/// How many symbolic links one path may lead through (the kernel's `MAXSYMLINKS`).
const MAX_SYMLINKS: usize = 40;

/// How deep directories may be nested: as deep as the longest path that the kernel takes can reach.
const MAX_DEPTH: usize = 2048;

/// How many components one path may come to, those of the symbolic links on its way included.
const MAX_COMPONENTS: usize = 4096;

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// Symbolic links that lead to each other.
    #[error("leads through more than {MAX_SYMLINKS} symbolic links")]
    SymlinkLoop,
    /// Symbolic links that lead far around.
    #[error("comes to more than {MAX_COMPONENTS} components through symbolic links")]
    TooLong,
    /// Directories deeper than any path can reach.
    #[error("lies more than {MAX_DEPTH} directories deep")]
    TooDeep,
}

/// A path being followed, step by step.
pub struct Walk {
    /// The directory reached so far and those above it, the root first.
    trail: Vec<InodeId>,
    /// The components ahead, the next one last.
    ahead: Vec<Box<[u8]>>,
    symlinks: usize,
    /// Components so far, and those ahead.
    components: usize,
}

/// Where a walk has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// The end of the path, which is a directory.
    Directory(InodeId),
    /// Something that is neither a directory nor a symbolic link.
    Leaf {
        /// What it is.
        inode: InodeId,
        /// Whether the path ends here.
        last: bool,
    },
    /// A name that the directory does not have.
    Missing {
        /// The directory.
        directory: InodeId,
        /// The name.
        name: Box<[u8]>,
    },
}

impl Walk {
    /// Starts at the root.
    pub fn new(path: &LayerPath) -> Self {
        let mut ahead: Vec<_> = path.components().map(Box::from).collect();
        ahead.reverse();
        Self { trail: vec![Tree::ROOT], components: ahead.len(), ahead, symlinks: 0 }
    }

    /// Follows the path as far as the tree goes. After [`Stop::Missing`] the walk can go on through
    /// [`enter`](Self::enter).
    ///
    /// # Errors
    /// When the path cannot be followed at all.
    pub fn proceed(&mut self, tree: &Tree) -> Result<Stop, ResolveError> {
        while let Some(name) = self.ahead.pop() {
            if *name == *b".." {
                self.trail.truncate((self.trail.len() - 1).max(1));
                continue;
            }
            let directory = self.directory();
            let Some(&inode) = tree.directory(directory).and_then(|names| names.get(&name)) else {
                return Ok(Stop::Missing { directory, name });
            };
            match &tree.inode(inode).kind {
                Kind::Directory(_) => self.enter(inode)?,
                Kind::Symlink(target) => self.follow(target)?,
                _ => return Ok(Stop::Leaf { inode, last: self.ahead.is_empty() }),
            }
        }
        Ok(Stop::Directory(self.directory()))
    }

    /// Goes into a directory below the one reached so far.
    ///
    /// # Errors
    /// When it is too deep.
    pub fn enter(&mut self, directory: InodeId) -> Result<(), ResolveError> {
        if self.trail.len() > MAX_DEPTH {
            return Err(ResolveError::TooDeep);
        }
        self.trail.push(directory);
        Ok(())
    }

    fn follow(&mut self, target: &[u8]) -> Result<(), ResolveError> {
        self.symlinks += 1;
        if self.symlinks > MAX_SYMLINKS {
            return Err(ResolveError::SymlinkLoop);
        }
        if target.starts_with(b"/") {
            self.trail.truncate(1);
        }
        let before = self.ahead.len();
        let components = target.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
        self.ahead.extend(components.rev().map(Box::from));
        self.components += self.ahead.len() - before;
        if self.components > MAX_COMPONENTS { Err(ResolveError::TooLong) } else { Ok(()) }
    }

    fn directory(&self) -> InodeId {
        self.trail.last().copied().unwrap_or(Tree::ROOT)
    }
}

/// What a path leads to, symbolic links followed to the last; `None` when that is nothing.
pub fn resolve(tree: &Tree, path: &LayerPath) -> Option<InodeId> {
    match Walk::new(path).proceed(tree) {
        Ok(Stop::Directory(inode) | Stop::Leaf { inode, last: true }) => Some(inode),
        _ => None,
    }
}

/// What a path names, the last component not followed; `None` when that is nothing.
pub fn resolve_parent(tree: &Tree, path: &LayerPath) -> Option<InodeId> {
    let Some((parent, name)) = path.split() else {
        return Some(Tree::ROOT);
    };
    tree.directory(resolve(tree, &parent)?)?.get(name).copied()
}
