//! Signals, taken one at a time instead of by handlers.

use nix::sys::signal::{SigSet, Signal};

/// The signals that ask an init to end the machine.
///
/// `SIGINT` is what the kernel sends for Ctrl-Alt-Del, `SIGPWR` is a failing power supply, and `SIGUSR1` and `SIGUSR2`
/// are what BusyBox's `halt` and `poweroff` send.
const END_OF_MACHINE: [Signal; 5] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGPWR, Signal::SIGUSR1, Signal::SIGUSR2];

/// The signals that ask a service to stop.
const END_OF_SERVICE: [Signal; 2] = [Signal::SIGTERM, Signal::SIGINT];

/// What a process waits for.
pub enum Event {
    /// It is asked to end.
    End(Signal),
    /// A child, or an orphan that became one, has ended.
    ChildEnded,
}

/// Signals that are blocked for good, and waited for.
pub struct Signals {
    awaited: SigSet,
}

impl Signals {
    /// Blocks everything, and awaits what concerns an init.
    ///
    /// Blocked signals reach even process 1, to which the kernel otherwise delivers only those it has a handler for.
    pub fn of_init() -> nix::Result<Self> {
        Self::block(END_OF_MACHINE.into_iter().chain([Signal::SIGCHLD]))
    }

    /// Blocks everything, and awaits what concerns a service.
    pub fn of_service() -> nix::Result<Self> {
        Self::block(END_OF_SERVICE.into_iter())
    }

    fn block(awaited: impl Iterator<Item = Signal>) -> nix::Result<Self> {
        SigSet::all().thread_block()?;
        Ok(Self { awaited: awaited.collect() })
    }

    /// Sleeps until one of the awaited signals arrives.
    pub fn wait(&self) -> nix::Result<Event> {
        match self.awaited.wait()? {
            Signal::SIGCHLD => Ok(Event::ChildEnded),
            signal => Ok(Event::End(signal)),
        }
    }
}
