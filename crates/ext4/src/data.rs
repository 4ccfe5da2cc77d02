//! The data phase: bytes of regular files go to their final place, in the order in which they arrive.
//!
//! Bytes are collected in one buffer that always stands for the blocks just before the cursor, and go to the file in
//! large writes. Blocks of zeros are allocated but not written: the file keeps a hole there.

use std::fs::File;

use crate::BLOCK_SIZE;
use crate::content::{Content, Extent, MAX_FILE_SIZE};
use crate::cursor::{Cursor, append};
use crate::disk::{read_sparse, write_sparse};
use crate::error::Error;

const BLOCK: usize = BLOCK_SIZE as usize;
/// Large enough that the system call does not count beside the copy.
const BUFFER_SIZE: usize = 1 << 20;
const ZEROS: [u8; BLOCK] = [0; BLOCK];
/// How much of a file is copied at once: whole blocks.
const COPY_SIZE: usize = 256 << 10;

/// The blocks placed so far.
pub(crate) struct Data {
    file: File,
    /// The block behind the buffer's last one.
    cursor: Cursor,
    buffer: Vec<u8>,
    /// The block that the buffer's first byte belongs to.
    buffer_start: u64,
    /// The first block that is counted but not written.
    limit: u64,
    /// The span of blocks that each backup may take.
    span: u64,
}

impl Data {
    /// Starts behind the `span` of blocks that group 0 keeps free. Blocks past `size_limit` bytes are not written.
    pub fn new(file: File, span: u64, size_limit: Option<u64>) -> Self {
        let cursor = Cursor::new(span);
        Self {
            file,
            buffer: Vec::with_capacity(BUFFER_SIZE),
            buffer_start: cursor.next(),
            limit: size_limit.map_or(u64::MAX, |size| size / BLOCK_SIZE),
            cursor,
            span,
        }
    }

    /// Ends the phase: the file, and the cursor behind the last block.
    pub fn finish(mut self) -> Result<(File, Cursor), Error> {
        self.flush()?;
        Ok((self.file, self.cursor))
    }

    /// At most `limit` bytes of what was placed before. Holes, and blocks past the size limit, are zeros.
    pub fn read(&self, content: &Content, limit: u64) -> Result<Vec<u8>, Error> {
        let length = usize::try_from(content.size().min(limit)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        for extent in content.extents() {
            let start = extent.logical as usize * BLOCK;
            let end = length.min(start + extent.length as usize * BLOCK);
            if start < end {
                self.read_run(extent.physical, &mut bytes[start..end])?;
            }
        }
        Ok(bytes)
    }

    /// Reads from `block` on: from the file below the buffer, from the buffer behind.
    fn read_run(&self, block: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let below = self.buffer_start.saturating_sub(block).saturating_mul(BLOCK_SIZE);
        let (written, buffered) = bytes.split_at_mut(bytes.len().min(usize::try_from(below).unwrap_or(usize::MAX)));
        read_sparse(&self.file, block, written)?;
        let offset = usize::try_from(block.saturating_sub(self.buffer_start) * BLOCK_SIZE).unwrap_or(usize::MAX);
        if let Some(source) = self.buffer.get(offset..) {
            let length = source.len().min(buffered.len());
            buffered[..length].copy_from_slice(&source[..length]);
        }
        Ok(())
    }

    /// How many bytes can be appended at once: to the end of the buffer, or to the next backup.
    fn room(&mut self) -> Result<usize, Error> {
        if !self.buffer.len().is_multiple_of(BLOCK) {
            return Ok(BLOCK - self.buffer.len() % BLOCK);
        }
        let end = self.buffer_start + (self.buffer.len() / BLOCK) as u64;
        if self.buffer.len() == BUFFER_SIZE || end != self.cursor.next() {
            self.flush()?;
        }
        let contiguous = usize::try_from(self.cursor.contiguous()).unwrap_or(usize::MAX).saturating_mul(BLOCK);
        Ok(contiguous.min(BUFFER_SIZE - self.buffer.len()))
    }

    /// Fills the last file's last block with zeros, so that what follows starts at a block.
    fn pad(&mut self) {
        self.buffer.resize(self.buffer.len().next_multiple_of(BLOCK), 0);
    }

    /// The block behind the last one taken.
    pub fn taken_end(&self) -> u64 {
        self.cursor.taken_end()
    }

    /// Takes the blocks up to `end`, which are in the file already.
    pub fn take_over(&mut self, end: u64) -> Result<(), Error> {
        self.flush()?;
        let cursor = Cursor::at(self.span, end).filter(|cursor| cursor.taken_end() >= self.cursor.taken_end());
        self.cursor = cursor.ok_or(Error::ForeignContent { block: end })?;
        self.buffer_start = self.cursor.next();
        Ok(())
    }

    /// Whether there are blocks past the size limit.
    pub fn is_past_limit(&self) -> bool {
        self.cursor.next() > self.limit
    }

    /// Writes what is in the buffer, up to the end of a block.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.pad();
        let writable = self.limit.saturating_sub(self.buffer_start);
        let length = self.buffer.len().min(usize::try_from(writable).unwrap_or(usize::MAX).saturating_mul(BLOCK));
        write_sparse(&self.file, self.buffer_start, &self.buffer[..length])?;
        self.buffer.clear();
        self.buffer_start = self.cursor.next();
        Ok(())
    }
}

/// Places one regular file. Dropped before [`finish`](Self::finish), it leaves free space behind.
pub struct FileWriter<'a> {
    data: &'a mut Data,
    size: u64,
    extents: Vec<Extent>,
    /// Whether the file ends within a block that is a hole so far.
    ends_in_hole: bool,
}

impl<'a> FileWriter<'a> {
    pub(crate) fn new(data: &'a mut Data) -> Self {
        data.pad();
        Self { data, size: 0, extents: Vec::new(), ends_in_hole: false }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// When the host cannot write them, or the file becomes longer than ext4 can hold.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.check_size(bytes.len() as u64)?;
        if !bytes.is_empty() {
            self.fill_last_block()?;
        }
        while !bytes.is_empty() {
            let room = self.data.room()?;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.claim_blocks(now.len() as u64);
            self.data.buffer.extend_from_slice(now);
            self.size += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Appends `length` bytes of zeros that take no blocks, as far as nothing else stands in the same block.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn hole(&mut self, length: u64) -> Result<(), Error> {
        self.check_size(length)?;
        let mut rest = length;
        if !self.ends_in_hole {
            let head = (self.size.next_multiple_of(BLOCK_SIZE) - self.size).min(length);
            self.write(&ZEROS[..head as usize])?;
            rest -= head;
        }
        self.size += rest;
        self.ends_in_hole = (self.ends_in_hole || rest > 0) && !self.size.is_multiple_of(BLOCK_SIZE);
        Ok(())
    }

    /// A block that bytes follow in is no hole.
    fn fill_last_block(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.ends_in_hole) {
            let zeros = self.size % BLOCK_SIZE;
            self.size -= zeros;
            self.write(&ZEROS[..zeros as usize])?;
        }
        Ok(())
    }

    /// Appends the bytes of a file that was placed before; where this one ends at a block, holes stay holes.
    ///
    /// # Errors
    /// As [`write`](Self::write), and when the host cannot read.
    pub fn copy(&mut self, content: &Content) -> Result<(), Error> {
        let mut chunk = vec![0; COPY_SIZE];
        let mut done = 0;
        for extent in content.extents() {
            let start = u64::from(extent.logical) * BLOCK_SIZE;
            let end = content.size().min(start + u64::from(extent.length) * BLOCK_SIZE);
            self.hole(start - done)?;
            done = start;
            while done < end {
                let part = &mut chunk[..COPY_SIZE.min(usize::try_from(end - done).unwrap_or(usize::MAX))];
                self.data.read_run(extent.physical + (done - start) / BLOCK_SIZE, part)?;
                done += part.len() as u64;
                self.write(part)?;
            }
        }
        self.hole(content.size() - done)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// None today; an error would mean that the host could not write.
    pub fn finish(self) -> Result<Content, Error> {
        Ok(Content::new(self.size, self.extents))
    }

    /// Takes the blocks that `count` more bytes begin; they are contiguous on the disk.
    fn claim_blocks(&mut self, count: u64) {
        let first = self.size.div_ceil(BLOCK_SIZE);
        let length = (self.size + count).div_ceil(BLOCK_SIZE) - first;
        if length > 0 {
            let physical = self.data.cursor.next();
            append(&mut self.extents, Extent { logical: first as u32, physical, length: length as u32 });
            self.data.cursor.advance(length);
        }
    }

    fn check_size(&self, more: u64) -> Result<(), Error> {
        match self.size.checked_add(more) {
            Some(size) if size <= MAX_FILE_SIZE => Ok(()),
            size => Err(Error::FileTooLarge { size: size.unwrap_or(u64::MAX) }),
        }
    }
}
