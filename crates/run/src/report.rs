//! What a run did, for people and programs.

use nex_diagnose::console::Explanation;
use nex_fault::Remedy;
use nex_guest::{VmmReport, Way};
use nex_supervise::Reason;
use serde::{Serialize, Serializer};

/// What a run did.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// That of [`Document::Run`](nex_contract::Document::Run).
    pub schema_version: u32,
    /// The exit code that stands for all of it.
    pub exit_code: u8,
    /// Why there is no guest any more, by its name in `docs/supervisor.md`.
    #[serde(serialize_with = "name")]
    pub reason: Option<Reason>,
    /// How the workload ended; `None` when the guest ended without a word of that, or was stopped before.
    pub end: Option<End>,
    /// Whether it was process 1, so that its output is the console's, and its end the guest's.
    pub handed_over: bool,
    /// How often it was started again.
    pub restarts: u32,
    /// Why the guest was stopped from outside, if it was.
    pub stopped: Option<Stopped>,
    /// Bytes of its standard output.
    pub stdout_bytes: u64,
    /// Bytes of its standard error.
    pub stderr_bytes: u64,
    /// What did not come through.
    pub missing: Missing,
    /// Who ran the guest.
    pub vmm: VmmReport,
    /// The kernel's command line.
    pub command_line: String,
    /// Over what the agent has spoken, as far as it has.
    pub agent_way: Option<Way>,
    /// When what happened.
    pub times: Times,
    /// The guest's memory, in bytes.
    pub memory: MemoryReport,
    /// What went wrong, when the program did not come to its end.
    pub failure: Option<String>,
    /// What to do about that, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Remedy>,
    /// Why, by what stands on the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
    /// The console's last lines, when the guest failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub console: Vec<String>,
    /// What the agent should have done and could not, in its words.
    pub agent_failures: Vec<String>,
    /// What else the agent had to say.
    pub agent_notes: Vec<String>,
}

fn name<S: Serializer>(reason: &Option<Reason>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(Reason::name).serialize(serializer)
}

/// A guest's memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryReport {
    /// What it was given.
    pub given: u64,
    /// The most that the VMM took with the guest in it, as far as it is known.
    pub peak: Option<u64>,
}

/// How a workload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// By itself, with this exit code.
    Code(u8),
    /// By this signal.
    Signal(u8),
    /// It could not be started; the code is what a shell gives.
    Unstarted(u8),
}

impl End {
    /// The exit code that a shell gives for it.
    pub fn exit_code(self) -> u8 {
        /// What shells add to a signal's number.
        const SIGNALS: u8 = 128;
        match self {
            Self::Code(code) | Self::Unstarted(code) => code,
            Self::Signal(signal) => SIGNALS.saturating_add(signal),
        }
    }
}

/// Why a guest was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stopped {
    /// Its time was up.
    Timeout,
    /// By this signal to us.
    Signal(u8),
    /// By a client of its supervisor.
    Client,
}

/// What of a workload's output did not come through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Bytes that the agent could not hand over.
    pub dropped_bytes: u64,
    /// Lines of the agent that never arrived.
    pub lost_lines: u64,
    /// Lines of the agent that others wrote into.
    pub damaged_lines: u64,
    /// How often the numbers of the agent's lines went back: somebody in the guest shows lines that are not the agent's own.
    pub out_of_order: u64,
}

impl Missing {
    /// Whether anything is.
    pub fn is_some(self) -> bool {
        self != Self::default()
    }
}

/// When what happened. The guest's times are milliseconds since its kernel's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Times {
    /// When the agent was started.
    pub agent_ms: Option<u64>,
    /// When the guest was up.
    pub ready_ms: Option<u64>,
    /// When the workload had ended.
    pub end_ms: Option<u64>,
    /// Seconds here, from the guest's start to its end.
    pub seconds: f64,
}
