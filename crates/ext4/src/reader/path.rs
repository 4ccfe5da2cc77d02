//! Paths, resolved inside the file system as path_resolution(7) has it: one part after the other, never out of the root.

use crate::file_type::FileType;
use crate::numbering;
use crate::read_at::ReadAt;

use super::{Error, Inode, Reader};

/// As many symbolic links as the kernel follows in one path (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;
/// As many parts as one path may come to, links and all: it takes two bytes to name one.
const MOST_PARTS: usize = 1 << 14;

/// What a symbolic link in the last place of a path means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastLink {
    Followed,
    Itself,
}

/// The directories from the root to where a path has led, each with its name; the root has none.
type Trail = Vec<(Vec<u8>, Inode)>;

impl<S: ReadAt> Reader<S> {
    /// What a path leads to, symbolic links followed to the end; `None` when that is nothing.
    ///
    /// # Errors
    /// When the file system is damaged on the way, or the host cannot read.
    pub fn stat(&self, path: &[u8]) -> Result<Option<Inode>, Error> {
        Ok(self.resolve(path, LastLink::Followed)?.and_then(|mut trail| trail.pop()).map(|(_, inode)| inode))
    }

    /// What stands at a path; a symbolic link in the last place is described, not followed. `None` when that is nothing.
    ///
    /// # Errors
    /// When the file system is damaged on the way, or the host cannot read.
    pub fn lstat(&self, path: &[u8]) -> Result<Option<Inode>, Error> {
        Ok(self.resolve(path, LastLink::Itself)?.and_then(|mut trail| trail.pop()).map(|(_, inode)| inode))
    }

    /// The path without symbolic links that a path leads to; `None` when that is nothing.
    ///
    /// # Errors
    /// When the file system is damaged on the way, or the host cannot read.
    pub fn canonical(&self, path: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let trail = self.resolve(path, LastLink::Followed)?;
        Ok(trail.map(|trail| {
            let names: Vec<Vec<u8>> = trail.into_iter().skip(1).map(|(name, _)| name).collect();
            [b"/", &names.join(&b'/')[..]].concat()
        }))
    }

    fn resolve(&self, path: &[u8], last_link: LastLink) -> Result<Option<Trail>, Error> {
        let mut parts = Vec::new();
        push_parts(&mut parts, path);
        let root = self.inode(numbering::ROOT)?;
        if root.file_type != FileType::Directory {
            return Err(Error::damaged("the root is no directory"));
        }
        let mut trail = vec![(Vec::new(), root)];
        let mut links = 0;
        while let Some(part) = parts.pop() {
            let Some((_, here)) = trail.last() else { return Ok(None) };
            if here.file_type != FileType::Directory {
                return Ok(None);
            }
            if part == b".." {
                trail.truncate(trail.len().saturating_sub(1).max(1));
                continue;
            }
            let Some(number) = self.lookup(here, &part)? else { return Ok(None) };
            let next = self.named_inode(number)?;
            let is_last = parts.is_empty() && last_link == LastLink::Itself;
            if next.file_type != FileType::Symlink || is_last {
                trail.push((part, next));
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Ok(None);
            }
            let target = self.read_link(&next)?;
            if target.starts_with(b"/") {
                trail.truncate(1);
            }
            push_parts(&mut parts, &target);
            if parts.len() > MOST_PARTS {
                return Ok(None);
            }
        }
        Ok(Some(trail))
    }
}

/// Puts the parts of a path on the stack, the first on top.
fn push_parts(stack: &mut Vec<Vec<u8>>, path: &[u8]) {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    stack.extend(parts.rev().map(<[u8]>::to_vec));
}
