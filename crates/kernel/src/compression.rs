//! How kernels are compressed (`CONFIG_KERNEL_GZIP` and its like).

use std::fmt;

use nex_file::kind::{self, Format};

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
        match kind::compression(payload)? {
            Format::Gzip => Some(Self::Gzip),
            Format::Zstd => Some(Self::Zstd),
            Format::Lz4Legacy => Some(Self::Lz4),
            Format::Xz => Some(Self::Xz),
            Format::Lzma => Some(Self::Lzma),
            Format::Bzip2 => Some(Self::Bzip2),
            Format::Lzo => Some(Self::Lzo),
            _ => None,
        }
    }
}
