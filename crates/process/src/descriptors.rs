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

/// The descriptors that the caller had open, beside the standard streams.
#[derive(Debug, Default)]
pub struct Inherited(Vec<libc::c_int>);

impl Inherited {
    /// Those of this process. To be asked before anything is opened.
    ///
    /// # Errors
    /// When the system does not tell which there are.
    pub fn of_this_process() -> io::Result<Self> {
        let numbers = numbers()?;
        // The one by which they were listed is closed by now.
        Ok(Self(numbers.into_iter().filter(|number| is_open(*number)).collect()))
    }

    /// Closes them: who waits for the end of a pipe waits no longer. Nothing here reads or writes by them any more: what the arguments
    /// name by `/dev/fd/63` was opened once more.
    #[allow(unsafe_code, reason = "descriptors of others have no type in the standard library")]
    pub fn close(self) {
        for descriptor in self.0 {
            // SAFETY: it was open before anything of this process was, so that no value here owns it.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// The numbers of descriptors that are no standard streams.
fn numbers() -> io::Result<Vec<libc::c_int>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let number: Option<libc::c_int> = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        numbers.extend(number.filter(|number| *number >= FIRST));
    }
    Ok(numbers)
}

#[allow(unsafe_code, reason = "descriptors of others have no type in the standard library")]
fn is_open(descriptor: libc::c_int) -> bool {
    // SAFETY: a flag of the descriptor is read, and nothing else.
    unsafe { libc::fcntl(descriptor, libc::F_GETFD) != -1 }
}

/// The same, one after another.
#[allow(unsafe_code, reason = "descriptors of others have no type in the standard library")]
fn mark_each() -> io::Result<()> {
    for descriptor in numbers()? {
        // SAFETY: a flag of the descriptor is set, and nothing else. One that is closed by now is refused.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
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
