//! Changes a file system of the writer's own form in place.
//!
//! Names are found by the [`Reader`], which takes any form. What is changed is read here once more and far more strictly:
//! every number is checked before it is used, and nothing is taken on trust that has a checksum. The kernel may have mounted
//! and changed the file system meanwhile.

mod allocation;
mod bitmap;
mod descriptors;
mod error;
mod extents;
mod features;
mod foreign;
mod grow;
mod identify;
mod inode;
mod replace;
#[cfg(test)]
mod tests;
mod transaction;

pub use error::{EditError, Outcome};
pub use grow::Grown;
pub use replace::{Replaced, Replacement};

use crate::BLOCK_SIZE;
use crate::csum::Seed;
use crate::geometry::Geometry;
use crate::group_descriptor::GroupDescriptor;
use crate::reader::{self, Reader};
use crate::storage::Storage;
use crate::superblock::Superblock;

use error::while_trying;

const BLOCK: usize = BLOCK_SIZE as usize;

/// A block of metadata.
pub(crate) type Block = [u8; BLOCK];

/// An existing file system that this crate can change in place.
pub struct Editor<'s> {
    storage: &'s dyn Storage,
    reader: Reader<&'s dyn Storage>,
    superblock: Superblock,
    geometry: Geometry,
    seed: Seed,
    descriptors: Vec<GroupDescriptor>,
}

impl<'s> Editor<'s> {
    /// Opens the file system that `storage` holds. Its groups' descriptors are read (64 bytes for each 128 MiB), and
    /// nothing else.
    ///
    /// # Errors
    /// When it is not one that this crate writes, is damaged, in use or not cleanly unmounted, or the host cannot read.
    pub fn open(storage: &'s dyn Storage) -> Result<Self, EditError> {
        let superblock = identify::superblock(storage)?;
        let geometry = identify::geometry(&superblock, storage)?;
        let seed = Seed::new(&superblock.uuid);
        let descriptors = descriptors::read(storage, &geometry, seed)?;
        let reader = Reader::open(storage, reader::Options::default())?;
        Ok(Self { storage, reader, superblock, geometry, seed, descriptors })
    }

    /// What is in the file system, now and after a change. It refuses what has a wrong checksum.
    pub fn reader(&self) -> &Reader<&'s dyn Storage> {
        &self.reader
    }

    /// The file system's size in bytes; its file may be longer.
    pub fn size(&self) -> u64 {
        self.geometry.block_count * BLOCK_SIZE
    }

    /// Blocks that are free, of 4,096 bytes each.
    pub fn free_blocks(&self) -> u64 {
        self.descriptors.iter().map(|descriptor| u64::from(descriptor.free_blocks)).sum()
    }

    /// Inodes that are free.
    pub fn free_inodes(&self) -> u32 {
        self.descriptors.iter().map(|descriptor| descriptor.free_inodes).fold(0, u32::saturating_add)
    }

    /// Reads a block of metadata.
    pub(crate) fn block(&self, block: u64) -> Result<Box<Block>, EditError> {
        if block >= self.geometry.block_count {
            return Err(EditError::damaged(format!("block {block} is past the end of the file system")));
        }
        let mut bytes = Box::new([0; BLOCK]);
        self.storage.read_at(&mut bytes[..], block * BLOCK_SIZE).map_err(while_trying("read from"))?;
        Ok(bytes)
    }
}
