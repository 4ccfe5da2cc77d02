//! What this process was started with, and its children have no use for.

use std::fs;
use std::io;

/// The first descriptor that is no standard stream.
const FIRST: libc::c_int = 3;

/// Keeps the descriptors that the caller had open from all that is started from now on: a VMM whose guest has taken it over, or a
/// credential helper, would read and write the caller's files by them. This process keeps them, as for `/dev/fd/63`, which a
/// shell writes for `<(command)`.
///
/// # Errors
/// When the system does not tell which descriptors there are.
#[allow(unsafe_code, reason = "descriptors of others have no type in the standard library")]
pub fn keep_from_children() -> io::Result<()> {
    // SAFETY: no descriptor is closed, and no memory touched.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    // Linux 5.11 was the first to do it.
    if marked == 0 { Ok(()) } else { mark_each() }
}

/// The same, one after another.
#[allow(unsafe_code, reason = "descriptors of others have no type in the standard library")]
fn mark_each() -> io::Result<()> {
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(descriptor) = number.filter(|number| *number >= FIRST) {
            // SAFETY: a flag of the descriptor is set, and nothing else. One that is closed by now is refused.
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(unsafe_code)]

    use std::fs::File;
    use std::os::fd::AsRawFd;
    use std::process::Command;

    use super::*;

    /// Whether a child finds a file of ours open.
    fn is_seen(file: &File) -> io::Result<bool> {
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(Command::new("test").args(["-e", &name]).status()?.success())
    }

    #[test]
    fn children_see_nothing_of_what_the_caller_had_open() -> io::Result<()> {
        for mark in [keep_from_children, mark_each] {
            let file = File::open("/")?;
            // SAFETY: a flag of our own descriptor is taken away.
            unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
            assert!(is_seen(&file)?);
            mark()?;
            assert!(!is_seen(&file)?);
        }
        Ok(())
    }
}
