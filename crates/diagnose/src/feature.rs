//! What a kernel has to have for the features of ext4: the version that brought each, and the options beside ext4 itself.

use std::fmt::{self, Display, Formatter};

use nex_ext4::reader::Superblock;
use nex_ext4::{Feature, FeatureSet};

/// `needs_recovery`
pub(crate) const RECOVER: u32 = 0x4;
/// `read-only`
pub(crate) const READ_ONLY: u32 = 0x1000;

/// What a feature needs that a kernel has to know to mount the file system, or to write to it.
pub(crate) struct Need {
    pub(crate) feature: Feature,
    /// The first Linux that knows it; `None` when none does.
    pub(crate) since: Option<(u32, u32)>,
    /// The options that the kernel needs for it beside ext4 itself (`ext4_feature_set_ok`).
    pub(crate) options: &'static [&'static str],
}

const fn incompat(bit: u32, since: (u32, u32)) -> Need {
    Need { feature: Feature { set: FeatureSet::Incompat, bit }, since: Some(since), options: &[] }
}

const fn ro_compat(bit: u32, since: (u32, u32)) -> Need {
    Need { feature: Feature { set: FeatureSet::RoCompat, bit }, since: Some(since), options: &[] }
}

impl Need {
    const fn options(mut self, options: &'static [&'static str]) -> Self {
        self.options = options;
        self
    }
}

/// ext4 itself is from Linux 2.6.28.
const ALWAYS: (u32, u32) = (2, 6);

/// No kernel mounts what is not here: `compression`, `journal_dev`, `dirdata`, `shared_blocks`.
const KNOWN: [Need; 27] = [
    // filetype, needs_recovery, meta_bg, extent, 64bit
    incompat(0x2, ALWAYS),
    incompat(RECOVER, ALWAYS),
    incompat(0x10, ALWAYS),
    incompat(0x40, ALWAYS),
    incompat(0x80, ALWAYS),
    // mmp
    incompat(0x100, (3, 0)),
    // flex_bg
    incompat(0x200, ALWAYS),
    // ea_inode
    incompat(0x400, (4, 13)),
    // metadata_csum_seed
    incompat(0x2000, (4, 4)),
    // large_dir
    incompat(0x4000, (4, 13)),
    // inline_data
    incompat(0x8000, (3, 8)),
    // encrypt
    incompat(0x1_0000, (4, 1)),
    // casefold
    incompat(0x2_0000, (5, 2)).options(&["UNICODE"]),
    // sparse_super, large_file, btree_dir, huge_file, uninit_bg, dir_nlink, extra_isize
    ro_compat(0x1, ALWAYS),
    ro_compat(0x2, ALWAYS),
    ro_compat(0x4, ALWAYS),
    ro_compat(0x8, ALWAYS),
    ro_compat(0x10, ALWAYS),
    ro_compat(0x20, ALWAYS),
    ro_compat(0x40, ALWAYS),
    // quota
    ro_compat(0x100, (3, 6)).options(&["QUOTA", "QFMT_V2"]),
    // bigalloc
    ro_compat(0x200, (3, 2)),
    // metadata_csum
    ro_compat(0x400, (3, 5)),
    ro_compat(READ_ONLY, (4, 0)),
    // project
    ro_compat(0x2000, (4, 5)).options(&["QUOTA", "QFMT_V2"]),
    // verity
    ro_compat(0x8000, (5, 4)),
    // orphan_present
    ro_compat(0x1_0000, (5, 15)),
];

/// What the features of a file system need, those too that nobody knows.
pub(crate) fn needs(superblock: &Superblock) -> impl Iterator<Item = Need> {
    needs_of(FeatureSet::Incompat, superblock.incompat).chain(needs_of(FeatureSet::RoCompat, superblock.ro_compat))
}

/// What the features need that the bits of a field stand for.
pub(crate) fn needs_of(set: FeatureSet, bits: u32) -> impl Iterator<Item = Need> {
    Feature::of_field(set, bits).map(|feature| {
        let known = KNOWN.into_iter().find(|known| known.feature == feature);
        known.unwrap_or(Need { feature, since: None, options: &[] })
    })
}

impl Display for Need {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.feature.fmt(f)
    }
}
