//! Signals as something to wait for beside other things.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nex_channel::Signal;
use nex_process::IgnoredSignals;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

const CAUGHT: [i32; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH];

/// The signals that concern a talk, but for those that the caller has this process ignore.
#[derive(Debug)]
pub struct Signals(SignalDelivery<UnixStream, SignalOnly>);

/// What has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// One that asks programs to end.
    Signal(Signal),
    /// The terminal has another size.
    Resized,
    /// This process is to stop until it is continued.
    Suspend,
    /// It was continued.
    Continued,
}

impl Signals {
    /// Catches them from now on, until this is dropped.
    ///
    /// # Errors
    /// When they cannot be caught.
    pub fn catch() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let ignored = IgnoredSignals::now();
        let caught = CAUGHT.into_iter().filter(|signal| !ignored.has(*signal));
        SignalDelivery::with_pipe(read, write, SignalOnly, caught).map(Self)
    }

    /// Readable when one has come.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }

    /// Those that have come.
    pub fn pending(&mut self) -> impl Iterator<Item = Came> + use<> {
        self.0.pending().filter_map(|signal| match signal {
            SIGWINCH => Some(Came::Resized),
            SIGTSTP => Some(Came::Suspend),
            SIGCONT => Some(Came::Continued),
            other => u8::try_from(other).ok().and_then(Signal::new).map(Came::Signal),
        })
    }
}

/// Stops this process as the signal would that was caught, until it is continued.
pub fn suspend() {
    // It fails for numbers alone that are no signal's.
    drop(signal_hook::low_level::emulate_default_handler(SIGTSTP));
}
