//! Which features a file system may have to be changed here: those that the writer gives it, and those that growth adds.

use crate::feature::{Feature, FeatureSet};
use crate::superblock::{Superblock, compat, incompat, ro_compat};

use super::EditError;

/// May be there or not: with its state, with growth past the reserve, without a journal, with a huge directory.
const OPTIONAL_COMPAT: u32 = compat::HAS_JOURNAL | compat::RESIZE_INODE;
const OPTIONAL_INCOMPAT: u32 = incompat::RECOVER | incompat::META_BG | incompat::LARGE_DIR;

/// Checks that the features are those that this crate knows how to keep.
pub(crate) fn check(superblock: &Superblock) -> Result<(), EditError> {
    check_set(FeatureSet::Incompat, superblock.incompat, incompat::ALL, OPTIONAL_INCOMPAT)?;
    check_set(FeatureSet::RoCompat, superblock.ro_compat, ro_compat::ALL, 0)?;
    check_set(FeatureSet::Compat, superblock.compat, compat::ALL, OPTIONAL_COMPAT)
}

fn check_set(set: FeatureSet, found: u32, ours: u32, optional: u32) -> Result<(), EditError> {
    let name = |feature: Feature| feature.name().map_or_else(|| format!("{:#x}", feature.bit), String::from);
    let lowest = |bits| Feature::of_field(set, bits).next().map(name);
    if let Some(foreign) = lowest(found & !(ours | optional)) {
        return Err(EditError::foreign(format!("it has the feature {foreign}")));
    }
    match lowest(ours & !optional & !found) {
        Some(missing) => Err(EditError::foreign(format!("it lacks the feature {missing}"))),
        None => Ok(()),
    }
}
