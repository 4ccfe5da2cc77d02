//! The guests of a user.

use std::path::Path;

use nex_supervise::{Id, Listed, LookupError, StateDir, StateError, SweepOptions, UnixMillis, find, list, sweep};

use crate::error::ClientError;
use crate::guest::Guest;

/// All guests that have a record.
#[derive(Debug)]
pub struct Guests {
    /// `None` where there never was a guest.
    state: Option<StateDir>,
    listed: Vec<Listed>,
    problems: Vec<StateError>,
}

impl Guests {
    /// Looks at the guests that have their records in this directory. First, what killed supervisors have left is swept, and
    /// records whose time has come go.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn look(directory: &Path) -> Result<Self, StateError> {
        let Some(state) = StateDir::open_existing(directory)? else {
            return Ok(Self { state: None, listed: Vec::new(), problems: Vec::new() });
        };
        let mut problems = sweep(&state, &SweepOptions::default(), UnixMillis::now())?.problems;
        let (listed, unreadable) = list(&state)?;
        problems.extend(unreadable);
        Ok(Self { state: Some(state), listed, problems })
    }

    /// All of them, the newest first.
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// What could not be swept, and which records cannot be read.
    pub fn problems(&self) -> &[StateError] {
        &self.problems
    }

    /// The guest that a word means: an id, a name, or the start of an id.
    ///
    /// # Errors
    /// When that is no guest, or more than one, or when it cannot be looked at.
    pub fn find(&self, word: &str) -> Result<Guest, ClientError> {
        let listed = find(&self.listed, word)?;
        let missing = || ClientError::Lookup(LookupError::NotFound { text: word.to_owned() });
        let state = self.state.as_ref().ok_or_else(missing)?;
        // Another process may just have removed it.
        let directory = state.guest(&listed.record.id)?.ok_or_else(missing)?;
        Ok(Guest { directory, record: listed.record.clone(), state: listed.state })
    }

    /// Removes the record of a guest that has ended.
    ///
    /// # Errors
    /// When it has not ended, or something of it stays.
    pub fn remove(&self, id: &Id) -> Result<(), StateError> {
        self.state.as_ref().map_or(Ok(()), |state| state.remove(id))
    }
}
