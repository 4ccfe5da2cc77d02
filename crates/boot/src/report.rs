//! What is to be said about a boot.

use nex_diagnose::console::Explanation;
use nex_fault::{Note, Remedy, Setting};
use nex_guest::{VmmReport, Way};
use nex_protocol::Role;
use serde::Serialize;

/// A boot, as it went.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// That of [`Document::Boot`](nex_contract::Document::Boot).
    pub schema_version: u32,
    /// The root filesystem's file.
    pub file: String,
    /// Whether the guest was ready.
    pub ready: bool,
    /// The code of the failure, `boot-not-ready`, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What has shown that.
    pub ready_by: Option<ReadyBy>,
    /// The line that has shown it, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_line: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The agent, once it has reported.
    pub agent: Option<AgentReport>,
    /// The last thing that the agent said it could not do.
    pub failure: Option<String>,
    /// Why it has not, by what is on the console.
    pub explanation: Option<Explanation>,
    /// Who ran the guest.
    pub vmm: VmmReport,
    /// What the guest's kernel has checked its root by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verity: Option<VerityReport>,
    /// The kernel.
    pub kernel: KernelReport,
    /// How many processors the guest had.
    pub vcpus: u8,
    /// Its memory.
    pub memory: MemoryReport,
    /// When the boot came to its stages, in seconds since the VMM's start, in this order: `kernel`, `init`, `agent`, and
    /// `ready` where it is not the agent that shows it. A stage that it did not come to is missing.
    pub stages: Vec<PhaseReport>,
    /// The same by the guest's own clock.
    pub guest_clock: GuestClock,
    /// The end of the guest.
    pub end: EndReport,
    /// What else there is to know.
    pub notes: Vec<Note>,
}

/// A root on dm-verity.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerityReport {
    /// The root hash that the kernel was told, in hex.
    pub root_hash: String,
}

/// What shows that a guest is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadyBy {
    /// Its agent.
    Agent,
    /// A line on its console.
    Line,
    /// The time that it has run.
    Time,
}

/// What came of a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The guest was ready.
    Ready,
    /// The guest ended before.
    Ended,
    /// The time was up before.
    Timeout,
    /// The user had enough before.
    Quit,
}

/// The agent that has reported.
#[derive(Clone, Debug, Serialize)]
pub struct AgentReport {
    /// Its version.
    pub version: String,
    /// `init`, or `service` of another init.
    pub role: &'static str,
    /// Over what it has spoken.
    pub way: Way,
}

/// The kernel.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KernelReport {
    /// Its file.
    pub path: String,
    /// Its release, where it tells.
    pub release: Option<String>,
    /// The processor that it is for.
    pub architecture: &'static str,
    /// All of its command line.
    pub command_line: String,
    /// The initramfs that was made for it.
    pub initramfs: Option<InitramfsReport>,
}

/// An initramfs that was made.
#[derive(Clone, Debug, Serialize)]
pub struct InitramfsReport {
    /// The modules that it loads, in this order.
    pub modules: Vec<String>,
    /// Its length in bytes.
    pub bytes: u64,
}

/// The guest's memory, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MemoryReport {
    /// What the guest was given.
    pub given: u64,
    /// The most that the VMM took with the guest in it.
    pub peak: Option<u64>,
}

/// When a stage was reached.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PhaseReport {
    /// Its name.
    pub name: &'static str,
    /// Seconds.
    pub seconds: f64,
}

/// Milliseconds since the kernel's start, by the guest's clock.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestClock {
    /// The kernel started its first process.
    pub init_ms: Option<u64>,
    /// The agent was started.
    pub agent_start_ms: Option<u64>,
    /// The agent reported.
    pub ready_ms: Option<u64>,
}

/// How the guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReport {
    /// It switched its power off.
    PoweredOff,
    /// It reset itself.
    Reset,
    /// It ended, and the VMM does not tell how.
    Ended,
    /// It was killed.
    Killed,
}

/// What a report calls a role.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Init => "init",
        Role::Service => "service",
        Role::Initramfs => "initramfs",
        Role::Overlay => "overlay",
    }
}

/// What is said of a boot that has not used the hash tree of its root filesystem.
pub(crate) fn unchecked() -> Note {
    Note::new("the root filesystem is sealed (dm-verity), and nobody has checked it in this boot")
        .advising(Remedy::say("").choose(Setting::Verity).and("FILE has the guest's kernel do so"))
}
