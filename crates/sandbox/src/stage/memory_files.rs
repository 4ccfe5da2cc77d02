//! Files in memory that no directory has (memfd_create(2)).
//!
//! What is in one is nobody's memory until it is mapped, and a process may close it, and pass it on, without giving it back. So
//! the monitor makes them in the place of the scripts, and keeps each one open until it is the last who has it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::io::{Errno, Result};

use super::call::Call;
use crate::sys;

/// The most at once.
const MOST: usize = 512;

/// The unit of `st_blocks`.
const SECTOR: u64 = 512;

/// Those that are in use.
#[derive(Default)]
pub struct MemoryFiles(Vec<OwnedFd>);

/// Makes the file that a call asks for, and gives its number in the process. Whoever else looks at the files meanwhile does not
/// wait for the process.
///
/// # Errors
/// Those of memfd_create(2), for the process that asks.
pub fn make(files: &Mutex<MemoryFiles>, call: &Call) -> Result<i64> {
    let name = call.text(0).map_err(|_| Errno::FAULT)?;
    let flags = MemfdFlags::from_bits_retain(call.word(1));
    // Huge pages are the machine's own, and not counted as others are.
    if flags.contains(MemfdFlags::HUGETLB) {
        return Err(Errno::NOSYS);
    }
    let made = rustix::fs::memfd_create(name, flags | MemfdFlags::CLOEXEC)?;
    let given = reopen(&made, OFlags::RDWR)?;
    // The kernel counts who has opened a file; the call itself opens none. So a program in it runs only when nobody
    // has it open for writing any more, as on a disk.
    files.lock().unwrap_or_else(PoisonError::into_inner).keep(reopen(&made, OFlags::RDONLY)?)?;
    let number = call.give(&given, flags.contains(MemfdFlags::CLOEXEC));
    number.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::NOSYS))
}

impl MemoryFiles {
    fn keep(&mut self, file: OwnedFd) -> Result<()> {
        if self.0.len() >= MOST {
            self.forget_unused();
        }
        if self.0.len() >= MOST {
            return Err(Errno::NFILE);
        }
        self.0.push(file);
        Ok(())
    }

    /// The memory that they take, in bytes.
    pub fn bytes(&mut self) -> u64 {
        self.forget_unused();
        let blocks = self.0.iter().filter_map(|file| rustix::fs::fstat(file).ok());
        blocks.map(|stat| stat.st_blocks.cast_unsigned().saturating_mul(SECTOR)).fold(0, u64::saturating_add)
    }

    fn forget_unused(&mut self) {
        self.0.retain(|file| {
            let is_used = !sys::is_only_opener(file.as_fd());
            if !is_used {
                // Who has it without having opened it (O_PATH) finds it empty.
                reopen(file, OFlags::WRONLY).and_then(|file| rustix::fs::ftruncate(file, 0)).ok();
            }
            is_used
        });
    }
}

fn reopen(file: &OwnedFd, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::open(format!("/proc/self/fd/{}", file.as_raw_fd()), flags | OFlags::CLOEXEC, Mode::empty())
}
