//! What work leaves behind when it does not come to its end.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use nex_fault::{Code, Fault};
use thiserror::Error;

use crate::codes;

/// Removes one thing.
type Removal = Box<dyn FnOnce() + Send>;

/// What there is to be removed of work that does not come to its end: hidden files, processes, directories.
///
/// All clones are the same workspace. Dropping them removes nothing: work that ends, well or not, removes what it has made by
/// itself.
#[derive(Clone, Debug, Default)]
pub struct Workspace(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    is_closed: bool,
    /// The number of the next one.
    next: u64,
    /// The latest last.
    removals: Vec<(u64, Removal)>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.removals.iter().map(|(number, _)| number).collect();
        f.debug_struct("State").field("is_closed", &self.is_closed).field("removals", &numbers).finish_non_exhaustive()
    }
}

/// The workspace was cleaned up, and takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("its workspace was cleaned up")]
pub struct Closed;

impl Fault for Closed {
    fn code(&self) -> Code {
        codes::CLOSED
    }
}

impl From<Closed> for io::Error {
    fn from(closed: Closed) -> Self {
        Self::other(closed)
    }
}

/// A workspace that nobody cleans up as long as this lives: what is done meanwhile and its note here are one step.
///
/// Hold it for steps that take no time, such as giving a file its name, and drop no [`Leftover`] meanwhile: that waits for this.
pub struct Open<'a> {
    state: MutexGuard<'a, State>,
    workspace: &'a Workspace,
}

/// Something that is noted in a workspace. Dropped, it is forgotten, and not removed: then it is gone, or in other hands.
#[derive(Debug)]
pub struct Leftover {
    number: u64,
    workspace: Workspace,
}

impl Workspace {
    /// Keeps others from cleaning up meanwhile.
    ///
    /// # Errors
    /// [`Closed`] when it was cleaned up before.
    pub fn open(&self) -> Result<Open<'_>, Closed> {
        let state = self.state();
        if state.is_closed { Err(Closed) } else { Ok(Open { state, workspace: self }) }
    }

    /// Notes how to remove something that is there now.
    ///
    /// # Errors
    /// [`Closed`] when the workspace was cleaned up before. The caller has to remove it then.
    pub fn note(&self, removal: impl FnOnce() + Send + 'static) -> Result<Leftover, Closed> {
        Ok(self.open()?.note(removal))
    }

    /// Removes all that is noted, the latest first, and takes no more notes: work that still goes on fails at its next one.
    ///
    /// Other threads may drop their [`Leftover`]s meanwhile, and wait for nothing.
    pub fn clean_up(&self) {
        self.state().is_closed = true;
        loop {
            let Some((_, removal)) = self.state().removals.pop() else { return };
            removal();
        }
    }

    /// The same in a thread of its own, and waits no longer than this for it.
    pub fn clean_up_within(&self, patience: Duration) {
        let workspace = self.clone();
        let (done, ended) = mpsc::channel::<()>();
        let work = move || {
            workspace.clean_up();
            drop(done);
        };
        if std::thread::Builder::new().name("clean-up".into()).spawn(work).is_ok() {
            // Nothing is ever sent: this comes back when the thread is done.
            ended.recv_timeout(patience).ok();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open<'_> {
    /// Notes how to remove something.
    pub fn note(&mut self, removal: impl FnOnce() + Send + 'static) -> Leftover {
        let number = self.state.next;
        self.state.next += 1;
        self.state.removals.push((number, Box::new(removal)));
        Leftover { number, workspace: self.workspace.clone() }
    }

    /// Forgets something that has come to stay, or is gone.
    pub fn forget(&mut self, leftover: &Leftover) {
        self.state.removals.retain(|(number, _)| *number != leftover.number);
    }
}

impl Leftover {
    /// Removes it, unless that was done or is being done already.
    pub fn remove(self) {
        let removal = {
            let mut state = self.workspace.state();
            let found = state.removals.iter().position(|(number, _)| *number == self.number);
            found.map(|index| state.removals.remove(index))
        };
        if let Some((_, removal)) = removal {
            removal();
        }
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        self.workspace.state().removals.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_is_left_is_removed_once_the_latest_first() {
        let (sender, done) = channel();
        let workspace = Workspace::default();
        let note = |what: &'static str| {
            let sender = sender.clone();
            workspace.note(move || sender.send(what).unwrap_or_default()).unwrap()
        };
        let (_first, dropped, removed) = (note("first"), note("dropped"), note("removed"));
        let (stays, _last) = (note("stays"), note("last"));
        workspace.open().unwrap().forget(&stays);
        drop(dropped);
        removed.remove();
        workspace.clean_up();
        workspace.clean_up();
        drop(sender);
        assert_eq!(done.iter().collect::<Vec<_>>(), ["removed", "last", "first"]);
        assert_eq!(workspace.note(|| ()).err(), Some(Closed));
    }

    #[test]
    fn who_cleans_up_keeps_nobody_waiting() {
        let workspace = Workspace::default();
        let (begun, begins) = channel();
        let (end, ends) = channel::<()>();
        let first = workspace.note(|| ()).unwrap();
        let _hangs = workspace.note(move || {
            begun.send(()).unwrap_or_default();
            ends.recv().unwrap_or_default();
        });
        let started = Instant::now();
        workspace.clean_up_within(Duration::from_millis(100));
        assert!(started.elapsed() < Duration::from_secs(60));
        begins.recv().unwrap();
        // Other threads still get on, and other workspaces are open.
        first.remove();
        assert!(workspace.open().is_err());
        assert!(Workspace::default().open().is_ok());
        drop(end);
    }
}
