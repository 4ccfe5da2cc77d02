//! What is known of a guest: its journal, folded. Folding asks nobody but the bytes, so it gives the same for the same journal.

use crate::about::About;
use crate::error::Unreadable;
use crate::event::{Created, Ended, Event, Line, Parsed, Started, StopAsked};
use crate::id::Id;
use crate::identity::Identity;
use crate::journal::{LONGEST_END, LONGEST_LINE, MOST};
use crate::leftover::Leftover;
use crate::mode::Mode;
use crate::name::Name;
use crate::reason::Reason;
use crate::time::UnixMillis;

/// A guest's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The guest's id.
    pub id: Id,
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// What runs in it.
    pub about: About,
    /// How it was started.
    pub mode: Mode,
    /// Its supervisor.
    pub supervisor: Identity,
    /// Among whom the supervisor's lock is seen: a [`LockDomain`](nex_file::lock_domain::LockDomain).
    pub lock_domain: String,
    /// Its VMM, once that was started.
    pub vmm: Option<Started>,
    /// What was about to be made outside of its directory.
    pub leftovers: Vec<Leftover>,
    /// When its supervisor began.
    pub created: UnixMillis,
    /// When its VMM was started.
    pub started: Option<UnixMillis>,
    /// When it was up.
    pub up: Option<UnixMillis>,
    /// When somebody first asked it to end, and who.
    pub stop_asked: Option<(UnixMillis, StopAsked)>,
    /// How often its program was started again.
    pub restarts: u32,
    /// When it ended, and how. The first such line counts.
    pub ended: Option<(UnixMillis, Ended)>,
    /// Whether a later nex has written something that this one does not understand.
    pub is_later: bool,
    /// Lines that are no lines of a journal: where a writer was killed, or a power cut came.
    pub damaged_lines: u64,
}

/// Whether a guest's supervisor is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Here,
    /// It is not, and the machine is still up in which it was.
    Killed,
    /// It is not, as the machine was started anew.
    Rebooted,
    /// It is where its lock is not seen from here, such as on another machine.
    Elsewhere,
}

/// How it stands with a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not up yet.
    Starting,
    /// It is up.
    Running,
    /// Somebody has asked for its end.
    Stopping,
    /// It has ended, and its journal says how.
    Ended(Reason),
    /// It has ended, and nobody was left to say how. The next sweep writes it down.
    Lost(Reason),
    /// It is one of another machine that shares the records, or of another mount of them. Whether it is there is known there alone.
    Elsewhere,
}

impl State {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Ended(_) => "ended",
            Self::Lost(_) => "lost",
            Self::Elsewhere => "elsewhere",
        }
    }

    /// Whether the guest is there, as far as is known here.
    pub const fn is_living(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping | Self::Elsewhere)
    }

    /// Why it ended; `None` as long as it is there.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Ended(reason) | Self::Lost(reason) => Some(reason),
            Self::Starting | Self::Running | Self::Stopping | Self::Elsewhere => None,
        }
    }
}

impl Record {
    /// Folds a journal. A last line without an end counts for nothing: its writer was killed, or is not ready yet.
    ///
    /// # Errors
    /// When the first line does not say which guest it is, or says another one, and when no last line is there nor has room.
    pub fn fold(id: &Id, journal: &[u8]) -> Result<Self, Unreadable> {
        let most = usize::try_from(MOST).unwrap_or(usize::MAX);
        let whole = journal.get(..most).unwrap_or(journal);
        // What comes behind the last line's end is torn, be it empty.
        let (lines, _torn) =
            whole.iter().rposition(|byte| *byte == b'\n').map_or((&whole[..0], whole), |at| whole.split_at(at));
        let mut lines = lines.split(|byte| *byte == b'\n');
        let first = lines.next().ok_or(Unreadable::NoBeginning)?;
        let mut record = match parse(first) {
            Parsed::Line(line) => match *line {
                Line { time, event: Event::Created(created), .. } if created.id == *id => Self::begin(time, *created),
                _ => return Err(Unreadable::NoBeginning),
            },
            Parsed::Later => return Err(Unreadable::Later),
            Parsed::Damaged => return Err(Unreadable::NoBeginning),
        };
        for bytes in lines {
            match parse(bytes) {
                Parsed::Line(line) => record.take(line.time, line.event),
                Parsed::Later => record.is_later = true,
                Parsed::Damaged => record.damaged_lines += 1,
            }
        }
        // No supervisor goes so far, and nobody could ever end this guest.
        let is_full = whole.len() as u64 > MOST - LONGEST_END;
        if is_full && record.ended.is_none() { Err(Unreadable::Full) } else { Ok(record) }
    }

    fn begin(time: UnixMillis, created: Created) -> Self {
        let Created { id, name, about, mode, supervisor, lock_domain } = created;
        Self {
            id,
            name,
            about,
            mode,
            supervisor,
            lock_domain,
            vmm: None,
            leftovers: Vec::new(),
            created: time,
            started: None,
            up: None,
            stop_asked: None,
            restarts: 0,
            ended: None,
            is_later: false,
            damaged_lines: 0,
        }
    }

    fn take(&mut self, time: UnixMillis, event: Event) {
        match event {
            // Twice is once too many.
            Event::Created(_) => self.damaged_lines += 1,
            Event::Makes(makes) => self.leftovers.push(makes.path),
            Event::Started(vmm) => (self.started, self.vmm) = (Some(time), Some(vmm)),
            Event::Up => self.up = self.up.or(Some(time)),
            Event::Restarted(restarted) => self.restarts = restarted.times,
            Event::StopAsked(asked) => self.stop_asked = self.stop_asked.or(Some((time, asked))),
            Event::Ended(ended) => {
                if self.ended.is_none() {
                    self.restarts = self.restarts.max(ended.restarts);
                    self.ended = Some((time, ended));
                }
            }
            Event::Unknown => {}
        }
    }

    /// Whether a later nex may have ended it in a way that this one does not understand, and knows alone what is left to do.
    pub(crate) fn is_unknown(&self) -> bool {
        self.is_later && self.ended.is_none()
    }

    /// How it stands with the guest, when this is known of its supervisor.
    pub fn state(&self, presence: Presence) -> State {
        match (&self.ended, presence) {
            (Some((_, ended)), _) => State::Ended(ended.reason),
            (None, Presence::Rebooted) => State::Lost(Reason::LostAtReboot),
            (None, Presence::Killed) => State::Lost(Reason::SupervisorKilled),
            (None, Presence::Elsewhere) => State::Elsewhere,
            (None, Presence::Here) if self.stop_asked.is_some() => State::Stopping,
            (None, Presence::Here) if self.up.is_some() => State::Running,
            (None, Presence::Here) => State::Starting,
        }
    }
}

fn parse(line: &[u8]) -> Parsed {
    if line.len() < LONGEST_LINE { Line::parse(line) } else { Parsed::Damaged }
}
