//! Fast commits: changes of inodes and names behind the log, which only a file system in use can apply.

use crate::jbd2::incompat;
use crate::read_at::ReadAt;
use crate::superblock::compat;

use super::super::Error;
use super::log::Log;

/// `EXT4_FC_TAG_HEAD`
const HEAD: u16 = 9;

/// Whether fast commits wait that belong to the transaction behind the log's end (`ext4_fc_replay_scan`). Whether they are
/// whole is not looked at.
pub(super) fn wait<S: ReadAt>(log: &Log<S>, end: u32) -> Result<bool, Error> {
    if !log.has_incompat(incompat::FAST_COMMIT) || !log.reader.superblock.has_compat(compat::FAST_COMMIT) {
        return Ok(false);
    }
    // `j_fc_first`; the block before it stays empty.
    let first = log.end + 1;
    if first >= log.superblock.length {
        return Ok(false);
    }
    let block = log.block(first)?;
    // `struct ext4_fc_tl`, then the features and the transaction of `struct ext4_fc_head`.
    let tag = u16::from_le_bytes([block[0], block[1]]);
    let transaction = u32::from_le_bytes([block[8], block[9], block[10], block[11]]);
    Ok(tag == HEAD && transaction == end)
}
