//! How kernels are compressed (`CONFIG_KERNEL_GZIP` and its like), and how that is undone.

use std::fmt;
use std::io::{self, Read};

use crate::bytes;
use crate::error::Error;

/// The largest kernel that is unpacked, in bytes. With debug information, kernels have some hundred MiB.
const LIMIT: u64 = 1 << 30;
/// How much a decoder of xz or LZMA may take, in KiB: the kernel's own dictionaries have 32 MiB, and xz's largest setting 64.
const LZMA_MEMORY: u32 = 256 << 10;
/// What the kernel's build puts behind every payload but a gzip one, which has it anyway: the unpacked size.
const SIZE_BYTES: usize = 4;
/// The most that one block of the old lz4 format holds, unpacked.
const LZ4_BLOCK: usize = 8 << 20;

/// How a kernel is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// lz4, in its old format.
    Lz4,
    /// xz.
    Xz,
    /// LZMA, as xz had it before.
    Lzma,
    /// bzip2, which cannot be undone here.
    Bzip2,
    /// LZO, which cannot be undone here.
    Lzo,
}

/// The first bytes of each.
const MAGICS: [(&[u8], Compression); 7] = [
    (b"\x1f\x8b", Compression::Gzip),
    (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    (b"\x02\x21\x4c\x18", Compression::Lz4),
    (b"\xfd7zXZ\0", Compression::Xz),
    (b"\x5d\x00\x00", Compression::Lzma),
    (b"BZh", Compression::Bzip2),
    (b"\x89LZO", Compression::Lzo),
];

impl fmt::Display for Compression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
            Self::Lzma => "lzma",
            Self::Bzip2 => "bzip2",
            Self::Lzo => "lzo",
        })
    }
}

impl Compression {
    /// That of a payload, by its first bytes.
    pub fn of(payload: &[u8]) -> Option<Self> {
        MAGICS.iter().find(|(magic, _)| payload.starts_with(magic)).map(|(_, compression)| *compression)
    }

    /// Unpacks a payload.
    pub fn unpack(self, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let result = match self {
            Self::Gzip => read(flate2::read::GzDecoder::new(payload)),
            Self::Zstd => zstd::Decoder::new(payload).and_then(|decoder| read(decoder.single_frame())),
            Self::Lz4 => lz4(payload),
            Self::Xz => read(lzma_rust2::XzReader::new_mem_limit(payload, false, LZMA_MEMORY)),
            Self::Lzma => lzma_rust2::LzmaReader::new_mem_limit(payload, LZMA_MEMORY, None).and_then(read),
            Self::Bzip2 | Self::Lzo => return Err(Error::Unsupported(self)),
        };
        result.map_err(|cause| Error::Unpack { compression: self, cause })
    }
}

fn read(decoder: impl Read) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    decoder.take(LIMIT + 1).read_to_end(&mut unpacked)?;
    if u64::try_from(unpacked.len()).is_ok_and(|length| length <= LIMIT) { Ok(unpacked) } else { Err(too_large()) }
}

/// The old format: a magic number, then blocks, each behind its length.
fn lz4(payload: &[u8]) -> io::Result<Vec<u8>> {
    let ends_early = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let blocks = payload.get(..payload.len().saturating_sub(SIZE_BYTES)).ok_or_else(ends_early)?;
    let (mut unpacked, mut place) = (Vec::new(), SIZE_BYTES);
    while place < blocks.len() {
        let length = bytes::offset(blocks, place).ok_or_else(ends_early)?;
        let block = bytes::slice(blocks, place + SIZE_BYTES, length).ok_or_else(ends_early)?;
        unpacked.append(&mut lz4_flex::block::decompress(block, LZ4_BLOCK).map_err(io::Error::other)?);
        if u64::try_from(unpacked.len()).is_ok_and(|length| length > LIMIT) {
            return Err(too_large());
        }
        place += SIZE_BYTES + length;
    }
    Ok(unpacked)
}

fn too_large() -> io::Error {
    io::Error::other(format!("it has more than {} MiB", LIMIT >> 20))
}
