//! The features of ext4 by the names that dumpe2fs has for them (`EXT4_FEATURE_*`).

/// Which of the superblock's fields a feature stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureSet {
    /// `s_feature_compat`: a kernel that does not know it may mount, and write.
    Compat,
    /// `s_feature_incompat`: without it nothing is mounted.
    Incompat,
    /// `s_feature_ro_compat`: without it nothing is written.
    RoCompat,
}

/// A feature that a file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Where it stands.
    pub set: FeatureSet,
    /// Its bit there.
    pub bit: u32,
}

impl Feature {
    /// The name that dumpe2fs has for it; `None` when it has none.
    pub fn name(&self) -> Option<&'static str> {
        NAMES.iter().find(|(set, bit, _)| (*set, *bit) == (self.set, self.bit)).map(|(_, _, name)| *name)
    }

    /// The features that the bits of a field stand for, the lowest first.
    pub fn of_field(set: FeatureSet, bits: u32) -> impl Iterator<Item = Self> {
        let bits = (0..u32::BITS).map(move |shift| bits & (1 << shift)).filter(|bit| *bit != 0);
        bits.map(move |bit| Self { set, bit })
    }
}

impl std::fmt::Display for Feature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let set = match self.set {
            FeatureSet::Compat => "compat",
            FeatureSet::Incompat => "incompat",
            FeatureSet::RoCompat => "ro_compat",
        };
        match self.name() {
            Some(name) => write!(f, "the feature {name}"),
            None => write!(f, "the {set} feature {:#x}", self.bit),
        }
    }
}

use FeatureSet::{Compat, Incompat, RoCompat};

const NAMES: [(FeatureSet, u32, &str); 43] = [
    (Compat, 0x1, "dir_prealloc"),
    (Compat, 0x2, "imagic_inodes"),
    (Compat, 0x4, "has_journal"),
    (Compat, 0x8, "ext_attr"),
    (Compat, 0x10, "resize_inode"),
    (Compat, 0x20, "dir_index"),
    (Compat, 0x40, "lazy_bg"),
    (Compat, 0x100, "snapshot_bitmap"),
    (Compat, 0x200, "sparse_super2"),
    (Compat, 0x400, "fast_commit"),
    (Compat, 0x800, "stable_inodes"),
    (Compat, 0x1000, "orphan_file"),
    (Incompat, 0x1, "compression"),
    (Incompat, 0x2, "filetype"),
    (Incompat, 0x4, "needs_recovery"),
    (Incompat, 0x8, "journal_dev"),
    (Incompat, 0x10, "meta_bg"),
    (Incompat, 0x40, "extent"),
    (Incompat, 0x80, "64bit"),
    (Incompat, 0x100, "mmp"),
    (Incompat, 0x200, "flex_bg"),
    (Incompat, 0x400, "ea_inode"),
    (Incompat, 0x1000, "dirdata"),
    (Incompat, 0x2000, "metadata_csum_seed"),
    (Incompat, 0x4000, "large_dir"),
    (Incompat, 0x8000, "inline_data"),
    (Incompat, 0x1_0000, "encrypt"),
    (Incompat, 0x2_0000, "casefold"),
    (RoCompat, 0x1, "sparse_super"),
    (RoCompat, 0x2, "large_file"),
    (RoCompat, 0x4, "btree_dir"),
    (RoCompat, 0x8, "huge_file"),
    (RoCompat, 0x10, "uninit_bg"),
    (RoCompat, 0x20, "dir_nlink"),
    (RoCompat, 0x40, "extra_isize"),
    (RoCompat, 0x100, "quota"),
    (RoCompat, 0x200, "bigalloc"),
    (RoCompat, 0x400, "metadata_csum"),
    (RoCompat, 0x1000, "read-only"),
    (RoCompat, 0x2000, "project"),
    (RoCompat, 0x4000, "shared_blocks"),
    (RoCompat, 0x8000, "verity"),
    (RoCompat, 0x1_0000, "orphan_present"),
];
