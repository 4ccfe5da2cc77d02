//! What the caller decides while its streams are joined with a program's.

use std::os::fd::BorrowedFd;

use nex_channel::{Flow, Signal};

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To go on.
    GoOn,
    /// To send the program this signal, or to leave if the request is not taken yet.
    Send(Signal),
    /// To leave.
    Leave,
}

/// Who talks.
pub trait Caller {
    /// A signal has come to this process: SIGHUP, SIGINT, SIGQUIT or SIGTERM. With a terminal, Ctrl-C is none of them but a key.
    fn signal(&mut self, signal: Signal) -> Wish;

    /// What the caller itself waits for, to be read; `None` when there is nothing, or nothing more.
    fn file(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// The file can be read.
    fn ready(&mut self) -> Wish {
        Wish::GoOn
    }

    /// Where the caller catches SIGHUP, SIGINT and SIGTERM itself, those before the talk included: readable when one has come. Without it,
    /// [`signal`](Self::signal) hears of those that come during the talk.
    fn interrupts(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// One of the caller's own signals has come.
    fn interrupted(&mut self) -> Wish {
        Wish::GoOn
    }

    /// These bytes of the program's were written to standard output or to standard error.
    fn wrote(&mut self, _flow: Flow, _bytes: &[u8]) {}
}
