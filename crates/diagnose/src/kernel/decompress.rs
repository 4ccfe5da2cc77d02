//! What kernels are compressed with, and how they are unpacked: no more than a kernel can be.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Read};

/// More than a kernel takes in memory.
const LONGEST: u64 = 512 << 20;

/// What an unpacker may take for its dictionary, in KiB: xz's greatest preset wants 65 MiB, a kernel's 32.
const MOST_MEMORY_KIB: u32 = 256 << 10;

/// A compression that a kernel can be built with (`CONFIG_KERNEL_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// `CONFIG_KERNEL_GZIP`
    Gzip,
    /// `CONFIG_KERNEL_BZIP2`
    Bzip2,
    /// `CONFIG_KERNEL_LZMA`
    Lzma,
    /// `CONFIG_KERNEL_XZ`
    Xz,
    /// `CONFIG_KERNEL_LZO`
    Lzo,
    /// `CONFIG_KERNEL_LZ4`
    Lz4,
    /// `CONFIG_KERNEL_ZSTD`
    Zstd,
}

/// What each begins with. LZMA's has no magic number but its usual parameters (`lib/decompress.c`).
const MAGICS: [(&[u8], Compression); 7] = [
    (&[0x1F, 0x8B], Compression::Gzip),
    (b"BZh", Compression::Bzip2),
    (&[0x5D, 0, 0], Compression::Lzma),
    (&[0xFD, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
    (&[0x89, b'L', b'Z', b'O', 0], Compression::Lzo),
    (&LZ4_LEGACY, Compression::Lz4),
    (&[0x28, 0xB5, 0x2F, 0xFD], Compression::Zstd),
];

/// The kernel has LZ4's older frame: no header, and blocks of 8 MiB, each behind its length.
const LZ4_LEGACY: [u8; 4] = [0x02, 0x21, 0x4C, 0x18];
const LZ4_BLOCK: usize = 8 << 20;

impl Display for Compression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Lzma => "lzma",
            Self::Xz => "xz",
            Self::Lzo => "lzo",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

impl Compression {
    /// The compression of bytes that begin with a magic number.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, compression)| *compression)
    }

    /// Unpacks one stream. What stands behind it is ignored: a kernel has its length there.
    ///
    /// # Errors
    /// When the bytes are damaged, or become more than a kernel can be; the text says which.
    pub(super) fn unpack(self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let text = |error: io::Error| error.to_string();
        match self {
            Self::Gzip => read(flate2::bufread::GzDecoder::new(bytes)).map_err(text),
            Self::Lzma => {
                lzma_rust2::LzmaReader::new_mem_limit(bytes, MOST_MEMORY_KIB, None).and_then(read).map_err(text)
            }
            Self::Xz => read(lzma_rust2::XzReader::new(bytes, false)).map_err(text),
            Self::Bzip2 | Self::Lzo => Err("nex has no unpacker for it".into()),
            Self::Lz4 => unpack_lz4(bytes),
            Self::Zstd => {
                zstd::Decoder::with_buffer(bytes).map(zstd::Decoder::single_frame).and_then(read).map_err(text)
            }
        }
    }
}

fn read(decoder: impl Read) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    decoder.take(LONGEST + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() as u64 > LONGEST {
        return Err(io::Error::other("it becomes longer than any kernel"));
    }
    Ok(unpacked)
}

fn unpack_lz4(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut rest = bytes.strip_prefix(&LZ4_LEGACY).unwrap_or_default();
    let mut unpacked = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        // The length of the whole stands behind the last block, with nothing after it.
        let length = u32::from_le_bytes(*length) as usize;
        let Some((block, behind)) = behind.split_at_checked(length).filter(|_| !behind.is_empty()) else { break };
        let block = lz4_flex::block::decompress(block, LZ4_BLOCK).map_err(|error| error.to_string())?;
        unpacked.extend_from_slice(&block);
        if unpacked.len() as u64 > LONGEST {
            return Err("it becomes longer than any kernel".into());
        }
        rest = behind;
    }
    Ok(unpacked)
}
