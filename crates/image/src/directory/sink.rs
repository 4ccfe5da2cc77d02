//! Collects a tar's bytes in the pipeline's buffers.

use std::io::{self, Read};

use crate::pipe::{Buffer, PipeWriter, Pool, Stop};

const BUFFER_BYTES: usize = 256 << 10;

/// Where a walk writes to.
pub(super) struct Sink<'a> {
    pipe: &'a PipeWriter<()>,
    pool: Pool,
    buffer: Buffer,
}

impl<'a> Sink<'a> {
    pub(super) fn new(pipe: &'a PipeWriter<()>, buffers: usize) -> Sink<'a> {
        let pool = Pool::new(buffers, BUFFER_BYTES);
        let buffer = pool.take();
        Sink { pipe, pool, buffer }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        while !bytes.is_empty() {
            let most = bytes.len() as u64;
            // Reading from memory cannot fail.
            if let Ok(read) = self.read_from(&mut bytes, most)? {
                debug_assert!(read > 0, "the buffer has room after each step");
            }
        }
        Ok(())
    }

    /// Reads `most` bytes at most, as many as there is room for; gives what the source answered.
    pub(super) fn read_from(&mut self, source: &mut impl Read, most: u64) -> Result<io::Result<usize>, Stop> {
        if self.buffer.is_full() {
            self.pass_on()?;
        }
        Ok(self.buffer.read_some(&mut source.take(most)))
    }

    /// Ends the archive.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        self.write(&nex_tar::END)?;
        self.pass_on()
    }

    fn pass_on(&mut self) -> Result<(), Stop> {
        let full = std::mem::replace(&mut self.buffer, self.pool.take());
        Ok(self.pipe.send(full)?)
    }
}
