//! Unpacking what a kernel's build has compressed.

use std::io::{self, Read};

use crate::bytes;
use crate::compression::Compression;
use crate::error::Error;

/// How much a decoder of xz or LZMA may take, in KiB: the kernel's own dictionaries have 32 MiB, and xz's largest setting 64. (A window
/// of zstd has 128 MiB at most, which is its decoder's own limit.)
const LZMA_MEMORY: u32 = 96 << 10;
/// What the kernel's build puts behind every payload but a gzip one, which has it anyway: the unpacked size.
const SIZE_BYTES: usize = 4;
/// The most that one block of the old lz4 format holds, unpacked.
const LZ4_BLOCK: usize = 8 << 20;

impl Compression {
    /// Unpacks a payload as it is read: `most` bytes and not one more.
    pub fn open(self, payload: &[u8], most: u64) -> Result<Unpacking<'_>, Error> {
        let decoder: io::Result<Box<dyn Read>> = match self {
            Self::Gzip => Ok(Box::new(flate2::bufread::GzDecoder::new(payload))),
            Self::Zstd => zstd::Decoder::with_buffer(payload).map(|decoder| Box::new(decoder.single_frame()) as _),
            Self::Lz4 => Ok(Box::new(Lz4::new(payload))),
            Self::Xz => Ok(Box::new(lzma_rust2::XzReader::new_mem_limit(payload, false, LZMA_MEMORY))),
            Self::Lzma => lzma_rust2::LzmaReader::new_mem_limit(payload, LZMA_MEMORY, None)
                .map(|decoder| Box::new(decoder) as Box<dyn Read>),
            Self::Bzip2 | Self::Lzo => return Err(Error::Unsupported(self)),
        };
        let decoder = decoder.map_err(|cause| Error::Unpack { compression: self, cause })?;
        Ok(Unpacking { decoder, compression: self, most, left: most })
    }

    /// Unpacks a payload of at most `most` bytes.
    pub fn unpack(self, payload: &[u8], most: u64) -> Result<Vec<u8>, Error> {
        let mut unpacked = Vec::new();
        let mut unpacking = self.open(payload, most)?;
        unpacking.read_to_end(&mut unpacked).map_err(|cause| unpacking.error(cause))?;
        Ok(unpacked)
    }
}

/// A payload on its way through its decoder.
pub struct Unpacking<'p> {
    decoder: Box<dyn Read + 'p>,
    compression: Compression,
    most: u64,
    left: u64,
}

/// Why an [`Unpacking`] ends before its payload does.
#[derive(Debug, thiserror::Error)]
#[error("it is larger than the limit")]
struct TooLarge;

impl Unpacking<'_> {
    /// What the failure of a read means.
    pub fn error(&self, cause: io::Error) -> Error {
        let (compression, limit) = (self.compression, self.most);
        match cause.get_ref().is_some_and(|inner| inner.is::<TooLarge>()) {
            true => Error::UnpacksTooLarge { compression, limit },
            false => Error::Unpack { compression, cause },
        }
    }
}

impl Read for Unpacking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.decoder.read(buffer)?;
        match self.left.checked_sub(bytes as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(TooLarge)),
        }
        Ok(bytes)
    }
}

/// The old format of lz4: a magic number, then blocks, each behind its length.
struct Lz4<'p> {
    blocks: Option<&'p [u8]>,
    place: usize,
    block: Vec<u8>,
    given: usize,
}

impl<'p> Lz4<'p> {
    fn new(payload: &'p [u8]) -> Self {
        let blocks = payload.get(..payload.len().saturating_sub(SIZE_BYTES));
        Self { blocks, place: SIZE_BYTES, block: Vec::new(), given: 0 }
    }

    /// Unpacks the next block; false behind the last one.
    fn advance(&mut self) -> io::Result<bool> {
        let ends_early = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let blocks = self.blocks.ok_or_else(ends_early)?;
        if self.place >= blocks.len() {
            return Ok(false);
        }
        let length = bytes::offset(blocks, self.place).ok_or_else(ends_early)?;
        let block = bytes::slice(blocks, self.place + SIZE_BYTES, length).ok_or_else(ends_early)?;
        self.block = lz4_flex::block::decompress(block, LZ4_BLOCK).map_err(io::Error::other)?;
        (self.place, self.given) = (self.place + SIZE_BYTES + length, 0);
        Ok(true)
    }
}

impl Read for Lz4<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.block.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let bytes = (&self.block[self.given..]).read(buffer)?;
        self.given += bytes;
        Ok(bytes)
    }
}
