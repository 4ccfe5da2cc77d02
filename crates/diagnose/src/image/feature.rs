//! The features of ext4: their names, and the kernel that brought each (`EXT4_FEATURE_*`).

use std::fmt::{self, Display, Formatter};

use super::Superblock;

/// `filetype`
pub(crate) const FILE_TYPE: u32 = 0x2;
/// `needs_recovery`
pub(crate) const RECOVER: u32 = 0x4;
/// `journal_dev`
pub(crate) const JOURNAL_DEVICE: u32 = 0x8;
/// `extent`
pub(crate) const EXTENT: u32 = 0x40;
/// `64bit`
pub(crate) const IS_64BIT: u32 = 0x80;
/// `flex_bg`
pub(crate) const FLEX_BG: u32 = 0x200;
/// `metadata_csum_seed`
pub(crate) const METADATA_CSUM_SEED: u32 = 0x2000;
/// `encrypt`
pub(crate) const ENCRYPT: u32 = 0x1_0000;
/// `bigalloc`
pub(crate) const BIGALLOC: u32 = 0x200;
/// `metadata_csum`
pub(crate) const METADATA_CSUM: u32 = 0x400;
/// `read-only`
pub(crate) const READ_ONLY: u32 = 0x1000;

/// A feature that a kernel has to know to mount the file system, or to write to it.
pub(crate) struct Feature {
    name: &'static str,
    set: Set,
    bit: u32,
    /// The first Linux that knows it; `None` when none does.
    pub(crate) since: Option<(u32, u32)>,
    /// The options that the kernel needs for it beside ext4 itself (`ext4_feature_set_ok`).
    pub(crate) options: &'static [&'static str],
}

/// Which of the superblock's fields a feature stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// `s_feature_incompat`: without it nothing is mounted.
    Incompat,
    /// `s_feature_ro_compat`: without it nothing is written.
    RoCompat,
}

const fn incompat(name: &'static str, bit: u32, since: (u32, u32)) -> Feature {
    Feature { name, set: Set::Incompat, bit, since: Some(since), options: &[] }
}

const fn ro_compat(name: &'static str, bit: u32, since: (u32, u32)) -> Feature {
    Feature { name, set: Set::RoCompat, bit, since: Some(since), options: &[] }
}

impl Feature {
    const fn needs(mut self, options: &'static [&'static str]) -> Self {
        self.options = options;
        self
    }

    const fn never(mut self) -> Self {
        self.since = None;
        self
    }

    /// Its bit.
    pub(crate) fn bit(&self) -> u32 {
        self.bit
    }

    /// The name that dumpe2fs has for it; empty when it has none.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

/// ext4 itself is from Linux 2.6.28.
const ALWAYS: (u32, u32) = (2, 6);

const KNOWN: [Feature; 30] = [
    incompat("compression", 0x1, ALWAYS).never(),
    incompat("filetype", FILE_TYPE, ALWAYS),
    incompat("needs_recovery", RECOVER, ALWAYS),
    incompat("journal_dev", JOURNAL_DEVICE, ALWAYS).never(),
    incompat("meta_bg", 0x10, ALWAYS),
    incompat("extent", EXTENT, ALWAYS),
    incompat("64bit", IS_64BIT, ALWAYS),
    incompat("mmp", 0x100, (3, 0)),
    incompat("flex_bg", FLEX_BG, ALWAYS),
    incompat("ea_inode", 0x400, (4, 13)),
    incompat("metadata_csum_seed", METADATA_CSUM_SEED, (4, 4)),
    incompat("large_dir", 0x4000, (4, 13)),
    incompat("inline_data", 0x8000, (3, 8)),
    incompat("encrypt", ENCRYPT, (4, 1)),
    incompat("casefold", 0x2_0000, (5, 2)).needs(&["UNICODE"]),
    ro_compat("sparse_super", 0x1, ALWAYS),
    ro_compat("large_file", 0x2, ALWAYS),
    ro_compat("btree_dir", 0x4, ALWAYS),
    ro_compat("huge_file", 0x8, ALWAYS),
    ro_compat("uninit_bg", 0x10, ALWAYS),
    ro_compat("dir_nlink", 0x20, ALWAYS),
    ro_compat("extra_isize", 0x40, ALWAYS),
    ro_compat("quota", 0x100, (3, 6)).needs(&["QUOTA", "QFMT_V2"]),
    ro_compat("bigalloc", BIGALLOC, (3, 2)),
    ro_compat("metadata_csum", METADATA_CSUM, (3, 5)),
    ro_compat("read-only", READ_ONLY, (4, 0)),
    ro_compat("project", 0x2000, (4, 5)).needs(&["QUOTA", "QFMT_V2"]),
    ro_compat("shared_blocks", 0x4000, ALWAYS).never(),
    ro_compat("verity", 0x8000, (5, 4)),
    ro_compat("orphan_present", 0x1_0000, (5, 15)),
];

/// The features of a file system, those too that have no name here.
pub(crate) fn of(superblock: &Superblock) -> impl Iterator<Item = Feature> {
    named(Set::Incompat, superblock.incompat).chain(named(Set::RoCompat, superblock.ro_compat))
}

/// The features that the bits of a field stand for.
pub(crate) fn named(set: Set, bits: u32) -> impl Iterator<Item = Feature> {
    let bits = (0..u32::BITS).map(move |shift| bits & (1 << shift)).filter(|bit| *bit != 0);
    bits.map(move |bit| {
        let known = KNOWN.into_iter().find(|known| known.set == set && known.bit == bit);
        known.unwrap_or(Feature { name: "", set, bit, since: None, options: &[] })
    })
}

impl Display for Feature {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let set = if self.set == Set::Incompat { "incompat" } else { "ro_compat" };
        match self.name {
            "" => write!(f, "the {set} feature {:#x}", self.bit),
            name => write!(f, "the feature {name}"),
        }
    }
}
