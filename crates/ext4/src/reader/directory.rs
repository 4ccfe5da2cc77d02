//! Directories: linear, indexed, or in the inode itself.

use std::collections::BTreeMap;

use crate::csum;
use crate::file_type::FileType;
use crate::inode::{CASEFOLD_FL, ENCRYPT_FL, INDEX_FL, INLINE_DATA_FL};
use crate::read_at::ReadAt;
use crate::superblock::incompat;

use super::dirent::{self, Entry, Header, LONGEST_NAME};
use super::htree::{self, Answer};
use super::{Error, Inode, Reader};

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name: bytes other than `/` and NUL, at least one.
    pub name: Box<[u8]>,
    /// The inode's number.
    pub inode: u32,
    /// What the directory says that the inode is; `None` where it does not say.
    pub file_type: Option<FileType>,
}

impl<S: ReadAt> Reader<S> {
    /// The names in a directory, in the order of the disk, without `.` and `..`. A directory of 100,000 names takes some
    /// MiB of memory; see [`Budget::listed`](super::Budget::listed).
    ///
    /// # Errors
    /// When it is no directory, is encrypted or damaged.
    pub fn list(&self, directory: &Inode) -> Result<Vec<DirEntry>, Error> {
        self.list_matching(directory, &|_| true)
    }

    /// The same for the names that are wanted. The others take no memory.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_matching(&self, directory: &Inode, is_wanted: &dyn Fn(&[u8]) -> bool) -> Result<Vec<DirEntry>, Error> {
        let mut entries = Vec::new();
        let refused = self.visit(directory, &mut |entry| {
            let Entry { name, inode, file_type } = entry;
            if matches!(name, b"." | b"..") || !is_wanted(name) {
                return None;
            }
            let paid = self.remaining.spend_listed(name);
            entries.push(DirEntry { name: name.into(), inode, file_type });
            paid.err()
        })?;
        refused.map_or(Ok(entries), Err)
    }

    /// The number of the inode that has a name in a directory; `None` when nothing has it.
    ///
    /// # Errors
    /// When it is no directory, is encrypted or damaged, or finds names whatever their case and has none of these bytes.
    pub fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<u32>, Error> {
        if name.is_empty() || name.len() > LONGEST_NAME {
            return Ok(None);
        }
        if directory.has_flag(CASEFOLD_FL) {
            // Without the tables of Unicode only the bytes themselves can be compared.
            let unknown = || {
                let number = directory.number;
                Error::unsupported(format!("the directory of inode {number} ignores case (casefold), as nex cannot"))
            };
            return self.find_linearly(directory, name)?.ok_or_else(unknown).map(Some);
        }
        match self.find_in_index(directory, name)? {
            Answer::Found(number) => Ok(Some(number)),
            Answer::Absent => Ok(None),
            Answer::Unusable => self.find_linearly(directory, name),
        }
    }

    fn find_linearly(&self, directory: &Inode, name: &[u8]) -> Result<Option<u32>, Error> {
        self.visit(directory, &mut |entry| (entry.name == name).then_some(entry.inode))
    }

    /// Shows the entries of a directory block by block, `.` and `..` too where they stand there, until one is taken.
    fn visit<T>(&self, directory: &Inode, take: &mut dyn FnMut(Entry<'_>) -> Option<T>) -> Result<Option<T>, Error> {
        self.check_directory(directory)?;
        if directory.has_flag(INLINE_DATA_FL) {
            return self.visit_inline(directory, take);
        }
        let blocks = directory.size / self.superblock.block_size;
        let mut shown = Shown::default();
        let mut left = directory.allocated / self.superblock.block_size;
        let mut logical = 0;
        while logical < blocks {
            let run = self.run(directory, logical)?;
            let length = run.length.min(blocks - logical);
            if run.start.is_none() && logical == 0 {
                return Err(wrong_block(directory));
            }
            if run.start.is_some_and(|start| !shown.add(start, length)) {
                let number = directory.number;
                return Err(Error::damaged(format!("the directory of inode {number} has one block in two places")));
            }
            // Blocks that the map names again and again make a directory without an end.
            let used = run.start.map_or(0, |_| length);
            left = left.checked_sub(used).ok_or_else(|| more_than_allocated(directory))?;
            // The kernel passes over holes.
            for offset in run.start.map_or(0..0, |_| 0..length) {
                let block = self.block(run.start.unwrap_or_default() + offset)?;
                let is_index = self.check_block(directory, logical + offset, &block)?;
                if is_index && logical + offset > 0 {
                    continue;
                }
                if let Some(taken) = self.take_from(directory, &block, take)? {
                    return Ok(Some(taken));
                }
            }
            logical += length;
        }
        Ok(None)
    }

    pub(super) fn check_directory(&self, directory: &Inode) -> Result<(), Error> {
        let number = directory.number;
        if directory.file_type != FileType::Directory {
            return Err(Error::damaged(format!("inode {number} is no directory")));
        }
        if directory.has_flag(ENCRYPT_FL) {
            return Err(Error::unsupported(format!("the directory of inode {number} is encrypted (encrypt)")));
        }
        Ok(())
    }

    /// A directory that the inode holds: the number of the parent's inode, then entries in two places.
    fn visit_inline<T>(
        &self,
        directory: &Inode,
        take: &mut dyn FnMut(Entry<'_>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let (in_block, behind) = self.inline_parts(directory)?;
        for entries in [in_block.get(size_of::<u32>()..).unwrap_or_default(), &behind] {
            if let Some(taken) = self.take_from(directory, entries, take)? {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    /// Shows the entries of a block until one is taken.
    pub(super) fn take_from<T>(
        &self,
        directory: &Inode,
        block: &[u8],
        take: &mut dyn FnMut(Entry<'_>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        for entry in dirent::entries(block, self.superblock.has_incompat(incompat::FILETYPE)) {
            let entry = entry.map_err(|()| wrong_block(directory))?;
            self.remaining.spend_name()?;
            if let Some(taken) = take(entry) {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    /// Checks the seal of a directory's block, and tells whether the block is part of the index.
    pub(super) fn check_block(&self, directory: &Inode, logical: u64, block: &[u8]) -> Result<bool, Error> {
        let is_indexed = directory.has_flag(INDEX_FL);
        let is_node = Header::decode(block, block.len()).is_some_and(|header| header.is_node(block.len()));
        let is_index = is_indexed && (logical == 0 || is_node);
        if self.has_checksums() {
            let is_sealed = match is_index {
                true => htree::is_sealed(block, directory.seed),
                false => dirent::split_tail(block)
                    .is_some_and(|(before, found)| csum::directory_leaf(directory.seed, before) == found),
            };
            if !is_sealed {
                self.doubt(format!("block {logical} of the directory of inode {}", directory.number))?;
            }
        }
        Ok(is_index)
    }
}

/// The blocks of a directory that have been shown: runs that do not touch each other, each by its start with its end.
#[derive(Default)]
struct Shown(BTreeMap<u64, u64>);

impl Shown {
    /// Adds a run; `false` if a block of it is there already.
    fn add(&mut self, start: u64, length: u64) -> bool {
        let end = start + length;
        let below = self.0.range(..end).next_back().map(|(&start, &end)| (start, end));
        match below {
            Some((_, below_end)) if below_end > start => return false,
            Some((below_start, below_end)) if below_end == start => _ = self.0.insert(below_start, end),
            _ => _ = self.0.insert(start, end),
        }
        true
    }
}

fn more_than_allocated(directory: &Inode) -> Error {
    Error::damaged(format!(
        "the directory of inode {} has more blocks than were given to it (i_blocks)",
        directory.number
    ))
}

fn wrong_block(directory: &Inode) -> Error {
    Error::damaged(format!("a block of the directory of inode {} is wrong", directory.number))
}

#[cfg(test)]
mod tests {
    use super::Shown;

    #[test]
    fn no_block_is_shown_twice() {
        let mut shown = Shown::default();
        for (start, length) in [(100, 10), (120, 1), (110, 5), (90, 10), (116, 4)] {
            assert!(shown.add(start, length), "{start}");
        }
        for (start, length) in [(100, 1), (109, 1), (114, 2), (80, 11), (120, 5), (0, 1000), (119, 1)] {
            assert!(!shown.add(start, length), "{start}");
        }
        assert!(shown.add(115, 1) && shown.add(121, 9) && shown.add(0, 90));
    }
}
