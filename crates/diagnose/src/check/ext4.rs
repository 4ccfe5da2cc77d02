//! The file system itself: what a kernel thinks of its superblock, and the room in it.

use nex_ext4::reader::Superblock;

use super::Findings;
use crate::feature;
use crate::rules;

/// `EXT4_VALID_FS`, `EXT4_ERROR_FS`
const STATE_CLEAN: u16 = 1;
const STATE_ERRORS: u16 = 2;

/// The page of most processors, and the largest block that a kernel takes there (`ext4_fill_super`).
const PAGE_SIZE: u64 = 4096;

/// Less than this is no room to work in.
const LEAST_FREE: u64 = 1 << 20;
const LEAST_INODES: u32 = 16;

/// Reports what a kernel would refuse, or would have to repair, and what is full.
pub(super) fn check(superblock: &Superblock, file: &str, findings: &mut Findings) {
    for need in feature::needs(superblock).filter(|need| need.since.is_none()) {
        let evidence = format!("the superblock has {need}");
        findings.report(&rules::EXT4_FEATURE, evidence, "make the file system anew without it (mke2fs -O)");
    }
    if superblock.block_size > PAGE_SIZE {
        let evidence =
            format!("its blocks have {} bytes, and the pages of most processors {PAGE_SIZE}", superblock.block_size);
        findings.report(&rules::EXT4_BLOCK_SIZE, evidence, "make the file system anew with mke2fs -b 4096");
    }
    check_state(superblock, file, findings);
    if superblock.ro_compat & feature::READ_ONLY == 0 {
        check_room(superblock, file, findings);
    }
}

fn check_state(superblock: &Superblock, file: &str, findings: &mut Findings) {
    if superblock.incompat & feature::RECOVER != 0 {
        let evidence = "the superblock has needs_recovery: it was not unmounted, or is mounted now";
        findings.report(&rules::EXT4_JOURNAL_DIRTY, evidence, format!("when nobody uses it: e2fsck -p {file}"));
    }
    let unclean = [
        (superblock.state & STATE_ERRORS != 0, "the kernel found errors in it (s_state)"),
        (superblock.errors > 0, "the kernel counted errors in it (s_error_count)"),
        (superblock.state & STATE_CLEAN == 0, "it was not unmounted (s_state)"),
        // A journal that waits for its replay has these too.
        (
            superblock.last_orphan != 0 && superblock.incompat & feature::RECOVER == 0,
            "deleted files wait to be freed (s_last_orphan)",
        ),
    ];
    let evidence: Vec<_> = unclean.into_iter().filter(|(is_so, _)| *is_so).map(|(_, text)| text).collect();
    if !evidence.is_empty() {
        findings.report(&rules::EXT4_NOT_CLEAN, evidence.join(", "), format!("e2fsck -f {file}"));
    }
}

fn check_room(superblock: &Superblock, file: &str, findings: &mut Findings) {
    let free = superblock.free_blocks.saturating_sub(superblock.reserved_blocks).saturating_mul(superblock.block_size);
    let grow = format!(
        "make it larger: nex rootfs grow {file} +100MiB (or resize2fs); a root that is only read needs no room"
    );
    if free < LEAST_FREE {
        findings.report(&rules::SPACE_LOW, format!("{free} bytes are free for all users"), grow.clone());
    }
    if superblock.free_inodes < LEAST_INODES {
        findings.report(&rules::INODES_LOW, format!("{} inodes are free", superblock.free_inodes), grow);
    }
}
