//! What tells inodes apart, and shows that one was written to.

use rustix::fs::{Statx, StatxFlags, StatxTimestamp};

/// What is asked for.
pub const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

/// An inode. The number alone does not tell: when a file is deleted, the next one may get it. The time of birth, where
/// the file system knows it, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    number: u64,
    born: Time,
}

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Since 1970.
    pub seconds: i64,
    /// After `seconds`.
    pub nanoseconds: u32,
}

impl Identity {
    /// Whose statx(2) result this is.
    pub fn of(stat: &Statx) -> Self {
        let known = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
        Self { number: stat.stx_ino, born: if known { Time::from(stat.stx_btime) } else { Time::default() } }
    }
}

impl From<StatxTimestamp> for Time {
    fn from(time: StatxTimestamp) -> Self {
        Self { seconds: time.tv_sec, nanoseconds: time.tv_nsec }
    }
}
