//! The directory of all records of a user.
//!
//! ```text
//! STATE/guests/ID/            a guest's directory
//! STATE/guests/ID/journal     what has happened to it
//! STATE/guests/ID/output.N    what it has written
//! STATE/names/NAME            a symbolic link to the guest that has the name, or had it
//! STATE/making/               what is in the making, and what is being removed
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nex_file::base::Base;
use nex_file::directory::Directory;
use nex_file::lock_domain::LockDomain;
use nex_file::way::Missing;
use nex_file::{leftovers, lock};
use rustix::fs::{AtFlags, readlinkat, symlinkat, unlinkat};
use rustix::io::Errno;

use crate::about::About;
use crate::error::StateError;
use crate::event::{Created, Event};
use crate::guest_dir::GuestDir;
use crate::id::Id;
use crate::identity::Identity;
use crate::journal::Journal;
use crate::mode::Mode;
use crate::name::Name;
use crate::record::{Record, State};

/// How long another process may have the lock of a guest that is to be removed: as long as a sweep takes for it.
const PATIENCE: Duration = Duration::from_millis(200);

/// What the target of a name's link begins with.
const GUESTS: &str = "../guests/";

/// The directory of all records.
#[derive(Debug)]
pub struct StateDir {
    guests: Directory,
    names: Directory,
    making: Directory,
}

/// A guest that this process supervises from now on.
#[derive(Debug)]
pub struct NewGuest {
    /// Its directory, locked for as long as the journal is there.
    pub directory: GuestDir,
    /// Its journal, with its first line.
    pub journal: Journal,
}

/// `$XDG_STATE_HOME/nex/run`, or `~/.local/state/nex/run` where there is a home.
///
/// # Errors
/// When the environment names neither.
pub fn default_directory() -> Result<PathBuf, StateError> {
    Ok(Base::State.find().ok_or(StateError::NoPlace)?.join("nex/run"))
}

impl StateDir {
    /// Opens it, made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made, or others can change it or the way to it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let directory = Directory::reach(path, Missing::Made).map_err(StateError::way(path))?;
        Self::within(&directory.ok_or_else(|| StateError::io(path)(io::ErrorKind::NotFound.into()))?)
    }

    /// Opens it where it is there.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_existing(path: &Path) -> Result<Option<Self>, StateError> {
        let directory = Directory::reach(path, Missing::Left).map_err(StateError::way(path))?;
        directory.map(|directory| Self::within(&directory)).transpose()
    }

    fn within(directory: &Directory) -> Result<Self, StateError> {
        let level = |name: &str| directory.level(name).map_err(StateError::way(&directory.path().join(name)));
        Ok(Self { guests: level("guests")?, names: level("names")?, making: level("making")? })
    }

    /// Begins a record for a guest that this process supervises. It is on the disk before anybody else sees it.
    ///
    /// # Errors
    /// When a guest that is there has the name, or the system refuses.
    pub fn create(&self, name: Option<&Name>, about: About, mode: Mode) -> Result<NewGuest, StateError> {
        let making = StateError::io(self.making.path());
        let (id, living, journal) = (|| {
            let id = Id::random()?;
            let living = leftovers::create(&self.making)?;
            let supervisor = Identity::of_self()?;
            let lock_domain = LockDomain::of(living.directory.handle())?.to_string();
            let (about, name) = (about.cut(), name.cloned());
            let created = Created { id: id.clone(), name, about, mode, supervisor, lock_domain };
            match Journal::begin(&living.directory, Event::Created(Box::new(created))) {
                Ok(journal) => Ok((id, living, journal)),
                Err(error) => {
                    drop(leftovers::remove(&self.making, &self.making, &living.name));
                    Err(error)
                }
            }
        })()
        .map_err(making)?;
        match self.publish(&living.name, &id, name).and_then(|()| self.settle(&id)) {
            Ok(directory) => Ok(NewGuest { directory: GuestDir::made(id, directory), journal }),
            Err(error) => {
                self.take_back(&living.name, &id, name);
                Err(error)
            }
        }
    }

    /// Gives a guest its name, and its directory its place. Another process that does the same waits for some calls of the system.
    fn publish(&self, made: &str, id: &Id, name: Option<&Name>) -> Result<(), StateError> {
        let place =
            || self.making.rename(made, &self.guests, id.as_str()).map_err(StateError::errno(self.guests.path()));
        let Some(name) = name else { return place() };
        let _lock = self.lock_names()?;
        if let Some(holder) = self.holder(name)? {
            return Err(StateError::NameTaken { name: name.clone(), id: holder });
        }
        self.forget(name)?;
        // A name that leads to no guest is free: so it is when this process is killed here.
        symlinkat(format!("{GUESTS}{id}"), self.names.handle(), name.as_str())
            .map_err(StateError::errno(&self.names.path().join(name.as_str())))?;
        place()
    }

    /// Has a new guest's place on the disk, and opens it. What a power cut takes away again was never shown to anybody.
    fn settle(&self, id: &Id) -> Result<Directory, StateError> {
        let settle = || {
            rustix::fs::fsync(self.guests.again()?.handle())?;
            self.guests.open(id.as_str())
        };
        settle().map_err(StateError::errno(self.guests.path()))
    }

    /// Removes a guest that could not be begun, wherever it stands. What stays is one without a supervisor, for the next sweep.
    fn take_back(&self, made: &str, id: &Id, name: Option<&Name>) {
        for (directory, made) in [(&self.making, made), (&self.guests, id.as_str())] {
            drop(leftovers::remove(&self.making, directory, made));
        }
        if let Some(name) = name {
            drop(self.release(name, id));
        }
    }

    /// The ids of all guests that have a record, living and ended.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn ids(&self) -> Result<Vec<Id>, StateError> {
        let names = self.guests.names().map_err(StateError::io(self.guests.path()))?;
        let mut ids: Vec<_> = names.iter().filter_map(|name| Id::parse(name.to_str()?)).collect();
        ids.sort();
        Ok(ids)
    }

    /// The directory of a guest; `None` when there is no such guest.
    ///
    /// # Errors
    /// When it cannot be opened, or is not the caller's alone.
    pub fn guest(&self, id: &Id) -> Result<Option<GuestDir>, StateError> {
        GuestDir::open(&self.guests, id)
    }

    /// Removes the record of a guest that has ended.
    ///
    /// # Errors
    /// When the guest is there or on another machine, a later nex has written the record, or something of it stays.
    pub fn remove(&self, id: &Id) -> Result<(), StateError> {
        let Some(guest) = self.guest(id)? else { return Ok(()) };
        // Looked at before this process has a lock itself.
        let has_supervisor = guest.has_supervisor()?;
        let lock = guest.lock(PATIENCE)?;
        let name = match guest.record() {
            Ok(record) if record.ended.is_none() => return Err(unended(&guest, &record)?),
            Ok(record) => record.name,
            Err(StateError::Unreadable { .. }) if has_supervisor => return Err(StateError::Living(id.clone())),
            Err(StateError::Unreadable { .. }) => None,
            Err(error) => return Err(error),
        };
        if lock.is_none() {
            return Err(StateError::Busy(id.clone()));
        }
        leftovers::remove(&self.making, &self.guests, id.as_str()).map_err(StateError::io(guest.path()))?;
        name.map_or(Ok(()), |name| self.release(&name, id))
    }

    /// Gives a name back that a guest had. One that another guest has by now stays.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn release(&self, name: &Name, id: &Id) -> Result<(), StateError> {
        let _lock = self.lock_names()?;
        if self.owner(name)?.is_some_and(|owner| owner != *id) { Ok(()) } else { self.forget(name) }
    }

    /// Removes what processes have left that were killed while they made or removed a record.
    pub(crate) fn remove_abandoned(&self) -> Result<(), StateError> {
        leftovers::remove_abandoned(&self.making).map(drop).map_err(StateError::io(self.making.path()))
    }

    /// The guest that has the name, and keeps it.
    fn holder(&self, name: &Name) -> Result<Option<Id>, StateError> {
        let Some(id) = self.owner(name)? else { return Ok(None) };
        let Some(guest) = self.guest(&id)? else { return Ok(None) };
        let keeps = match guest.record() {
            // Whose sweep gives the name back is a later nex.
            Ok(record) if record.is_unknown() => true,
            Err(StateError::Later(_)) => true,
            Ok(record) => guest.state(&record)?.is_living(),
            Err(StateError::Unreadable { .. }) => guest.has_supervisor()?,
            Err(error) => return Err(error),
        };
        Ok(keeps.then_some(id))
    }

    /// The guest to which a name's link leads, there or not.
    pub(crate) fn owner(&self, name: &Name) -> Result<Option<Id>, StateError> {
        match readlinkat(self.names.handle(), name.as_str(), Vec::new()) {
            Ok(target) => Ok(target.to_str().ok().and_then(|target| Id::parse(target.strip_prefix(GUESTS)?))),
            // Nothing, or no link.
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(error) => Err(StateError::errno(&self.names.path().join(name.as_str()))(error)),
        }
    }

    fn forget(&self, name: &Name) -> Result<(), StateError> {
        match unlinkat(self.names.handle(), name.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(StateError::errno(&self.names.path().join(name.as_str()))(error)),
        }
    }

    fn lock_names(&self) -> Result<Directory, StateError> {
        let own = self.names.again().map_err(StateError::errno(self.names.path()))?;
        lock::exclusive(own.handle(), lock::PATIENCE).map_err(StateError::io(self.names.path()))?;
        Ok(own)
    }
}

/// Why the record of a guest without a last line stays.
fn unended(guest: &GuestDir, record: &Record) -> Result<StateError, StateError> {
    let id = record.id.clone();
    if record.is_unknown() {
        return Ok(StateError::Later(id));
    }
    Ok(match guest.state(record)? {
        State::Elsewhere => StateError::Elsewhere(id),
        _ => StateError::Living(id),
    })
}
