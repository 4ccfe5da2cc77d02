//! Signals, taken one at a time instead of by handlers.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that ask an init to end the machine.
///
/// `SIGINT` is what the kernel sends for Ctrl-Alt-Del, `SIGPWR` is a failing power supply, and `SIGUSR1` and `SIGUSR2`
/// are what BusyBox's `halt` and `poweroff` send.
const END_OF_MACHINE: [Signal; 5] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGPWR, Signal::SIGUSR1, Signal::SIGUSR2];

/// The signals that ask a service to stop.
const END_OF_SERVICE: [Signal; 2] = [Signal::SIGTERM, Signal::SIGINT];

/// Signals that are blocked for good, and read from a descriptor.
pub struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// Blocks everything, and awaits what concerns an init.
    ///
    /// Blocked signals reach even process 1, to which the kernel otherwise delivers only those it has a handler for.
    pub fn of_init() -> nix::Result<Self> {
        Self::block(&END_OF_MACHINE)
    }

    /// Blocks everything, and awaits what concerns a service.
    pub fn of_service() -> nix::Result<Self> {
        Self::block(&END_OF_SERVICE)
    }

    #[allow(unsafe_code, reason = "the library has no safe way to set what a signal does")]
    fn block(ends: &[Signal]) -> nix::Result<Self> {
        // Who starts a service may ignore it, and programs inherit that: the kernel would forget how children have ended.
        // SAFETY: no handler is installed, so that no code of ours runs in one.
        unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl)? };
        SigSet::all().thread_block()?;
        let awaited: SigSet = ends.iter().copied().chain([Signal::SIGCHLD]).collect();
        let descriptor = SignalFd::with_flags(&awaited, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { descriptor })
    }

    /// The next signal that asks for an end, if one has arrived. What else arrived is forgotten: whoever was woken up looks
    /// for ended children anyway, since one signal may stand for many.
    pub fn asked_to_end(&self) -> Option<Signal> {
        while let Ok(Some(info)) = self.descriptor.read_signal() {
            let signal = i32::try_from(info.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok());
            if let Some(signal) = signal.filter(|signal| *signal != Signal::SIGCHLD) {
                return Some(signal);
            }
        }
        None
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
