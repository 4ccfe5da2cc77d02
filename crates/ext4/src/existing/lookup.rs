//! From a path to an inode: through directories and symbolic links, inside the file system's root and never out of it.

use std::collections::BTreeSet;

use crate::BLOCK_SIZE;
use crate::dirent;
use crate::file_type::FileType;
use crate::inode::{INDEX_FL, RawInode};
use crate::numbering;

use super::error::while_trying;
use super::{BLOCK, EditError, FileSystem};

/// As many as the kernel follows in one path (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub file_type: FileType,
    /// Permissions, with the setid and sticky bits.
    pub mode: u16,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The content's size in bytes.
    pub size: u64,
    /// How many names it has.
    pub links: u16,
    number: u32,
}

/// An inode that a path leads to.
pub(crate) struct Located {
    pub number: u32,
    pub inode: RawInode,
    pub file_type: FileType,
}

impl FileSystem<'_> {
    /// What a path leads to; a symbolic link in the last place is followed only on request. `None` when that is nothing.
    ///
    /// # Errors
    /// When the file system is damaged on the way, or the host cannot read.
    pub fn find(&self, path: &[u8], follow: bool) -> Result<Option<Found>, EditError> {
        Ok(self.locate(path, follow)?.map(|Located { number, inode, file_type }| Found {
            file_type,
            mode: inode.mode & 0o7777,
            uid: inode.uid,
            gid: inode.gid,
            size: inode.size,
            links: inode.links,
            number,
        }))
    }

    /// At most `limit` bytes of the regular file that was found; `None` when it is something else.
    ///
    /// # Errors
    /// When the file system is damaged, or the host cannot read.
    pub fn read(&self, found: &Found, limit: u64) -> Result<Option<Vec<u8>>, EditError> {
        match found.file_type {
            FileType::Regular => self.content(found.number, &self.inode(found.number)?, limit).map(Some),
            _ => Ok(None),
        }
    }

    /// The target of the symbolic link that was found; `None` when it is something else.
    ///
    /// # Errors
    /// When the file system is damaged, or the host cannot read.
    pub fn read_link(&self, found: &Found) -> Result<Option<Vec<u8>>, EditError> {
        match found.file_type {
            FileType::Symlink => self.target(found.number, &self.inode(found.number)?).map(Some),
            _ => Ok(None),
        }
    }

    /// The names in the directory that was found, ascending, without `.` and `..`; `None` when it is something else.
    ///
    /// # Errors
    /// When the file system is damaged, or the host cannot read.
    pub fn list(&self, found: &Found) -> Result<Option<BTreeSet<Vec<u8>>>, EditError> {
        if found.file_type != FileType::Directory {
            return Ok(None);
        }
        let mut names = BTreeSet::new();
        self.visit(found.number, &self.inode(found.number)?, |name, _| {
            if name != b"." && name != b".." {
                names.insert(name.to_vec());
            }
            None::<()>
        })?;
        Ok(Some(names))
    }

    /// Follows a path.
    pub(crate) fn locate(&self, path: &[u8], follow: bool) -> Result<Option<Located>, EditError> {
        let mut parts = Vec::new();
        push_parts(&mut parts, path);
        let mut trail = vec![self.read_inode(numbering::ROOT)?];
        let mut links = 0;
        while let Some(part) = parts.pop() {
            let Some(here) = trail.last() else { return Ok(None) };
            if here.file_type != FileType::Directory {
                return Ok(None);
            }
            if part == b".." {
                trail.truncate(trail.len().saturating_sub(1).max(1));
                continue;
            }
            let Some(number) = self.entry(here, &part)? else { return Ok(None) };
            let next = self.read_inode(number)?;
            if next.file_type != FileType::Symlink || parts.is_empty() && !follow {
                trail.push(next);
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Ok(None);
            }
            let target = self.target(next.number, &next.inode)?;
            if target.starts_with(b"/") {
                trail.truncate(1);
            }
            push_parts(&mut parts, &target);
        }
        Ok(trail.pop())
    }

    fn read_inode(&self, number: u32) -> Result<Located, EditError> {
        let inode = self.inode(number)?;
        let file_type = FileType::of(inode.mode)
            .ok_or_else(|| EditError::damaged(format!("inode {number} is of no known type")))?;
        Ok(Located { number, inode, file_type })
    }

    /// The inode of a name in a directory.
    fn entry(&self, directory: &Located, wanted: &[u8]) -> Result<Option<u32>, EditError> {
        self.visit(directory.number, &directory.inode, |name, number| (name == wanted).then_some(number))
    }

    /// Shows the names of a directory block by block, until one is taken.
    fn visit<T>(
        &self,
        number: u32,
        inode: &RawInode,
        mut take: impl FnMut(&[u8], u32) -> Option<T>,
    ) -> Result<Option<T>, EditError> {
        let seed = self.seed.inode(number, inode.generation);
        let is_indexed = inode.flags & INDEX_FL != 0;
        for mapped in self.mapping(number, inode)?.extents {
            for offset in 0..mapped.extent.length {
                let mut block = [0; BLOCK];
                let at = (mapped.extent.physical + u64::from(offset)) * BLOCK_SIZE;
                self.storage.read_at(&mut block, at).map_err(while_trying("read from"))?;
                let is_first = mapped.extent.logical == 0 && offset == 0;
                let names =
                    dirent::decode(&block, is_first, is_indexed, seed).filter(|_| !mapped.unwritten).ok_or_else(
                        || EditError::damaged(format!("a block of the directory of inode {number} is wrong")),
                    )?;
                if let Some(taken) = names.into_iter().find_map(|(name, number)| take(name, number)) {
                    return Ok(Some(taken));
                }
            }
        }
        Ok(None)
    }
}

/// Puts the parts of a path on the stack, the first on top.
fn push_parts(stack: &mut Vec<Vec<u8>>, path: &[u8]) {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    stack.extend(parts.rev().map(<[u8]>::to_vec));
}
