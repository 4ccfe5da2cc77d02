//! Where a guest has its record, and what others find of it.

use std::path::{Path, PathBuf};

use nex_supervise::api::Inspection;
use nex_supervise::spool::{SpoolOptions, SpoolWriter};
use nex_supervise::{About, Ended, Event, GuestDir, Id, Journal, Mode, Name, NewGuest, Presence, StateDir, StateError};

use crate::supervisor::socket::Socket;

/// How a guest is kept.
#[derive(Clone, Debug, Default)]
pub struct Keeping {
    /// The directory of all records; `None` where there is no place for it.
    pub state: Option<PathBuf>,
    /// The guest's name, if it has one.
    pub name: Option<Name>,
    /// What runs in it, for people.
    pub about: About,
    /// How its starter has it run.
    pub mode: Mode,
}

impl Keeping {
    /// Whether the guest cannot do without a record.
    fn is_required(&self) -> bool {
        self.mode.detached || self.name.is_some()
    }
}

/// A guest's record while it is there, and the socket in its directory.
#[derive(Debug)]
pub struct Place {
    state: StateDir,
    directory: GuestDir,
    journal: Journal,
    name: Option<Name>,
    mode: Mode,
}

impl Place {
    /// Begins a guest's record. Where it can do without, and there is no place for one, that is a note in words.
    ///
    /// # Errors
    /// When it cannot do without.
    pub fn begin(keeping: &Keeping) -> Result<Result<(Self, Socket), StateError>, StateError> {
        let place = keeping.state.as_deref().ok_or(StateError::NoPlace).and_then(|state| Self::make(state, keeping));
        match place {
            Err(error) if keeping.is_required() => Err(error),
            place => Ok(place),
        }
    }

    fn make(state: &Path, keeping: &Keeping) -> Result<(Self, Socket), StateError> {
        let state = StateDir::open(state)?;
        let NewGuest { directory, journal } =
            state.create(keeping.name.as_ref(), keeping.about.clone(), keeping.mode)?;
        let place = Self { state, directory, journal, name: keeping.name.clone(), mode: keeping.mode };
        match Socket::bind(&place.directory) {
            Ok(socket) => Ok((place, socket)),
            Err(cause) => {
                let path = place.directory.path().to_owned();
                place.discard();
                Err(StateError::Io { path, cause })
            }
        }
    }

    /// The guest's id.
    pub fn id(&self) -> &Id {
        self.directory.id()
    }

    /// The guest's directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What keeps the output, if any of it is kept.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn spool(&self) -> Result<Option<SpoolWriter>, StateError> {
        let spool = self.mode.detached.then(|| SpoolWriter::new(self.directory.directory(), SpoolOptions::default()));
        spool.transpose().map_err(|cause| StateError::Io { path: self.path().to_owned(), cause })
    }

    /// Writes down what happens. What the disk does not take is counted in the journal's last line.
    pub fn note(&mut self, event: Event) {
        let _ = self.journal.note(event);
    }

    /// The journal as it stands on the disk.
    pub fn journal(&self) -> Vec<u8> {
        self.directory.journal().unwrap_or_default()
    }

    /// How it stands with the guest, whose supervisor this process is.
    ///
    /// # Errors
    /// When the disk does not give the journal back.
    pub fn inspect(&self) -> Result<Inspection, StateError> {
        let record = self.directory.record()?;
        Ok(Inspection::of(&record, record.state(Presence::Here)))
    }

    /// Writes the last line, once nothing else of the guest is there, and gives its name back.
    ///
    /// # Errors
    /// When something stays. The next sweep tries again.
    pub fn end(self, ended: Ended) -> Result<Rest, StateError> {
        let Self { state, directory, journal, name, mode } = self;
        directory.clear()?;
        let cause = |cause| StateError::Io { path: directory.path().to_owned(), cause };
        journal.end(ended).map_err(cause)?;
        if let Some(name) = name {
            state.release(&name, directory.id())?;
        }
        Ok(Rest { state, directory, mode })
    }

    /// Removes all of it: there was no guest.
    pub fn discard(self) {
        let nothing = Ended::because_of(nex_supervise::Reason::Exited { code: 0 });
        if let Ok(mut rest) = self.end(nothing) {
            rest.mode.detached = false;
            rest.remove();
        }
    }
}

/// The record of a guest that has ended.
#[derive(Debug)]
pub struct Rest {
    state: StateDir,
    directory: GuestDir,
    mode: Mode,
}

impl Rest {
    /// The journal, whole.
    pub fn journal(&self) -> Vec<u8> {
        self.directory.journal().unwrap_or_default()
    }

    /// Removes it, unless it stays for those who ask later. What cannot be removed expires as others do.
    pub fn remove(self) {
        if !self.mode.detached {
            let _ = self.state.remove(self.directory.id());
        }
    }
}
