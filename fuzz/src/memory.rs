//! A storage in memory, of which blocks that are zero take none.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use nex_ext4::{ReadAt, Storage};

/// The size of a block.
pub const BLOCK: usize = 4096;
/// No input may make an image larger in memory than this.
const MOST_BLOCKS: usize = 16 << 10;

/// Blocks by their numbers; those that are zero are not there.
pub type Blocks = BTreeMap<u64, Arc<[u8; BLOCK]>>;

/// A block, to be changed.
pub fn stored(blocks: &mut Blocks, number: u64) -> &mut [u8; BLOCK] {
    Arc::make_mut(blocks.entry(number).or_insert_with(|| Arc::new([0; BLOCK])))
}

/// The blocks from an offset on: the number, the place in the block, and the place in the bytes that are meant.
fn by_block(offset: u64, length: usize) -> impl Iterator<Item = (u64, Range<usize>, Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let start = at as usize % BLOCK;
        let now = (length - done).min(BLOCK - start);
        done += now;
        (now > 0).then_some((at / BLOCK as u64, start..start + now, done - now..done))
    })
}

/// The storage.
pub struct Memory {
    blocks: RefCell<Blocks>,
    size: Cell<u64>,
    is_written: Cell<bool>,
}

impl Memory {
    /// A storage of `size` bytes with these blocks.
    pub fn new(blocks: Blocks, size: u64) -> Self {
        Self { blocks: RefCell::new(blocks), size: Cell::new(size), is_written: Cell::new(false) }
    }

    /// Writes it to an empty file, with holes where nothing is.
    pub fn write_to(&self, file: &File) -> io::Result<()> {
        file.set_len(self.size.get())?;
        self.blocks.borrow().iter().try_for_each(|(number, block)| file.write_all_at(&block[..], number * BLOCK as u64))
    }

    /// Whether anything was changed.
    pub fn is_written(&self) -> bool {
        self.is_written.get()
    }
}

impl ReadAt for Memory {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size.get())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > self.size.get()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let blocks = self.blocks.borrow();
        for (block, within, part) in by_block(offset, bytes.len()) {
            match blocks.get(&block) {
                Some(stored) => bytes[part].copy_from_slice(&stored[within]),
                None => bytes[part].fill(0),
            }
        }
        Ok(())
    }
}

impl Storage for Memory {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.is_written.set(true);
        let mut blocks = self.blocks.borrow_mut();
        for (block, within, part) in by_block(offset, bytes.len()) {
            if blocks.contains_key(&block) || bytes[part.clone()].iter().any(|&byte| byte != 0) {
                assert!(blocks.len() < MOST_BLOCKS, "the change writes without end");
                stored(&mut blocks, block)[within].copy_from_slice(&bytes[part]);
            }
        }
        self.size.set(self.size.get().max(offset + bytes.len() as u64));
        Ok(())
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        self.is_written.set(true);
        let end = offset.checked_add(length).ok_or(io::ErrorKind::InvalidInput)?;
        let mut blocks = self.blocks.borrow_mut();
        let within: Vec<u64> =
            blocks.range(offset / BLOCK as u64..end.div_ceil(BLOCK as u64)).map(|(number, _)| *number).collect();
        for number in within {
            let start = number * BLOCK as u64;
            if start >= offset && start + BLOCK as u64 <= end {
                blocks.remove(&number);
            }
        }
        Ok(())
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        self.is_written.set(true);
        self.size.set(size);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
