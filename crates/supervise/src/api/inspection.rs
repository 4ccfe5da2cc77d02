//! How it stands with a guest, for programs: the same from a guest's supervisor and from its record.

use serde::{Deserialize, Serialize};

use crate::id::Id;
use crate::name::Name;
use crate::record::{Record, State};
use crate::time::UnixMillis;

/// What is known of a guest. Keys whose value is not known are `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// Its id.
    pub id: Id,
    /// Its name, if it has one.
    pub name: Option<Name>,
    /// The name of its state, as in `docs/supervisor.md`.
    pub state: String,
    /// The name of the reason for its end; `None` as long as it is there.
    pub reason: Option<String>,
    /// The exit code that stands for its end; `None` as long as it is there.
    pub exit_code: Option<u8>,
    /// The signal that has ended the program, where the reason is that.
    pub signal: Option<u8>,
    /// How often the program was started again.
    pub restarts: u32,
    /// When its supervisor began.
    pub created_ms: UnixMillis,
    /// When its VMM was started.
    pub started_ms: Option<UnixMillis>,
    /// When it was up.
    pub up_ms: Option<UnixMillis>,
    /// When it ended.
    pub ended_ms: Option<UnixMillis>,
    /// The root filesystem's file.
    pub root: String,
    /// The container image that it was made from.
    pub image: Option<String>,
    /// The kernel.
    pub kernel: Option<String>,
    /// The program and its arguments; empty for the image's own.
    pub command: Vec<String>,
    /// Whether its output is kept, and its record stays.
    pub detached: bool,
    /// Whether its program gets standard input.
    pub stdin: bool,
    /// Whether its program has a terminal.
    pub terminal: bool,
    /// The process of its supervisor, which may have ended.
    pub supervisor_pid: u32,
    /// Which VMM runs it.
    pub vmm: Option<String>,
    /// The VMM's process, which may have ended.
    pub vmm_pid: Option<u32>,
    /// Bytes of output that made room for later ones, or that the disk did not take. Known at the end.
    pub lost_bytes: Option<u64>,
}

impl Inspection {
    /// What a record says of a guest in this state.
    pub fn of(record: &Record, state: State) -> Self {
        let reason = state.reason();
        let signal = match reason {
            Some(crate::Reason::Signalled { signal }) => Some(signal),
            _ => None,
        };
        let losses = record.ended.as_ref().map(|(_, ended)| ended.losses);
        Self {
            id: record.id.clone(),
            name: record.name.clone(),
            state: state.name().to_owned(),
            reason: reason.map(|reason| reason.name().to_owned()),
            exit_code: reason.map(|reason| reason.exit_code()),
            signal,
            restarts: record.restarts,
            created_ms: record.created,
            started_ms: record.started,
            up_ms: record.up,
            ended_ms: record.ended.as_ref().map(|(time, _)| *time),
            root: record.about.root.clone(),
            image: record.about.image.clone(),
            kernel: record.about.kernel.clone(),
            command: record.about.command.clone(),
            detached: record.mode.detached,
            stdin: record.mode.stdin,
            terminal: record.mode.terminal,
            supervisor_pid: record.supervisor.pid,
            vmm: record.vmm.as_ref().map(|started| started.name.clone()),
            vmm_pid: record.vmm.as_ref().map(|started| started.vmm.pid),
            lost_bytes: losses.map(|losses| losses.overwritten_bytes.saturating_add(losses.dropped_bytes)),
        }
    }
}
