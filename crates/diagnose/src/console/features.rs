//! The file system features that a kernel may not know, by the bits that it names.

/// `s_feature_incompat`: the bit, e2fsprogs' name, and the first kernel that mounts it.
const INCOMPATIBLE: [(u32, &str, &str); 12] = [
    (0x1, "compression", "none"),
    (0x8, "journal_dev", "none: it is a journal of another file system"),
    (0x10, "meta_bg", "2.6.28"),
    (0x40, "extents", "2.6.28"),
    (0x80, "64bit", "2.6.28"),
    (0x100, "mmp", "3.0"),
    (0x200, "flex_bg", "2.6.28"),
    (0x400, "ea_inode", "4.13"),
    (0x2000, "metadata_csum_seed", "4.4"),
    (0x4000, "large_dir", "4.13"),
    (0x1_0000, "encrypt", "4.1, with CONFIG_FS_ENCRYPTION"),
    (0x2_0000, "casefold", "5.2, with CONFIG_UNICODE"),
];

/// `s_feature_ro_compat`, likewise.
const READ_ONLY_COMPATIBLE: [(u32, &str, &str); 10] = [
    (0x8, "huge_file", "2.6.28"),
    (0x10, "uninit_bg", "2.6.28"),
    (0x100, "quota", "3.6, with CONFIG_QUOTA"),
    (0x200, "bigalloc", "3.2"),
    (0x400, "metadata_csum", "3.5"),
    (0x1000, "read-only", "4.0"),
    (0x2000, "project", "4.5, with CONFIG_QUOTA"),
    (0x4000, "shared_blocks", "none"),
    (0x8000, "verity", "5.4, with CONFIG_FS_VERITY"),
    (0x1_0000, "orphan_present", "5.15"),
];

/// The features of these bits: `casefold (kernel 5.2, with CONFIG_UNICODE)`.
pub fn incompatible(bits: u32) -> String {
    names(bits, &INCOMPATIBLE)
}

/// Likewise of those that only forbid to write.
pub fn read_only_compatible(bits: u32) -> String {
    names(bits, &READ_ONLY_COMPATIBLE)
}

fn names(bits: u32, known: &[(u32, &str, &str)]) -> String {
    let mut names = Vec::new();
    let mut rest = bits;
    for (bit, name, kernel) in known.iter().filter(|(bit, ..)| bits & bit != 0) {
        rest &= !bit;
        names.push(format!("{name} (kernel {kernel})"));
    }
    if rest != 0 || names.is_empty() {
        names.push(format!("{rest:#x}, which has no name here"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn bits_have_names() {
        assert_eq!(super::incompatible(0x2_0000), "casefold (kernel 5.2, with CONFIG_UNICODE)");
        assert_eq!(super::incompatible(0x800_0400), "ea_inode (kernel 4.13), 0x8000000, which has no name here");
        assert_eq!(super::read_only_compatible(0), "0x0, which has no name here");
    }
}
