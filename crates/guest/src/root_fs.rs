//! The root filesystem, as a guest wants it: an ext4 file system from the first byte on.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where ext4's superblock has its magic number, and what that is.
pub const EXT4_MAGIC_OFFSET: usize = 0x438;
pub const EXT4_MAGIC: &[u8] = b"\x53\xef";
const HEAD: u64 = 2048;

/// What people hand over, by its first bytes, and what to do about it.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "it is compressed by gzip; unpack it first: gzip -d"),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd; unpack it first: zstd -d"),
    (b"\xfd7zXZ\0", "it is compressed by xz; unpack it first: xz -d"),
    (b"QFI\xfb", "it is a qcow2 image; make a raw one: qemu-img convert -O raw"),
    (b"hsqs", "it is a squashfs; boot one with --append rootfstype=squashfs is not what this command checks"),
];

/// Why a file is no root filesystem for a guest.
#[derive(Debug, Error)]
pub enum RootFsError {
    /// It cannot be read.
    #[error("cannot read '{}': {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// It holds something else.
    #[error("'{}' is no root filesystem that a guest can have: {why}", .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it is, and what to do.
        why: &'static str,
    },
}

/// A file, or a block device, that holds a root filesystem.
#[derive(Clone, Debug)]
pub struct RootFs {
    /// Where it is.
    pub path: PathBuf,
    /// How long the file system in it is, in bytes.
    pub bytes: u64,
}

impl RootFs {
    /// Makes sure of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is something else than an ext4 file system.
    pub fn open(path: &Path) -> Result<Self, RootFsError> {
        let mut head = Vec::new();
        let read = nex_file::open_disk(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
        read.map_err(|cause| RootFsError::Read { path: path.into(), cause })?;
        if head.get(EXT4_MAGIC_OFFSET..EXT4_MAGIC_OFFSET + EXT4_MAGIC.len()) == Some(EXT4_MAGIC) {
            return Ok(Self { path: path.into(), bytes: bytes(&head) });
        }
        let known = OTHERS.iter().find(|(magic, _)| head.starts_with(magic));
        let why = known.map_or("it has no ext4 superblock; make one with nex rootfs", |(_, why)| *why);
        Err(RootFsError::Other { path: path.into(), why })
    }
}

/// How long the file system is, by its superblock.
fn bytes(head: &[u8]) -> u64 {
    const SUPERBLOCK: usize = 1024;
    /// `s_blocks_count_lo`, `s_log_block_size`, `s_blocks_count_hi`
    const FIELDS: [usize; 3] = [0x4, 0x18, 0x150];
    let field = |offset: usize| head.get(SUPERBLOCK + offset..)?.first_chunk().copied().map(u32::from_le_bytes);
    let [low, log_block_size, high] = FIELDS.map(|offset| field(offset).unwrap_or_default());
    let block_size = 1024_u64.checked_shl(log_block_size).unwrap_or(0);
    (u64::from(high) << 32 | u64::from(low)).saturating_mul(block_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_systems_length_is_in_its_superblock() {
        let mut head = [0; 2048];
        head[0x404..0x408].copy_from_slice(&6144_u32.to_le_bytes());
        head[0x418] = 2;
        assert_eq!(bytes(&head), 24 << 20);
        head[0x550] = 1;
        assert_eq!(bytes(&head), (24 << 20) + (1 << 44));
        assert_eq!((bytes(&[0xff; 2048]), bytes(&[])), (0, 0));
    }
}
