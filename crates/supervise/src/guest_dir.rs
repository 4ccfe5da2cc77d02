//! The directory of a guest: its journal, its output, and what else stands there as long as the guest does.
//!
//! There are two locks. A supervisor has both for as long as it lives, and the kernel takes them from a process that is killed.
//!
//! - That of the journal says that the supervisor is there. No other pid namespace hides it, and neither does another machine, where the
//!   file system has locks of files for all machines.
//! - That of the directory is for who changes something: the supervisor, or a sweep, which others are not to take for one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

use nex_file::directory::Directory;
use nex_file::lock_domain::{LockDomain, Maker};
use nex_file::{lock, remove, trust};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{StateError, Unreadable};
use crate::id::Id;
use crate::journal;
use crate::record::{Presence, Record, State};
use crate::spool;

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

    /// The bytes of the journal, as many as one may have.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn journal(&self) -> Result<Vec<u8>, StateError> {
        journal::read(&self.directory).map_err(StateError::io(&self.path().join(journal::NAME)))
    }

    /// Reads the journal, and folds it.
    ///
    /// # Errors
    /// When it cannot be read, is damaged from its first line on, or is a later nex's from there on.
    pub fn record(&self) -> Result<Record, StateError> {
        let bytes = match journal::read(&self.directory) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StateError::io(&self.path().join(journal::NAME))(error)),
        };
        Record::fold(&self.id, &bytes).map_err(|cause| match cause {
            Unreadable::Later => StateError::Later(self.id.clone()),
            Unreadable::NoBeginning | Unreadable::Full => StateError::Unreadable { id: self.id.clone(), cause },
        })
    }

    /// How it stands with the guest now. Its supervisor is there if the process is that the journal names, or if somebody has the
    /// journal's lock, such as a supervisor in another pid namespace. Nothing is known of one on another machine whose lock is not seen
    /// here.
    ///
    /// # Errors
    /// When the system does not tell who is alive.
    pub fn state(&self, record: &Record) -> Result<State, StateError> {
        let state = self.state_by_process(record)?;
        let is_here = matches!(state, State::Lost(_) | State::Elsewhere) && self.has_supervisor()?;
        Ok(if is_here { record.state(Presence::Here) } else { state })
    }

    /// The same for who has the lock, and has seen before that the supervisor is gone: no other one follows.
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
            if record.supervisor.is_of_this_namespace()? {
                return Ok(Presence::Killed);
            }
            // What this nex does not understand is nothing that it knows.
            let Ok(noted) = record.lock_domain.parse() else { return Ok(Presence::Elsewhere) };
            Ok(match LockDomain::of(self.directory.handle())?.maker(&noted) {
                Maker::Here => Presence::Killed,
                Maker::Gone => Presence::Rebooted,
                Maker::Elsewhere => Presence::Elsewhere,
            })
        };
        // Nobody asks who is there once the guest has ended.
        let presence = if record.ended.is_some() { Ok(Presence::Killed) } else { presence() };
        Ok(record.state(presence.map_err(StateError::io(self.path()))?))
    }

    /// Whether somebody has the lock of the journal, whatever that says; where there is none, that of the directory.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn has_supervisor(&self) -> Result<bool, StateError> {
        let shared = FlockOperation::NonBlockingLockShared;
        let locked = match self.directory.file(journal::NAME) {
            Err(Errno::NOENT) => self.directory.again().and_then(|own| flock(own.handle(), shared)),
            file => file.and_then(|file| flock(file, shared)),
        };
        match locked {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(StateError::errno(self.path())(error)),
        }
    }

    /// Locks it for this process alone; `None` when another one works for the guest all the time.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn lock(&self, patience: Duration) -> Result<Option<Lock>, StateError> {
        let own = self.directory.again().map_err(StateError::errno(self.path()))?;
        match lock::exclusive(own.handle(), patience) {
            Ok(()) => Ok(Some(Lock(own))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(StateError::io(self.path())(error)),
        }
    }

    /// All names in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, StateError> {
        self.directory.names().map_err(StateError::io(self.path()))
    }

    /// Removes all but what tells of the guest: sockets, drives, and what else its supervisor has made here.
    ///
    /// # Errors
    /// When something stays. All else goes.
    pub fn clear(&self) -> Result<(), StateError> {
        let others = self.names()?.into_iter().filter(|name| !tells(name)).collect();
        remove::trees(self.directory.handle(), others).map_err(StateError::stuck(self.path()))
    }
}

/// Whether what has this name in a guest's directory tells of the guest, and stays when it ends.
pub fn tells(name: &OsStr) -> bool {
    name == journal::NAME || spool::is_segment(name)
}
