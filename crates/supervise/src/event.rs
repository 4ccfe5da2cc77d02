//! What a journal says of a guest, an event a line.

use nex_contract::Document;
use serde::{Deserialize, Serialize};

use crate::about::About;
use crate::id::Id;
use crate::identity::Identity;
use crate::leftover::Leftover;
use crate::mode::Mode;
use crate::name::Name;
use crate::reason::Reason;
use crate::time::UnixMillis;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    schema_version: u32,
    /// When it was written.
    pub time: UnixMillis,
    /// What has happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Line {
    /// One of the present form.
    pub fn new(time: UnixMillis, event: Event) -> Self {
        Self { schema_version: Document::Journal.schema_version(), time, event }
    }

    /// Reads one; the bytes are without the line's end.
    pub fn parse(bytes: &[u8]) -> Parsed {
        /// What every version has.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            schema_version: u32,
        }
        match serde_json::from_slice::<Version>(bytes) {
            Ok(version) if version.schema_version > Document::Journal.schema_version() => Parsed::Later,
            Ok(_) => serde_json::from_slice(bytes).map_or(Parsed::Damaged, |line| Parsed::Line(Box::new(line))),
            Err(_) => Parsed::Damaged,
        }
    }
}

/// What a line turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// One of the present form.
    Line(Box<Line>),
    /// One of a form that a later nex writes.
    Later,
    /// No line of a journal.
    Damaged,
}

/// What happens to a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A supervisor has begun with it. The first line.
    Created(Box<Created>),
    /// Something outside of the guest's own directory is about to be made for it.
    Makes(Makes),
    /// The VMM runs.
    Started(Started),
    /// The guest is up.
    Up,
    /// The program was started again.
    Restarted(Restarted),
    /// Somebody wants the guest to end.
    StopAsked(StopAsked),
    /// The guest is no more. The last line.
    Ended(Ended),
    /// Something that this nex does not know.
    #[serde(other)]
    Unknown,
}

/// Who and what the guest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    /// Its id.
    pub id: Id,
    /// Its name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What runs.
    #[serde(flatten)]
    pub about: About,
    /// How it was started.
    #[serde(flatten)]
    pub mode: Mode,
    /// Who writes this journal; the boot is in it, too.
    pub supervisor: Identity,
    /// Among whom the supervisor's lock is seen: a [`LockDomain`](nex_file::lock_domain::LockDomain).
    #[serde(default)]
    pub lock_domain: String,
}

/// What is about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Makes {
    /// Where.
    pub path: Leftover,
}

/// The VMM's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Which VMM: `qemu`, `firecracker`.
    pub name: String,
    /// Its process.
    pub vmm: Identity,
}

/// The program's new start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarted {
    /// How many there were with it.
    pub times: u32,
}

/// A wish for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopAsked {
    /// Who has it.
    pub by: Asker,
    /// How urgent it is.
    pub how: How,
}

/// Who asks a guest to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "who")]
pub enum Asker {
    /// A client at the supervisor's socket.
    Client {
        /// Its user.
        uid: u32,
        /// Its process, which may have ended long ago.
        pid: u32,
    },
    /// Who has sent the supervisor a signal.
    Signal {
        /// The signal's number.
        signal: u8,
    },
    /// Somebody whom a later nex knows.
    #[serde(other)]
    Unknown,
}

/// How a guest is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// It may clean up.
    Stop,
    /// At once.
    Kill,
    /// In a way that a later nex knows.
    #[serde(other)]
    Unknown,
}

/// How the guest has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
    /// How long it was there by a clock that does not jump, in milliseconds. Nobody knows that of a guest that was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran_ms: Option<u64>,
    /// How often the program was started again.
    #[serde(default)]
    pub restarts: u32,
    /// What is not there any more.
    #[serde(default)]
    pub losses: Losses,
}

impl Ended {
    /// An end of which nothing but the reason is known.
    pub fn because_of(reason: Reason) -> Self {
        Self { reason, ran_ms: None, restarts: 0, losses: Losses::default() }
    }
}

/// What of a guest's output and of its journal is not on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Losses {
    /// Bytes of output that made room for later ones.
    pub overwritten_bytes: u64,
    /// Bytes of output that the disk did not take.
    pub dropped_bytes: u64,
    /// Events that the journal had no room for, or that the disk did not take.
    pub dropped_events: u64,
}
