//! The file underneath: whole blocks in and out, zeros left out, freed runs punched out.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::BLOCK_SIZE;
use crate::error::{Error, while_trying};

const BLOCK: usize = BLOCK_SIZE as usize;
/// Bytes that a [`Stream`] collects before it writes.
const STREAM_BUFFER: usize = 256 << 10;

/// Writes bytes from `block` on, but leaves out blocks of zeros: an empty file reads as zeros there anyway.
pub(crate) fn write_sparse(file: &File, block: u64, bytes: &[u8]) -> Result<(), Error> {
    let mut at = block * BLOCK_SIZE;
    let mut rest = bytes;
    while !rest.is_empty() {
        let zeros = prefix(rest, is_zero);
        let filled = prefix(&rest[zeros..], |block| !is_zero(block));
        let run = &rest[zeros..zeros + filled];
        file.write_all_at(run, at + zeros as u64).map_err(while_trying("write to"))?;
        at += (zeros + filled) as u64;
        rest = &rest[zeros + filled..];
    }
    Ok(())
}

/// Reads bytes from `block` on; what lies behind the end of the file is zeros.
pub(crate) fn read_sparse(file: &File, block: u64, bytes: &mut [u8]) -> Result<(), Error> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], block * BLOCK_SIZE + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(while_trying("read from")(error)),
        }
    }
    bytes[done..].fill(0);
    Ok(())
}

/// Takes the bytes of free blocks out of the file, so that nothing deleted can be read from it.
pub(crate) fn punch(file: &File, blocks: Range<u64>) -> Result<(), Error> {
    punch_bytes(file, blocks.start * BLOCK_SIZE, (blocks.end - blocks.start) * BLOCK_SIZE)
        .map_err(while_trying("punch a hole into"))
}

/// The same by offset and length.
pub(crate) fn punch_bytes(file: &File, offset: u64, length: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => write_zeros(file, offset, length),
        Err(error) => Err(error.into()),
    }
}

/// For hosts that cannot punch holes.
fn write_zeros(file: &File, mut offset: u64, mut length: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    while length > 0 {
        let count = length.min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..count as usize], offset)?;
        offset += count;
        length -= count;
    }
    Ok(())
}

/// Collects pieces that follow one another on the disk, and writes them together.
pub(crate) struct Stream<'a> {
    file: &'a File,
    offset: u64,
    buffer: Vec<u8>,
}

impl<'a> Stream<'a> {
    pub fn new(file: &'a File) -> Self {
        Self { file, offset: 0, buffer: Vec::with_capacity(STREAM_BUFFER) }
    }

    /// Writes a whole block.
    pub fn write_block(&mut self, block: u64, bytes: &[u8; BLOCK]) -> Result<(), Error> {
        self.write(block * BLOCK_SIZE, bytes)
    }

    /// Writes a piece at an offset in bytes.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let follows = self.offset + self.buffer.len() as u64 == offset;
        if !follows || self.buffer.len() + bytes.len() > STREAM_BUFFER {
            self.flush()?;
            self.offset = offset;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Writes what was collected. Must be the last call.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.file.write_all_at(&self.buffer, self.offset).map_err(while_trying("write to"))?;
        self.buffer.clear();
        Ok(())
    }
}

/// How many bytes of blocks from the start on fulfil the condition.
fn prefix(bytes: &[u8], condition: impl Fn(&[u8]) -> bool) -> usize {
    bytes.chunks(BLOCK).take_while(|block| condition(block)).map(<[u8]>::len).sum()
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn blocks_of_zeros_stay_holes_and_read_back() {
        let file = tempfile::tempfile().unwrap();
        let mut bytes = vec![0; 64 * BLOCK];
        bytes[20 * BLOCK + 5] = 7;
        bytes[63 * BLOCK] = 9;
        write_sparse(&file, 3, &bytes).unwrap();
        assert_eq!(file.metadata().unwrap().blocks() * 512, 2 * BLOCK_SIZE);
        let mut back = vec![1; 65 * BLOCK];
        read_sparse(&file, 3, &mut back).unwrap();
        assert_eq!(back[..64 * BLOCK], bytes);
        assert!(is_zero(&back[64 * BLOCK..]));
    }

    #[test]
    fn punched_bytes_are_gone() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 4 * BLOCK], 0).unwrap();
        punch(&file, 1..3).unwrap();
        let mut back = [1; 4 * BLOCK];
        read_sparse(&file, 0, &mut back).unwrap();
        assert!(is_zero(&back[BLOCK..3 * BLOCK]));
        assert_eq!((back[0], back[3 * BLOCK]), (7, 7));
    }
}
