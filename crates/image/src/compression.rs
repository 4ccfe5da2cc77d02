//! How blobs and archives are compressed.

use std::fmt;

use nex_file::kind::{self, Format};

/// How a blob is compressed. Found by looking at its first bytes; the media type is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar.
    None,
    /// RFC 1952, one or several members.
    Gzip,
    /// RFC 8878, one or several frames.
    Zstd,
    /// The .xz file format, one or several streams; of root filesystems only, as layers of images never have it.
    Xz,
}

impl Compression {
    /// How something is compressed that begins so. `None` for what is not compressed, or in a way that no decompressor here undoes.
    pub fn of(start: &[u8]) -> Option<Self> {
        match kind::compression(start)? {
            Format::Gzip => Some(Self::Gzip),
            Format::Zstd => Some(Self::Zstd),
            Format::Xz => Some(Self::Xz),
            _ => None,
        }
    }

    /// Whether archives of images, and layers in them, are read that are compressed so.
    pub fn packs_archives(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "uncompressed",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Xz => "xz",
        })
    }
}
