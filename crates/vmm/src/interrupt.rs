//! What the start of a guest is given up for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Becomes readable when nobody wants a guest any more that is being started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interrupt<'a>(Option<BorrowedFd<'a>>);

impl<'a> Interrupt<'a> {
    /// One that never comes.
    pub const fn never() -> Self {
        Self(None)
    }

    /// One that comes when a file becomes readable.
    pub const fn by(file: BorrowedFd<'a>) -> Self {
        Self(Some(file))
    }

    /// Whether it has come.
    pub fn has_come(self) -> bool {
        self.0.is_some_and(|file| wait(&[(file, PollFlags::IN)], Instant::now()).is_ok_and(|first| first.is_some()))
    }

    /// Fails once it has come.
    pub(crate) fn check(self) -> io::Result<()> {
        if self.has_come() { Err(given_up()) } else { Ok(()) }
    }

    /// One that lives on its own.
    pub(crate) fn try_into_owned(self) -> io::Result<OwnedInterrupt> {
        Ok(OwnedInterrupt(self.0.map(|file| file.try_clone_to_owned()).transpose()?))
    }
}

/// An [`Interrupt`] that lives on its own.
#[derive(Debug, Default)]
pub struct OwnedInterrupt(Option<OwnedFd>);

impl OwnedInterrupt {
    /// Waits until something can be done with a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] at the deadline, and when the interrupt comes.
    pub fn wait_for(&self, file: BorrowedFd<'_>, what: PollFlags, deadline: Instant) -> io::Result<()> {
        let interrupt = self.0.iter().map(|interrupt| (interrupt.as_fd(), PollFlags::IN));
        let files: Vec<_> = [(file, what)].into_iter().chain(interrupt).collect();
        match wait(&files, deadline)? {
            Some(0) => Ok(()),
            Some(_) => Err(given_up()),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Not [`io::ErrorKind::Interrupted`]: who gets that tries again.
fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it was given up")
}

/// The first of these files for which that can be done; `None` at the deadline.
pub fn wait(files: &[(BorrowedFd<'_>, PollFlags)], deadline: Instant) -> io::Result<Option<usize>> {
    let mut files: Vec<_> = files.iter().map(|(file, what)| PollFd::new(file, *what)).collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match rustix::event::poll(&mut files, Some(&timeout)) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(files.iter().position(|file| !file.revents().is_empty())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
