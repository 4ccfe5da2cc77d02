//! The root filesystem, as a guest wants it: an ext4 file system from the first byte on.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nex_file::kind::{self, FileKind, Format};
use thiserror::Error;

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
        why: String,
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
        let read = nex_file::open_disk(path).and_then(|file| file.take(kind::START as u64).read_to_end(&mut head));
        read.map_err(|cause| RootFsError::Read { path: path.into(), cause })?;
        if Format::Ext4.matches(&head) {
            return Ok(Self { path: path.into(), bytes: bytes(&head) });
        }
        Err(RootFsError::Other { path: path.into(), why: what_it_is(&head) })
    }
}

/// What a file is that holds no ext4, and what to do.
fn what_it_is(head: &[u8]) -> String {
    let kind = kind::of(head);
    let what = kind.map_or("it has no ext4 superblock".into(), |kind| format!("it is {}", kind.what));
    let remedy = kind.and_then(FileKind::remedy);
    format!("{what}; {}", remedy.as_deref().unwrap_or("make one with nex rootfs"))
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
