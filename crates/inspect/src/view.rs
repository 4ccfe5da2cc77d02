//! What is seen of a root filesystem.
//!
//! Paths are absolute. Parents always resolve through symlinks inside the image's root and never leave it.

use std::io;

use crate::path::parent;

/// A root filesystem, to be looked at.
pub trait View {
    /// What a path leads to, symlinks followed to the end; `None` when that is nothing.
    fn stat(&self, path: &[u8]) -> Option<Stat>;

    /// What stands at a path; a symlink in the last place is described, not followed.
    fn lstat(&self, path: &[u8]) -> Option<Stat>;

    /// The target of the symlink that stands at a path; `None` for anything else.
    fn read_link(&self, path: &[u8]) -> Option<Vec<u8>>;

    /// The first `limit` bytes of the regular file that a path leads to; `None` when there is no such file. An error
    /// where the bytes cannot be had, and where looking has cost as much as it may.
    fn read(&self, path: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>>;

    /// The names in the directory that a path leads to, in any order, without `.` and `..`; `None` when there is none.
    fn list(&self, path: &[u8]) -> Option<Vec<Vec<u8>>> {
        self.list_matching(path, &|_| true)
    }

    /// The same for the names that are wanted. Of a directory that anybody may have filled, only these take memory.
    fn list_matching(&self, path: &[u8], is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Vec<Vec<u8>>>;

    /// Whether looking has cost as much as it may. Nothing is found any more then, so who goes through a long list stops.
    fn is_spent(&self) -> bool {
        false
    }
}

/// The kinds that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A device, a socket or a pipe.
    Other,
}

/// What is asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Permissions, with the setid and sticky bits; no file type.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Whether a path leads to anything.
pub fn exists(view: &dyn View, path: &[u8]) -> bool {
    view.stat(path).is_some()
}

/// Whether a path leads to a file that the kernel would execute.
pub fn is_executable(view: &dyn View, path: &[u8]) -> bool {
    const ANY_EXECUTE: u16 = 0o111;
    view.stat(path).is_some_and(|stat| stat.kind == Kind::File && stat.mode & ANY_EXECUTE != 0)
}

/// The path at the end of a chain of symlinks that begins at `path`, as the links write it.
pub fn end_of_links(view: &dyn View, path: &[u8]) -> Vec<u8> {
    /// As many as the kernel follows in one path (`MAXSYMLINKS`).
    const MOST_LINKS: usize = 40;
    let mut path = path.to_vec();
    for _ in 0..MOST_LINKS {
        let Some(target) = view.read_link(&path) else { break };
        path = match target.first() {
            Some(b'/') => target,
            _ => [parent(&path), b"/", &target].concat(),
        };
    }
    path
}
