//! The sweep: what killed supervisors have left goes, and each of their guests gets its last line. Every command begins with it.
//!
//! A guest is swept by who has the lock of its directory, and who has it looks at the journal again. So of two sweeps one writes the
//! last line, and the other one finds it there. A sweep that is killed leaves the line unwritten, and the next one does all of it
//! again.

use std::time::Duration;

use rustix::process::Signal;

use crate::error::StateError;
use crate::event::Ended;
use crate::expiry::{self, SweepOptions};
use crate::guest_dir::GuestDir;
use crate::id::Id;
use crate::journal::Journal;
use crate::reason::Reason;
use crate::record::{Record, State};
use crate::state_dir::StateDir;
use crate::time::UnixMillis;

/// How long a VMM may take to end that was killed.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// The guests that had no supervisor any more, and why.
    pub lost: Vec<(Id, Reason)>,
    /// The guests whose records were removed.
    pub expired: Vec<Id>,
    /// What could not be done. The next sweep tries again.
    pub problems: Vec<StateError>,
}

/// Sweeps all records. What goes wrong with one guest keeps no other from being swept.
///
/// # Errors
/// When the directory cannot be read.
pub fn sweep(state: &StateDir, options: &SweepOptions, now: UnixMillis) -> Result<Swept, StateError> {
    let mut swept = Swept::default();
    swept.problems.extend(state.remove_abandoned().err());
    for id in state.ids()? {
        match sweep_guest(state, &id) {
            Ok(reason) => swept.lost.extend(reason.map(|reason| (id, reason))),
            Err(error) => swept.problems.push(error),
        }
    }
    let (expired, problems) = expiry::expire(state, options, now)?;
    swept.expired = expired;
    swept.problems.extend(problems);
    for (id, reason) in &swept.lost {
        tracing::info!(target: "supervise", "{id}: {reason}");
    }
    Ok(swept)
}

/// Sweeps one guest. Gives the reason where it has written the last line.
fn sweep_guest(state: &StateDir, id: &Id) -> Result<Option<Reason>, StateError> {
    let Some(guest) = state.guest(id)? else { return Ok(None) };
    let record = match guest.record() {
        // What was damaged tells nothing that could be done. It goes when its time has come.
        Err(StateError::Unreadable { .. }) => return Ok(None),
        record => record?,
    };
    if guest.state(&record)?.is_living() {
        return Ok(None);
    }
    // Nothing is known of the rules of a later nex.
    if record.is_later && record.ended.is_none() {
        return Err(StateError::Later(id.clone()));
    }
    let Some(lock) = guest.lock()? else { return Ok(None) };
    let record = guest.record()?;
    let reason = match guest.state_under(&lock, &record)? {
        // Its supervisor was killed between the last line and its own tidying, or nothing is left to do.
        State::Ended(_) => None,
        State::Lost(reason) => Some(reason),
        State::Starting | State::Running | State::Stopping => return Ok(None),
    };
    end_vmm(&record)?;
    remove_leftovers(&guest, &record)?;
    if let Some(reason) = reason {
        let path = guest.path();
        let journal = Journal::resume(&lock.0).map_err(StateError::io(path))?;
        let ended = Ended { restarts: record.restarts, ..Ended::because_of(reason) };
        journal.end(ended).map_err(StateError::io(path))?;
    }
    if let Some(name) = &record.name {
        state.release(name, id)?;
    }
    Ok(reason)
}

/// Kills a guest's VMM, if it is still that process.
fn end_vmm(record: &Record) -> Result<(), StateError> {
    let Some(started) = &record.vmm else { return Ok(()) };
    let told = |cause| StateError::Io { path: format!("/proc/{}", started.vmm.pid).into(), cause };
    let Some(held) = started.vmm.hold().map_err(told)? else { return Ok(()) };
    held.signal(Signal::KILL).map_err(told)?;
    if held.has_ended(LAST_BREATH).map_err(told)? {
        Ok(())
    } else {
        Err(StateError::StuckVmm { id: record.id.clone(), pid: started.vmm.pid })
    }
}

/// Removes all that was made for a guest but what tells of it. Where one thing stays, all else goes.
fn remove_leftovers(guest: &GuestDir, record: &Record) -> Result<(), StateError> {
    let outside = record.leftovers.iter().map(|leftover| leftover.remove(&record.id));
    let results: Vec<_> = outside.chain([guest.clear()]).collect();
    results.into_iter().collect()
}
