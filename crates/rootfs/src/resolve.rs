//! Paths in a tree: followed through symbolic links, never out of the image.
//!
//! What is above the root is the root, and an absolute target starts there, as after a `chroot(2)`.

use nex_ext4::{InodeId, Kind, Tree};
use nex_fault::{Code, Fault};
use nex_file::route::{self, MAX_SYMLINKS, Origin, Route, SymlinkLoop};
use thiserror::Error;

use crate::codes;
use crate::layer::NAME_MAX;

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
    /// A link's target has a name that no file system holds.
    #[error("leads through a symbolic link to a name of {0} bytes; ext4 holds at most {NAME_MAX}")]
    NameTooLong(usize),
    /// Directories deeper than any path can reach.
    #[error("lies more than {MAX_DEPTH} directories deep")]
    TooDeep,
}

impl Fault for ResolveError {
    fn code(&self) -> Code {
        codes::CONFLICT
    }
}

/// A path being followed, step by step.
pub struct Walk {
    /// The directory reached so far and those above it, the root first.
    trail: Vec<InodeId>,
    /// The components ahead.
    route: Route,
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
    /// Starts at the root, whether or not the path begins with a slash.
    pub fn new(path: &[u8]) -> Self {
        Self { trail: vec![Tree::ROOT], route: Route::new(path) }
    }

    /// Follows the path as far as the tree goes. After [`Stop::Missing`] the walk can go on through
    /// [`enter`](Self::enter).
    ///
    /// # Errors
    /// When the path cannot be followed at all.
    pub fn proceed(&mut self, tree: &Tree) -> Result<Stop, ResolveError> {
        while let Some(name) = self.route.next_name() {
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
                _ => return Ok(Stop::Leaf { inode, last: self.route.is_at_end() }),
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

    /// Leaves out what the path goes up from again (`missing/../there` in a target), and says whether there was such a
    /// thing. After [`Stop::Missing`] or [`Stop::Leaf`] the walk can then [`proceed`](Self::proceed).
    ///
    /// The kernel would not get this far, but umoci unpacks through such links, and makes nothing on the way.
    pub fn turn_back(&mut self) -> bool {
        self.route.turn_back()
    }

    fn follow(&mut self, target: &[u8]) -> Result<(), ResolveError> {
        if self.route.follow(target).map_err(|SymlinkLoop| ResolveError::SymlinkLoop)? == Origin::Root {
            self.trail.truncate(1);
        }
        if self.route.names() > MAX_COMPONENTS { Err(ResolveError::TooLong) } else { Ok(()) }
    }

    fn directory(&self) -> InodeId {
        self.trail.last().copied().unwrap_or(Tree::ROOT)
    }
}

/// What a path leads to, symbolic links followed to the last; `None` when that is nothing.
pub fn resolve(tree: &Tree, path: &[u8]) -> Option<InodeId> {
    match Walk::new(path).proceed(tree) {
        Ok(Stop::Directory(inode) | Stop::Leaf { inode, last: true }) => Some(inode),
        _ => None,
    }
}

/// What a path names, the last component not followed; `None` when that is nothing.
pub fn resolve_parent(tree: &Tree, path: &[u8]) -> Option<InodeId> {
    match route::names(path).next_back() {
        None | Some(b"..") => resolve(tree, path),
        Some(name) => {
            let parent = &path[..path.len() - path.iter().rev().take_while(|&&byte| byte == b'/').count()];
            let parent = parent.strip_suffix(name).unwrap_or(parent);
            tree.directory(resolve(tree, parent)?)?.get(name).copied()
        }
    }
}

#[cfg(test)]
mod tests {
    use nex_ext4::{Directory, Inode, Metadata, Timestamp};

    use super::*;

    const METADATA: Metadata = Metadata { mode: 0o755, uid: 0, gid: 0, time: Timestamp { seconds: 0, nanoseconds: 0 } };

    fn add(tree: &mut Tree, directory: InodeId, name: &str, kind: Kind) -> InodeId {
        let id = tree.add(Inode { metadata: METADATA, kind, xattrs: Box::default() });
        tree.directory_mut(directory).unwrap().insert(name.as_bytes().into(), id);
        id
    }

    #[test]
    fn paths_lead_up_and_around_but_never_out() {
        let mut tree = Tree::new(METADATA);
        let usr = add(&mut tree, Tree::ROOT, "usr", Kind::Directory(Directory::new()));
        let program = add(&mut tree, usr, "init", Kind::Fifo);
        let link = add(&mut tree, usr, "up", Kind::Symlink(b"../../usr/init".as_slice().into()));
        for path in ["/usr/init", "usr/../../usr/./init", "//usr//init", "/usr/up"] {
            assert_eq!(resolve(&tree, path.as_bytes()), Some(program), "{path}");
        }
        assert_eq!(resolve_parent(&tree, b"/usr/../usr/up/"), Some(link));
        assert_eq!(resolve_parent(&tree, b"/usr/up/.."), None);
        assert_eq!(resolve_parent(&tree, b"/usr/.."), Some(Tree::ROOT));
        assert_eq!(resolve_parent(&tree, b"/"), Some(Tree::ROOT));
        assert_eq!(resolve(&tree, b"/usr/init/below"), None);
    }
}
