//! What the reader does not know of ext4, told by the kernel's names before it is asked: a form that it cannot read is no
//! damage.

use super::{ImageError, Superblock, feature};

/// The bits of `s_feature_incompat` that it knows.
const KNOWN: u32 = feature::FILE_TYPE
    | feature::RECOVER
    | feature::EXTENT
    | feature::IS_64BIT
    | feature::FLEX_BG
    | feature::METADATA_CSUM_SEED
    | feature::ENCRYPT;

/// Where an inode's checksum ends (`i_checksum_hi`). The smallest inodes have room for its lower half alone.
const END_OF_CHECKSUM: u16 = 132;

/// Refuses what the reader would refuse in words of its own, or take for damage.
pub(super) fn knows(superblock: &Superblock) -> Result<(), ImageError> {
    let unknown: Vec<_> = feature::named(feature::Set::Incompat, superblock.incompat & !KNOWN)
        .map(|feature| feature.to_string())
        .collect();
    if !unknown.is_empty() {
        return Err(ImageError::Unsupported(format!("it has {}, which nex cannot read", unknown.join(", "))));
    }
    if superblock.incompat & feature::FILE_TYPE == 0 {
        return Err(ImageError::Unsupported(
            "it lacks the feature filetype, which nex needs to read directories".into(),
        ));
    }
    if superblock.ro_compat & feature::METADATA_CSUM != 0 && superblock.inode_size < END_OF_CHECKSUM {
        let size = superblock.inode_size;
        return Err(ImageError::Unsupported(format!(
            "its inodes have {size} bytes, and nex reads those of 256 or more"
        )));
    }
    Ok(())
}
