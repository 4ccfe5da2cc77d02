//! The order of the disk: data, the tree's blocks, journal, bitmaps, inode tables; then back to the front.

use std::fs::File;

use crate::content::Content;
use crate::cursor::Cursor;
use crate::data::{Data, FileWriter};
use crate::directory::{self, FanOut, HashSeed, Rules};
use crate::disk::punch;
use crate::error::{Error, while_trying};
use crate::geometry::{self, Inodes};
use crate::group_metadata::GroupMetadata;
use crate::inode_table::{InodeTable, write_journal};
use crate::numbering::Numbering;
use crate::options::{Layout, Options, Report};
use crate::sizing::{self, Demand};
use crate::tree::{Directory, Inode, Kind, Metadata, Timestamp, Tree};
use crate::tree_blocks;
use crate::usage::Usage;

/// The mode of `/lost+found`, as mke2fs makes it.
const LOST_AND_FOUND_MODE: u16 = 0o700;

/// Writes one file system into one file.
///
/// Nothing in the file names a file system before [`finish`](Self::finish) is done, because the superblock is written
/// last. Syncing, naming and deleting the file are the caller's business.
pub struct Writer {
    data: Data,
    span: u64,
}

impl Writer {
    /// Starts the data phase in an empty file that is open for reading and writing.
    ///
    /// # Errors
    /// When the file is not empty, so that blocks left out would not read as zeros.
    pub fn new(file: File, layout: &Layout) -> Result<Self, Error> {
        let size = file.metadata().map_err(while_trying("look at"))?.len();
        if size > 0 {
            return Err(Error::NotEmpty { size });
        }
        let span = geometry::span(layout);
        Ok(Self { data: Data::new(file, span, layout.size_limit), span })
    }

    /// Places the next regular file.
    pub fn file(&mut self) -> FileWriter<'_> {
        FileWriter::new(&mut self.data)
    }

    /// Writes what is still in memory, so that all contents can be read from the file at the blocks of their extents.
    ///
    /// # Errors
    /// When the host cannot write.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.data.flush()
    }

    /// The block behind the last one taken: before the first file, where data begins in file systems of this layout.
    pub fn taken_end(&self) -> u64 {
        self.data.taken_end()
    }

    /// Takes the blocks up to `end` for content that was placed there before, in another file system of the same layout. The
    /// caller has put their bytes into the file, those past the size limit excepted.
    ///
    /// # Errors
    /// When blocks up to there cannot be what was taken, or the host cannot write.
    pub fn take_over(&mut self, end: u64) -> Result<(), Error> {
        self.data.take_over(end)
    }

    /// Whether content lies past the size limit, and so was only counted.
    pub fn is_past_limit(&self) -> bool {
        self.data.is_past_limit()
    }

    /// Reads back at most `limit` bytes of a file that was placed before. Holes are zeros, and so is what was only
    /// counted because it lies past the size limit.
    ///
    /// # Errors
    /// When the host cannot read.
    pub fn read(&self, content: &Content, limit: u64) -> Result<Vec<u8>, Error> {
        self.data.read(content, limit)
    }

    /// Writes everything but the data, and cuts the file to its size. Content that no name of the tree reaches is
    /// free space, and its bytes are gone.
    ///
    /// # Errors
    /// When the tree breaks a rule of the format, the size does not do, or the host cannot write. The file is then
    /// not a file system.
    pub fn finish(self, tree: &Tree, options: &Options) -> Result<(File, Report), Error> {
        self.finish_with(tree, options, FanOut::FULL)
    }

    fn finish_with(self, tree: &Tree, options: &Options, fan_out: FanOut) -> Result<(File, Report), Error> {
        let (file, data_end) = self.data.finish()?;
        let spare_lost_and_found = spare_lost_and_found(options);
        let numbering = Numbering::new(tree, &spare_lost_and_found)?;

        let mut runs = tree_blocks::content_runs(&numbering, data_end.taken_end())?;
        let mut cursor = data_end.clone();
        let rules = Rules { hash: HashSeed::new(&options.hash_seed), fan_out };
        let layouts = tree_blocks::count(&numbering, rules, &mut cursor)?;
        runs.extend(cursor.taken_since(&data_end));

        let content_blocks = runs.iter().map(|run| run.end - run.start).sum();
        let inodes = Inodes { in_use: numbering.last().into(), wanted: options.sizes.inodes };
        let demand = Demand { cursor, inodes, content_blocks, span: self.span };
        let (plan, needed) = sizing::plan(&demand, &options.sizes)?;
        runs.extend_from_slice(&plan.runs);
        let usage = Usage::new(runs)?;

        file.set_len(plan.file_size).map_err(while_trying("set the length of"))?;
        sweep(&file, &usage, self.span, &data_end)?;
        let directories = InodeTable::new(&file, &numbering, &plan, options).write(data_end, &layouts)?;
        write_journal(&file, &plan, &options.uuid)?;
        let last_inode = numbering.last();
        let directories = &directories;
        let large_dir = layouts.iter().any(directory::Layout::needs_large_dir);
        let groups =
            GroupMetadata { file: &file, plan: &plan, options, usage: &usage, last_inode, directories, large_dir };
        let free = groups.write()?;

        let report = Report {
            size: plan.file_size,
            needed,
            block_count: plan.geometry.block_count,
            free_blocks: free.blocks,
            inode_count: plan.geometry.inode_count() as u32,
            free_inodes: free.inodes,
            reserved_blocks: plan.reserved,
            journal_blocks: plan.journal_blocks() as u32,
            content_blocks,
        };
        Ok((file, report))
    }
}

/// Punches out what the data phase wrote and nothing uses.
fn sweep(file: &File, usage: &Usage, start: u64, data_end: &Cursor) -> Result<(), Error> {
    usage.free_within(start..data_end.taken_end()).into_iter().try_for_each(|run| punch(file, run))
}

fn spare_lost_and_found(options: &Options) -> Inode {
    let time = Timestamp { seconds: options.time, nanoseconds: 0 };
    Inode {
        metadata: Metadata { mode: LOST_AND_FOUND_MODE, uid: 0, gid: 0, time },
        kind: Kind::Directory(Directory::new()),
        xattrs: Box::default(),
    }
}

#[cfg(test)]
mod tests;
