//! Which features a file system may have to be changed here: those that the writer gives it, and those that growth adds.

use crate::superblock::{Superblock, compat, incompat, ro_compat};

use super::EditError;

/// Features with the names that dumpe2fs has for them.
type Names = &'static [(u32, &'static str)];

const COMPAT: Names = &[
    (0x1, "dir_prealloc"),
    (0x2, "imagic_inodes"),
    (compat::HAS_JOURNAL, "has_journal"),
    (compat::EXT_ATTR, "ext_attr"),
    (compat::RESIZE_INODE, "resize_inode"),
    (compat::DIR_INDEX, "dir_index"),
    (0x200, "sparse_super2"),
    (0x400, "fast_commit"),
    (0x800, "stable_inodes"),
    (0x1000, "orphan_file"),
];

const INCOMPAT: Names = &[
    (0x1, "compression"),
    (incompat::FILETYPE, "filetype"),
    (0x8, "journal_dev"),
    (incompat::EXTENTS, "extent"),
    (incompat::BIT64, "64bit"),
    (0x100, "mmp"),
    (incompat::FLEX_BG, "flex_bg"),
    (0x400, "ea_inode"),
    (0x1000, "dirdata"),
    (0x2000, "metadata_csum_seed"),
    (0x8000, "inline_data"),
    (0x1_0000, "encrypt"),
    (0x2_0000, "casefold"),
];

const RO_COMPAT: Names = &[
    (ro_compat::SPARSE_SUPER, "sparse_super"),
    (ro_compat::LARGE_FILE, "large_file"),
    (ro_compat::HUGE_FILE, "huge_file"),
    (0x10, "uninit_bg"),
    (ro_compat::DIR_NLINK, "dir_nlink"),
    (ro_compat::EXTRA_ISIZE, "extra_isize"),
    (0x100, "quota"),
    (0x200, "bigalloc"),
    (ro_compat::METADATA_CSUM, "metadata_csum"),
    (0x1000, "read-only"),
    (0x2000, "project"),
    (0x4000, "shared_blocks"),
    (0x8000, "verity"),
    (0x1_0000, "orphan_present"),
];

/// May be there or not: with its state, with growth past the reserve, without a journal, with a huge directory.
const OPTIONAL_COMPAT: u32 = compat::HAS_JOURNAL | compat::RESIZE_INODE;
const OPTIONAL_INCOMPAT: u32 = incompat::RECOVER | incompat::META_BG | incompat::LARGE_DIR;

/// Checks that the features are those that this crate knows how to keep.
pub(crate) fn check(superblock: &Superblock) -> Result<(), EditError> {
    check_set(superblock.incompat, incompat::ALL, OPTIONAL_INCOMPAT, INCOMPAT)?;
    check_set(superblock.ro_compat, ro_compat::ALL, 0, RO_COMPAT)?;
    check_set(superblock.compat, compat::ALL, OPTIONAL_COMPAT, COMPAT)
}

fn check_set(found: u32, ours: u32, optional: u32, names: Names) -> Result<(), EditError> {
    let foreign = found & !(ours | optional);
    if foreign != 0 {
        return Err(EditError::foreign(format!("it has the feature {}", name(foreign, names))));
    }
    let missing = ours & !optional & !found;
    if missing != 0 {
        return Err(EditError::foreign(format!("it lacks the feature {}", name(missing, names))));
    }
    Ok(())
}

/// The name of the lowest feature of a set.
fn name(set: u32, names: Names) -> String {
    let lowest = 1 << set.trailing_zeros();
    names.iter().find(|(bit, _)| *bit == lowest).map_or_else(|| format!("{lowest:#x}"), |(_, name)| (*name).into())
}
