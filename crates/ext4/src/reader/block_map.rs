//! The block map of ext2 and ext3: twelve pointers in the inode, then blocks of pointers, up to three deep.

use crate::read_at::ReadAt;

use super::{Error, Inode, Reader, Run};

/// Pointers to blocks in the inode (`EXT4_NDIR_BLOCKS`); behind them stand those to one, two and three levels of blocks.
const DIRECT: u64 = 12;
const LEVELS: u32 = 3;

impl<S: ReadAt> Reader<S> {
    /// The run with the block `logical` of a file.
    pub(super) fn mapped_run(&self, inode: &Inode, logical: u64) -> Result<Run, Error> {
        let roots = pointers(&inode.raw.block);
        if logical < DIRECT {
            return self.run_of_pointers(inode, &roots[..DIRECT as usize], logical as usize);
        }
        let per_block = self.superblock.block_size / size_of::<u32>() as u64;
        let mut within = logical - DIRECT;
        for level in 1..=LEVELS {
            let span = per_block.pow(level);
            if within < span {
                let root = roots[DIRECT as usize + level as usize - 1];
                return self.run_below(inode, root, within, span, per_block);
            }
            within -= span;
        }
        Ok(Run { start: None, length: u64::MAX - logical })
    }

    /// The run with the block `within` of those that a pointer's `span` holds.
    fn run_below(&self, inode: &Inode, root: u32, within: u64, span: u64, per_block: u64) -> Result<Run, Error> {
        let (mut pointer, mut within, mut span) = (root, within, span);
        loop {
            if pointer == 0 {
                return Ok(Run { start: None, length: span - within });
            }
            if !self.is_within(pointer.into(), 1) {
                return Err(wrong(inode));
            }
            let table = pointers(&self.block(pointer.into())?);
            span /= per_block;
            let index = (within / span) as usize;
            within %= span;
            if span == 1 {
                return self.run_of_pointers(inode, &table, index);
            }
            pointer = table[index];
        }
    }

    /// The run that begins with one of the pointers.
    fn run_of_pointers(&self, inode: &Inode, pointers: &[u32], index: usize) -> Result<Run, Error> {
        let first = pointers[index];
        let step = u32::from(first != 0);
        let follow = |(pointer, next): (&u32, u32)| *pointer == next;
        let expected = std::iter::successors(Some(first), |last| last.checked_add(step));
        let length = pointers[index..].iter().zip(expected).take_while(|pair| follow(*pair)).count() as u64;
        if first == 0 {
            return Ok(Run { start: None, length });
        }
        if !self.is_within(first.into(), length) {
            return Err(wrong(inode));
        }
        Ok(Run { start: Some(first.into()), length })
    }
}

fn pointers(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn wrong(inode: &Inode) -> Error {
    Error::damaged(format!("the block map of inode {} is wrong", inode.number))
}
