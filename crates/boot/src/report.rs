//! What is to be said about a boot.

use nex_diagnose::console::Explanation;
use nex_protocol::Role;
use nex_vmm::Advisory;
use serde::Serialize;

use crate::session::Session;

/// The version of this description; it grows with incompatible changes.
const SCHEMA_VERSION: u32 = 1;

/// A boot, as it went.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this description.
    pub schema_version: u32,
    /// The root filesystem's file.
    pub file: String,
    /// Whether the guest was ready.
    pub ready: bool,
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
    pub notes: Vec<String>,
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

/// Over what an agent speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The console, among the lines of all others.
    Console,
    /// A connection of its own.
    Vsock,
}

/// Who ran the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VmmReport {
    /// Its name, its version, and who executes the guest's instructions.
    pub name: String,
    /// Why it was chosen.
    pub why: String,
    /// What is known to be vulnerable in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<AdvisoryReport>,
    /// What makes it less safe than it could be, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A known vulnerability of a VMM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdvisoryReport {
    /// Its name.
    pub id: &'static str,
    /// The program that has it.
    pub component: String,
    /// That program's version.
    pub version: String,
    /// The releases in which it is fixed.
    pub fixed_in: Vec<String>,
    /// What it lets whom do.
    pub what: &'static str,
}

impl VmmReport {
    /// What is to be said of the VMM of a guest.
    pub fn of(session: &Session) -> Self {
        let choice = session.choice();
        let (advisories, version) = (choice.vmm.advisories(), choice.vmm.version());
        let warnings = advisories.iter().map(|advisory| advisory.warning(version));
        Self {
            name: choice.vmm.name(),
            why: choice.why.clone(),
            warnings: warnings.chain(session.notes().iter().cloned()).collect(),
            advisories: advisories.iter().map(|advisory| AdvisoryReport::of(advisory, version)).collect(),
        }
    }
}

impl AdvisoryReport {
    fn of(advisory: &Advisory, version: &str) -> Self {
        Self {
            id: advisory.id,
            component: advisory.component.to_string(),
            version: version.to_owned(),
            fixed_in: advisory.fixed_in().map(|release| release.to_string()).collect(),
            what: advisory.what,
        }
    }
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

impl Report {
    /// The version of this description.
    pub(crate) const SCHEMA_VERSION: u32 = SCHEMA_VERSION;
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
