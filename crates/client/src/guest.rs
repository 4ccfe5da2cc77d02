//! One guest, there or ended.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nex_channel::Signal;
use nex_supervise::api::{Answer, Inspection, Request};
use nex_supervise::{Event, GuestDir, Reason, Record, State, StateError};

use crate::ask::{Answered, Wait, ask};
use crate::error::ClientError;
use crate::events::Events;
use crate::follow::Follow;

/// How long a guest may take to end whose supervisor is not there any more, or takes no further requests.
const LAST_LINE: Duration = Duration::from_secs(10);

/// How often its journal is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// A guest.
#[derive(Debug)]
pub struct Guest {
    pub(crate) directory: GuestDir,
    pub(crate) record: Record,
    pub(crate) state: State,
}

impl Guest {
    /// What was known of it when it was last looked at.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How it stood with it then.
    pub fn state(&self) -> State {
        self.state
    }

    /// The same for programs.
    pub fn inspection(&self) -> Inspection {
        Inspection::of(&self.record, self.state)
    }

    /// Its directory.
    pub fn directory(&self) -> &GuestDir {
        &self.directory
    }

    /// Looks at it again.
    ///
    /// # Errors
    /// When its record cannot be read any more.
    pub fn look(&mut self) -> Result<State, StateError> {
        self.record = self.directory.record()?;
        self.state = self.directory.state(&self.record)?;
        Ok(self.state)
    }

    /// A connection that is a session of the channel from its next byte on. The caller is the host.
    ///
    /// # Errors
    /// When the guest has ended, or its supervisor refuses.
    pub fn channel(&mut self) -> Result<UnixStream, ClientError> {
        match self.ask(&Request::Channel {}, Wait::ForAnswer)? {
            Answered { answer: Answer::Channel {}, connection } => Ok(connection),
            _ => Err(self.nonsense()),
        }
    }

    /// What happens to it, from its beginning on.
    ///
    /// # Errors
    /// When the guest has ended, or its supervisor refuses.
    pub fn events(&mut self) -> Result<Events, ClientError> {
        match self.ask(&Request::Events {}, Wait::ForAnswer)? {
            Answered { answer: Answer::Events {}, connection } => Ok(Events::new(self.record.id.clone(), connection)),
            _ => Err(self.nonsense()),
        }
    }

    /// Sends its program a signal.
    ///
    /// # Errors
    /// When the guest has ended, or its supervisor refuses.
    pub fn kill(&mut self, signal: Signal) -> Result<(), ClientError> {
        match self.ask(&Request::Kill { signal: signal.number() }, Wait::ForAnswer)?.answer {
            Answer::Killed {} => Ok(()),
            _ => Err(self.nonsense()),
        }
    }

    /// Asks it to end, and waits until nothing of it is left but its record. After this time it is killed; without one, after the
    /// time that its starter has chosen. One that has ended has nothing to do.
    ///
    /// # Errors
    /// When its supervisor refuses, or does not come to an end.
    pub fn stop(&mut self, timeout: Option<Duration>) -> Result<Reason, ClientError> {
        let timeout_ms = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        if let Some(reason) = self.look()?.reason() {
            return Ok(reason);
        }
        match ask(&self.directory, &Request::Stop { timeout_ms }, Wait::ForGuest)? {
            Some(Answered { answer: Answer::Ended(ended), .. }) => Ok(self.end_for(ended.reason)),
            Some(_) => Err(self.nonsense()),
            None => self.settle(),
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When its supervisor refuses to say it, or does not come to an end.
    pub fn wait(&mut self) -> Result<Reason, ClientError> {
        let mut events = match self.events() {
            Err(ClientError::Ended { reason, .. }) => return Ok(reason),
            events => events?,
        };
        while let Some(line) = events.next_line()? {
            if let Event::Ended(ended) = line.event {
                return Ok(self.end_for(ended.reason));
            }
        }
        self.settle()
    }

    /// Its output from the oldest that is kept on.
    ///
    /// # Errors
    /// When the guest runs in the foreground, or the system refuses.
    pub fn follow(&self) -> Result<Follow, ClientError> {
        if !self.record.mode.detached {
            return Err(ClientError::NotKept(self.record.id.clone()));
        }
        Ok(Follow::new(&self.directory)?)
    }

    fn ask(&mut self, request: &Request, wait: Wait) -> Result<Answered, ClientError> {
        let ended = |guest: &Self, reason| ClientError::Ended { id: guest.record.id.clone(), reason };
        if let Some(reason) = self.look()?.reason() {
            return Err(ended(self, reason));
        }
        match ask(&self.directory, request, wait)? {
            Some(answered) => Ok(answered),
            None => {
                let reason = self.settle()?;
                Err(ended(self, reason))
            }
        }
    }

    /// Takes note of its end. The record of a guest that ran in the foreground is gone by then.
    fn end_for(&mut self, reason: Reason) -> Reason {
        if !self.look().is_ok_and(|state| !state.is_living()) {
            self.state = State::Ended(reason);
        }
        reason
    }

    /// Waits for the last line of a guest that has no supervisor any more: its socket goes before that is written.
    fn settle(&mut self) -> Result<Reason, ClientError> {
        let start = Instant::now();
        loop {
            let state = match self.look() {
                // It went with the guest.
                Err(StateError::Unreadable { .. }) => return Err(ClientError::Lost(self.record.id.clone())),
                state => state?,
            };
            match state.reason() {
                Some(reason) => return Ok(reason),
                None if start.elapsed() < LAST_LINE => std::thread::sleep(LOOK),
                None => return Err(ClientError::Lost(self.record.id.clone())),
            }
        }
    }

    fn nonsense(&self) -> ClientError {
        ClientError::Nonsense { id: self.record.id.clone(), cause: None }
    }
}
