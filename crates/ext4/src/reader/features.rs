//! Which features a file system may have to be read.

use crate::feature::{Feature, FeatureSet};
use crate::superblock::incompat;

use super::{Error, Superblock};

/// The bits of `s_feature_incompat` that the reader knows. The others of that field change where things stand; those of the
/// two other fields change nothing for who only reads.
const KNOWN: u32 = incompat::FILETYPE
    | incompat::RECOVER
    | incompat::META_BG
    | incompat::EXTENTS
    | incompat::BIT64
    | incompat::MMP
    | incompat::FLEX_BG
    | incompat::EA_INODE
    | incompat::CSUM_SEED
    | incompat::LARGE_DIR
    | incompat::INLINE_DATA
    | incompat::ENCRYPT
    | incompat::CASEFOLD;

/// Names what the reader does not know: a form that it cannot read is no damage.
pub(super) fn check(superblock: &Superblock) -> Result<(), Error> {
    let unknown: Vec<String> = Feature::of_field(FeatureSet::Incompat, superblock.incompat & !KNOWN)
        .map(|feature| feature.to_string())
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::unsupported(format!("it has {}, which nex cannot read", unknown.join(", "))))
}
