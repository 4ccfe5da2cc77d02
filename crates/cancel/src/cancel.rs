//! The token that says whether work is cancelled.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use nex_fault::{Code, Fault};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use thiserror::Error;

use crate::codes;

/// Says whether work is cancelled. All clones say the same, and once cancelled is cancelled for ever.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Option<Arc<Token>>);

#[derive(Debug)]
struct Token {
    is_cancelled: AtomicBool,
    /// An eventfd: readable once the work is cancelled. Nobody reads it.
    event: OwnedFd,
}

/// The work was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("it was cancelled")]
pub struct Cancelled;

impl Cancelled {
    /// Whether a failure is nothing but a cancellation.
    pub fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<Self>())
    }
}

impl Fault for Cancelled {
    fn code(&self) -> Code {
        codes::CANCELLED
    }
}

impl From<Cancelled> for io::Error {
    /// Not [`io::ErrorKind::Interrupted`]: who gets that tries again.
    fn from(cancelled: Cancelled) -> Self {
        Self::other(cancelled)
    }
}

impl Cancel {
    /// A token for work that can be cancelled.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new() -> io::Result<Self> {
        let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Some(Arc::new(Token { is_cancelled: AtomicBool::new(false), event }))))
    }

    /// A token for work that nobody cancels.
    pub const fn never() -> Self {
        Self(None)
    }

    /// Cancels the work. Does nothing to a token made by [`never`](Self::never).
    pub fn cancel(&self) {
        if let Some(token) = &self.0 {
            // In this order: whoever the event wakes finds the flag.
            token.is_cancelled.store(true, Ordering::SeqCst);
            // It fails when the counter is full, and the event is readable then.
            rustix::io::write(&token.event, &1u64.to_ne_bytes()).ok();
        }
    }

    /// Whether the work is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|token| token.is_cancelled.load(Ordering::SeqCst))
    }

    /// Fails once the work is cancelled.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// A file to poll: readable once the work is cancelled. `None` when nobody can cancel it.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(|token| token.event.as_fd())
    }

    /// Waits until a file is readable, or its other end closed.
    ///
    /// # Errors
    /// [`Cancelled`] when the work is cancelled before, and when the system fails.
    pub fn wait_for(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        self.wait(file, None).map(drop)
    }

    /// The same until a time: whether the file is readable or its other end closed by then.
    ///
    /// # Errors
    /// As those of [`wait_for`](Self::wait_for).
    pub fn wait_until(&self, file: BorrowedFd<'_>, end: Instant) -> io::Result<bool> {
        self.wait(file, Some(end))
    }

    /// Does work that nothing wakes, as one that waits for a server, on a thread of its own. Once it is cancelled, nobody waits for it any
    /// more: it goes on to its own end, and what it gives is dropped. Where nobody can cancel it, the caller's thread does it.
    ///
    /// # Errors
    /// [`Cancelled`] when it is cancelled before the work is done, and when the system gives no thread.
    pub fn run_aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        if self.0.is_none() {
            return Ok(work());
        }
        let (done, doing) = io::pipe()?;
        let thread = thread::Builder::new().name("aside".into()).spawn(move || {
            // Closed at the end of the work, whether it gives something or panics.
            let _doing = doing;
            work()
        })?;
        self.wait_for(done.as_fd())?;
        thread.join().or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn wait(&self, file: BorrowedFd<'_>, end: Option<Instant>) -> io::Result<bool> {
        let mut files = vec![PollFd::from_borrowed_fd(file, PollFlags::IN)];
        files.extend(self.file().map(|event| PollFd::from_borrowed_fd(event, PollFlags::IN)));
        loop {
            self.check()?;
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            let left = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
            match rustix::event::poll(&mut files, left.as_ref()) {
                Ok(0) if end.is_some() => return Ok(false),
                Ok(_) if !files[0].revents().is_empty() => return Ok(true),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_clones_are_cancelled_and_no_other_token() -> io::Result<()> {
        let (cancel, other) = (Cancel::new()?, Cancel::new()?);
        let clone = cancel.clone();
        assert_eq!(clone.check(), Ok(()));
        cancel.cancel();
        cancel.cancel();
        assert_eq!(clone.check(), Err(Cancelled));
        assert!(!other.is_cancelled());
        Cancel::never().cancel();
        assert!(!Cancel::never().is_cancelled());
        Ok(())
    }

    #[test]
    fn what_waits_for_a_file_is_woken() -> io::Result<()> {
        let (reader, mut writer) = io::pipe()?;
        let cancel = Cancel::new()?;
        writer.write_all(b"x")?;
        cancel.wait_for(reader.as_fd())?;
        assert!(cancel.wait_until(reader.as_fd(), Instant::now())?);
        let (reader, _writer) = io::pipe()?;
        for cancel in [&cancel, &Cancel::never()] {
            assert!(!cancel.wait_until(reader.as_fd(), Instant::now() + Duration::from_millis(20))?);
        }
        thread::scope(|scope| {
            let waiting = scope.spawn(|| cancel.wait_for(reader.as_fd()));
            thread::sleep(Duration::from_millis(20));
            cancel.cancel();
            let error = waiting.join().map_err(|_| io::ErrorKind::Other)?.err();
            assert!(error.as_ref().is_some_and(Cancelled::is_cause_of));
            Ok(())
        })
    }

    #[test]
    fn nobody_waits_for_work_that_is_cancelled() -> io::Result<()> {
        let caller = thread::current().id();
        assert!(Cancel::never().run_aside(move || thread::current().id() == caller)?);
        let cancel = Cancel::new()?;
        assert!(cancel.run_aside(move || thread::current().id() != caller)?);
        let (never, waits) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| cancel.run_aside(move || waits.recv().is_ok()));
            thread::sleep(Duration::from_millis(20));
            cancel.cancel();
            let error = waiting.join().map_err(|_| io::ErrorKind::Other)?.err();
            assert!(error.as_ref().is_some_and(Cancelled::is_cause_of));
            drop(never);
            Ok(())
        })
    }

    #[test]
    fn work_that_panics_is_the_callers_panic() -> io::Result<()> {
        let cancel = Cancel::new()?;
        let result = thread::spawn(move || cancel.run_aside::<()>(|| panic!("as asked"))).join();
        assert!(result.is_err_and(|panic| panic.downcast_ref() == Some(&"as asked")));
        Ok(())
    }
}
