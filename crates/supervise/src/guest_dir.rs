//! The directory of a guest: its journal, its output, and what else stands there as long as the guest does.
//!
//! Who works for the guest has the lock of this directory: its supervisor for as long as it lives, a sweep for a moment. The kernel
//! takes the lock from a process that is killed, and no other pid namespace and no other machine that shares the directory hides it.

use std::io;
use std::path::Path;
use std::time::Duration;

use nex_file::directory::Directory;
use nex_file::{lock, remove, trust};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::boot_id::BootId;
use crate::error::StateError;
use crate::id::Id;
use crate::journal;
use crate::record::{Presence, Record, State};
use crate::spool;

/// How long another process may have the lock: as long as a sweep takes, or somebody who looks at the lock.
const PATIENCE: Duration = Duration::from_millis(200);

/// A guest's directory.
#[derive(Debug)]
pub struct GuestDir {
    id: Id,
    directory: Directory,
}

/// The lock of a guest's directory. It goes with the value.
#[derive(Debug)]
pub(crate) struct Lock(pub Directory);

impl GuestDir {
    /// Opens that of a guest in the directory of all of them; `None` when there is no such guest.
    ///
    /// # Errors
    /// When it cannot be opened, or is not the caller's alone.
    pub(crate) fn open(guests: &Directory, id: &Id) -> Result<Option<Self>, StateError> {
        let path = guests.path().join(id.as_str());
        let directory = match guests.open(id.as_str()) {
            Err(Errno::NOENT) => return Ok(None),
            directory => directory.map_err(StateError::errno(&path))?,
        };
        let metadata = directory.handle().metadata().map_err(StateError::io(&path))?;
        trust::is_the_callers(&metadata).map_err(|why| {
            let cause = nex_file::way::WayError::Distrust { path: path.clone(), why };
            StateError::Way { path: path.clone(), cause }
        })?;
        Ok(Some(Self { id: id.clone(), directory }))
    }

    /// That which was just made, for its supervisor.
    pub(crate) fn made(id: Id, directory: Directory) -> Self {
        Self { id, directory }
    }

    /// Whose it is.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Where it is. Nobody but root and the caller can lead the path elsewhere.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Its handle.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Reads the journal, and folds it.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged from its first line on.
    pub fn record(&self) -> Result<Record, StateError> {
        let bytes = match journal::read(&self.directory) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StateError::io(&self.path().join(journal::NAME))(error)),
        };
        Record::fold(&self.id, &bytes).map_err(|cause| StateError::Unreadable { id: self.id.clone(), cause })
    }

    /// How it stands with the guest now. Its supervisor is there if the process is that the journal names, or if somebody has the
    /// lock, such as a supervisor in another pid namespace, or on another machine that shares the directory.
    ///
    /// # Errors
    /// When the system does not tell who is alive.
    pub fn state(&self, record: &Record) -> Result<State, StateError> {
        let state = self.state_by_process(record)?;
        let is_here = matches!(state, State::Lost(_)) && self.is_locked().map_err(StateError::io(self.path()))?;
        Ok(if is_here { record.state(Presence::Here) } else { state })
    }

    /// The same for who has the lock: nobody else can have it.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub(crate) fn state_under(&self, _lock: &Lock, record: &Record) -> Result<State, StateError> {
        self.state_by_process(record)
    }

    fn state_by_process(&self, record: &Record) -> Result<State, StateError> {
        let presence = || {
            if record.supervisor.is_alive()? {
                return Ok(Presence::Here);
            }
            let is_same_boot = record.supervisor.boot_id == BootId::current()?;
            Ok(if is_same_boot { Presence::Killed } else { Presence::Rebooted })
        };
        // Nobody asks who is there once the guest has ended.
        let presence = if record.ended.is_some() { Ok(Presence::Killed) } else { presence() };
        Ok(record.state(presence.map_err(StateError::io(self.path()))?))
    }

    fn is_locked(&self) -> io::Result<bool> {
        let own = self.directory.again()?;
        match flock(own.handle(), FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Locks it for this process alone; `None` when another one works for the guest.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, StateError> {
        let own = self.directory.again().map_err(StateError::errno(self.path()))?;
        match lock::exclusive(own.handle(), PATIENCE) {
            Ok(()) => Ok(Some(Lock(own))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(StateError::io(self.path())(error)),
        }
    }

    /// Removes all but what tells of the guest: sockets, drives, and what else its supervisor has made here.
    ///
    /// # Errors
    /// When something stays. All else goes.
    pub(crate) fn clear(&self) -> Result<(), StateError> {
        let names = self.directory.names().map_err(StateError::io(self.path()))?;
        let tells = |name: &std::ffi::OsStr| name == journal::NAME || spool::is_segment(name);
        let others = names.into_iter().filter(|name| !tells(name)).collect();
        remove::trees(self.directory.handle(), others).map_err(StateError::stuck(self.path()))
    }
}
