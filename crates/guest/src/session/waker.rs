//! What a step waits for beside the guest.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// A file that somebody else has the other end of.
#[derive(Clone, Copy, Debug)]
pub struct Waker<'a> {
    /// The file.
    pub file: BorrowedFd<'a>,
    /// What is waited for.
    pub interest: Interest,
}

/// What is waited for of a file. Its end, and errors, are waited for in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// That there is something to read.
    Read,
    /// That there is room to write.
    Write,
    /// One or the other.
    Both,
    /// No more than its end.
    End,
}

/// Whether a guest is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hearing {
    /// What it says is read.
    #[default]
    Listens,
    /// Nothing of it is read, so that it waits as soon as the pipes in between are full.
    Holds,
}

impl<'a> Waker<'a> {
    /// A file that is to be read.
    pub fn read(file: BorrowedFd<'a>) -> Self {
        Self { file, interest: Interest::Read }
    }

    pub(super) fn flags(self) -> PollFlags {
        match self.interest {
            Interest::Read => PollFlags::IN,
            Interest::Write => PollFlags::OUT,
            Interest::Both => PollFlags::IN | PollFlags::OUT,
            Interest::End => PollFlags::empty(),
        }
    }
}

/// Waits for files of others where there is no guest any more, and gives the indices of those that are ready; none at the deadline.
///
/// # Errors
/// When the system does not wait.
pub fn wait_for(wakers: &[Waker<'_>], deadline: Instant) -> io::Result<Vec<usize>> {
    let mut files: Vec<PollFd<'_>> = wakers.iter().map(|waker| PollFd::new(&waker.file, waker.flags())).collect();
    wait(&mut files, deadline)?;
    Ok(ready(&files))
}

/// The indices of the files that have something.
pub(super) fn ready(files: &[PollFd<'_>]) -> Vec<usize> {
    files.iter().enumerate().filter(|(_, file)| !file.revents().is_empty()).map(|(index, _)| index).collect()
}

/// Waits for the files, of which each then says what it has; `false` at the deadline.
pub(super) fn wait(files: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match rustix::event::poll(files, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
