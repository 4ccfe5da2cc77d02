//! The sweep: what killed supervisors have left goes, and each of their guests gets its last line. Every command begins with it.
//!
//! A guest is swept by who has the lock of its directory, and who has it looks at the journal again. So of two sweeps one writes the
//! last line, and the other one finds it there. A sweep that is killed leaves the line unwritten, and the next one does all of it
//! again.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::error::StateError;
use crate::event::Ended;
use crate::expiry::{self, Room, SweepOptions};
use crate::guest_dir::{self, GuestDir, Lock};
use crate::id::Id;
use crate::identity::Held;
use crate::journal::Journal;
use crate::reason::Reason;
use crate::record::{Record, State};
use crate::state_dir::StateDir;
use crate::time::UnixMillis;

/// How long all VMMs together that a sweep has killed may take to end. One that waits for a disk does not.
const LAST_BREATH: Duration = Duration::from_secs(3);

/// As many guests are swept side by side: each takes some open files.
const AT_ONCE: usize = 32;

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

/// Sweeps all records. What goes wrong with one guest keeps no other from being swept. Guests of other machines stay as they are.
///
/// # Errors
/// When the directory cannot be read.
pub fn sweep(state: &StateDir, options: &SweepOptions, now: UnixMillis) -> Result<Swept, StateError> {
    let mut swept = Swept::default();
    swept.problems.extend(state.remove_abandoned().err());
    let (mut rooms, mut deadline) = (Vec::new(), None);
    for ids in state.ids()?.chunks(AT_ONCE) {
        let mut doomed = Vec::new();
        for id in ids {
            match look(state, id) {
                Ok(Look::Passed) => {}
                Ok(Look::Tidy(room)) => rooms.push(room),
                Ok(Look::Doomed(guest)) => doomed.push(guest),
                Err(error) => swept.problems.push(error),
            }
        }
        for guest in doomed {
            match guest.finish(state, &mut deadline) {
                Ok((reason, room)) => {
                    swept.lost.extend(reason.map(|reason| (guest.record.id, reason)));
                    rooms.push(room);
                }
                Err(error) => swept.problems.push(error),
            }
        }
    }
    let (expired, problems) = expiry::expire(state, options, now, rooms);
    swept.expired = expired;
    swept.problems.extend(problems);
    for (id, reason) in &swept.lost {
        tracing::info!(target: "supervise", "{id}: {reason}");
    }
    Ok(swept)
}

/// What a guest turns out to be.
enum Look {
    /// It is there, or others see to it.
    Passed,
    /// It has ended, and its record is all that is left.
    Tidy(Room),
    /// Something of it is left, and nobody else sees to it. Its VMM is killed.
    Doomed(Box<Doomed>),
}

/// A guest that is being swept.
struct Doomed {
    guest: GuestDir,
    lock: Lock,
    record: Record,
    /// Why it has ended; `None` where the last line says so.
    reason: Option<Reason>,
    vmm: Option<Held>,
}

/// Looks at a guest, and kills its VMM if nobody supervises it.
fn look(state: &StateDir, id: &Id) -> Result<Look, StateError> {
    let Some(guest) = state.guest(id)? else { return Ok(Look::Passed) };
    let record = match guest.record() {
        // What was damaged tells nothing that could be done. It goes when its time has come.
        Err(StateError::Unreadable { .. }) => {
            return Ok(Room::of_damaged(&guest)?.map_or(Look::Passed, Look::Tidy));
        }
        Err(StateError::Later(_)) if guest.has_supervisor()? => return Ok(Look::Passed),
        record => record?,
    };
    if guest.state(&record)?.is_living() {
        return Ok(Look::Passed);
    }
    // Nothing is known of the rules of a later nex.
    if record.is_unknown() {
        return Err(StateError::Later(id.clone()));
    }
    if let Some(room) = tidy(state, &guest, &record)? {
        return Ok(Look::Tidy(room));
    }
    let Some(lock) = guest.lock(Duration::ZERO)? else { return Ok(Look::Passed) };
    let record = guest.record()?;
    let reason = match guest.state_under(&lock, &record)? {
        // Its supervisor was killed between the last line and its own tidying.
        State::Ended(_) => None,
        State::Lost(reason) => Some(reason),
        State::Starting | State::Running | State::Stopping | State::Elsewhere => return Ok(Look::Passed),
    };
    let vmm = vmm(&record)?;
    if let Some(vmm) = &vmm {
        vmm.signal(Signal::KILL).map_err(StateError::io(guest.path()))?;
    }
    Ok(Look::Doomed(Box::new(Doomed { guest, lock, record, reason, vmm })))
}

/// The room of a guest that has ended, if nothing is left to do for it. There are many of those, so this takes few calls of the system.
fn tidy(state: &StateDir, guest: &GuestDir, record: &Record) -> Result<Option<Room>, StateError> {
    let Some((ended, _)) = record.ended else { return Ok(None) };
    let names = guest.names()?;
    let has_name =
        || record.name.as_ref().map_or(Ok(false), |name| Ok(state.owner(name)?.as_ref() == Some(&record.id)));
    let is_tidy = names.iter().all(|name| guest_dir::tells(name))
        && !record.leftovers.iter().any(|leftover| leftover.may_be_there())
        && vmm(record)?.is_none()
        && !has_name()?;
    if is_tidy { Room::of(guest, ended, &names).map(Some) } else { Ok(None) }
}

/// A guest's VMM, if it is still that process.
fn vmm(record: &Record) -> Result<Option<Held>, StateError> {
    let Some(started) = &record.vmm else { return Ok(None) };
    let told = |cause| StateError::Io { path: format!("/proc/{}", started.vmm.pid).into(), cause };
    started.vmm.hold().map_err(told)
}

impl Doomed {
    /// Waits for the VMM, but for all VMMs together no longer than [`LAST_BREATH`], removes what is left, and writes the last line. Gives
    /// the reason where it has written one.
    fn finish(&self, state: &StateDir, deadline: &mut Option<Instant>) -> Result<(Option<Reason>, Room), StateError> {
        let (guest, record) = (&self.guest, &self.record);
        if let (Some(held), Some(started)) = (&self.vmm, &record.vmm) {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + LAST_BREATH);
            let left = deadline.saturating_duration_since(Instant::now());
            if !held.has_ended(left).map_err(StateError::io(guest.path()))? {
                return Err(StateError::StuckVmm { id: record.id.clone(), pid: started.vmm.pid });
            }
        }
        self.remove_leftovers()?;
        if let Some(reason) = self.reason {
            let journal = Journal::resume(&self.lock.0).map_err(StateError::io(guest.path()))?;
            let ended = Ended { restarts: record.restarts, ..Ended::because_of(reason) };
            journal.end(ended).map_err(StateError::io(guest.path()))?;
        }
        if let Some(name) = &record.name {
            state.release(name, &record.id)?;
        }
        let ended = record.ended.as_ref().map_or_else(UnixMillis::now, |(time, _)| *time);
        Ok((self.reason, Room::of(guest, ended, &guest.names()?)?))
    }

    /// Removes all that was made for the guest but what tells of it. Where one thing stays, all else goes.
    fn remove_leftovers(&self) -> Result<(), StateError> {
        let outside = self.record.leftovers.iter().map(|leftover| leftover.remove(&self.record.id));
        let results: Vec<_> = outside.chain([self.guest.clear()]).collect();
        results.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::about::About;
    use crate::event::{Event, Started};
    use crate::identity::Identity;
    use crate::mode::Mode;

    #[test]
    fn all_vmms_that_do_not_end_cost_one_wait() {
        let place = tempfile::tempdir().unwrap();
        let state = StateDir::open(&place.path().join("run")).unwrap();
        // In the place of one that was killed, and waits for a disk.
        let mut stuck = Command::new("sleep").arg("600").spawn().unwrap();
        let vmm = Identity::of(stuck.id()).unwrap();
        let doomed = || {
            let mut new = state.create(None, About::default(), Mode::default()).unwrap();
            new.journal.note(Event::Started(Started { name: "qemu".into(), vmm: vmm.clone() })).unwrap();
            let id = new.directory.id().clone();
            drop(new);
            let guest = state.guest(&id).unwrap().unwrap();
            let lock = guest.lock(Duration::ZERO).unwrap().unwrap();
            let record = guest.record().unwrap();
            Doomed { guest, lock, record, reason: Some(Reason::SupervisorKilled), vmm: vmm.hold().unwrap() }
        };
        let all = [doomed(), doomed(), doomed()];
        let (begun, mut deadline) = (Instant::now(), None);
        for guest in &all {
            assert!(matches!(guest.finish(&state, &mut deadline), Err(StateError::StuckVmm { .. })));
        }
        assert!((LAST_BREATH..2 * LAST_BREATH).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        stuck.kill().unwrap();
        stuck.wait().unwrap();
        assert!(all.iter().all(|guest| guest.finish(&state, &mut deadline).is_ok()));
    }
}
