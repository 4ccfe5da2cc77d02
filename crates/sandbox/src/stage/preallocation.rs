//! Room on the disk that scripts ask for at once (fallocate(2)).
//!
//! One call takes any amount before anybody looks how much is left. So the monitor takes it in the place of the process, piece by
//! piece, and no piece that would go into what scripts leave free.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FallocateFlags, FileType, StatxFlags};
use rustix::io::{Errno, Result};

use super::call::Call;
use super::disk;
use super::worker::Pulse;

/// What is taken between two looks at what is left, in bytes.
const PIECE: u64 = 16 << 20;

/// The unit of `st_blocks`.
const SECTOR: u64 = 512;

/// So often a piece is tried once more that a signal has interrupted.
const ATTEMPTS: u32 = 5;

/// Takes the room that a call asks for. The reserve is that of the mount that is the tree.
///
/// # Errors
/// Those of fallocate(2), for the process that asks. What was taken before an error stays, as with any file system.
pub fn allocate(call: &Call, tree: Option<u64>, pulse: &Pulse) -> Result<()> {
    let (start, length) = (call.argument(2), call.argument(3));
    let (is_start, is_length) = (start.cast_signed() >= 0, length.cast_signed() > 0);
    let end = if is_start && is_length { start.checked_add(length) } else { return Err(Errno::INVAL) };
    let end = end.filter(|end| end.cast_signed() > 0).ok_or(Errno::FBIG)?;
    match FileType::from_raw_mode(call.look(call.word(0))?.stx_mode.into()) {
        FileType::RegularFile => {}
        FileType::Fifo => return Err(Errno::SPIPE),
        FileType::Directory => return Err(Errno::ISDIR),
        _ => return Err(Errno::NODEV),
    }
    // Where a thread's own file cannot be had, it is as if the file system could not do it: programs write then.
    let file = call.take(call.word(0)).map_err(|errno| match errno {
        Errno::BADF | Errno::SRCH => errno,
        _ => Errno::OPNOTSUPP,
    })?;
    let mode = FallocateFlags::from_bits_retain(call.word(1));
    // The kernel would end this process by a signal.
    if !mode.contains(FallocateFlags::KEEP_SIZE) && end > longest_file(call) {
        return Err(Errno::FBIG);
    }
    let is_held = is_in(&file, tree);
    // Of what cannot be had as a whole, nothing is taken.
    if is_held {
        let taken = rustix::fs::fstat(&file)?.st_blocks.cast_unsigned().saturating_mul(SECTOR);
        if !disk::has_room(file.as_fd(), length.saturating_sub(taken))? {
            return Err(Errno::NOSPC);
        }
    }
    let mut at = start;
    while at < end {
        pulse.beat();
        call.still_waits()?;
        let piece = PIECE.min(end - at);
        if is_held && !disk::has_room(file.as_fd(), piece)? {
            return Err(Errno::NOSPC);
        }
        let mut attempts = 0..ATTEMPTS;
        while let Err(errno) = rustix::fs::fallocate(&file, mode, at, piece) {
            if errno != Errno::INTR || attempts.next().is_none() {
                return Err(errno);
            }
            pulse.beat();
        }
        at += piece;
    }
    Ok(())
}

/// How long a file may become: for who asks, and for this process.
fn longest_file(call: &Call) -> u64 {
    let own = rustix::process::getrlimit(rustix::process::Resource::Fsize).current.unwrap_or(u64::MAX);
    let limits = std::fs::read_to_string(call.path("limits")).unwrap_or_default();
    let theirs = limits.lines().find_map(|line| line.strip_prefix("Max file size")?.split_ascii_whitespace().next());
    theirs.and_then(|number| number.parse().ok()).map_or(own, |theirs: u64| theirs.min(own))
}

/// Whether a file is in a mount. What nobody can tell is.
fn is_in(file: &OwnedFd, mount: Option<u64>) -> bool {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let told = rustix::fs::statx(file, c"", flags, StatxFlags::MNT_ID).map(|stat| stat.stx_mnt_id);
    mount.is_none_or(|mount| told.is_ok_and(|told| told == mount))
}
