//! The outcome of a check, for people and for programs.

use nex_contract::{Document, Pid1};
use nex_fault::Remedy;
use nex_inspect::RootFs;
use serde::Serialize;

use super::Findings;
use super::files::KernelFiles;
use super::init::Init;
use super::program::Program;
use super::text::shown;
use crate::finding::{Finding, Severity};
use crate::kernel::KernelFacts;

/// What was checked and found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// That of [`Document::Check`].
    pub schema_version: u32,
    /// The image's file.
    pub file: String,
    /// Its length in bytes.
    pub size: u64,
    /// What the image's programs are for, as an image index names it.
    pub architecture: Option<String>,
    /// The init that the kernel starts.
    pub init: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// Who is process 1 once the guest is up, where the kernel starts the agent.
    #[serde(skip_serializing_if = "Pid1::is_agent")]
    pub pid1: Pid1,
    /// Why nobody reads what is typed on the console, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread_console: Option<String>,
    /// The kernel, if one was given.
    pub kernel: Option<KernelReport>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub unchecked: Vec<Unchecked>,
}

/// The kernel that was checked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KernelReport {
    /// Its file.
    pub file: String,
    /// The file's form, and what it is compressed with.
    pub format: String,
    /// What it is for.
    pub architecture: Option<String>,
    /// As `uname -r` prints it.
    pub version: Option<String>,
    /// Where its configuration is from.
    pub config: Option<String>,
}

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What to do so that it can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<Remedy>,
}

/// A report in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against a boot.
    Sound,
    /// There is an error among the findings.
    Failing,
    /// No error was found, but not everything could be looked at.
    Unknown,
}

impl Report {
    pub(super) fn new(file: String, size: u64) -> Self {
        let (findings, unchecked) = (Vec::new(), Vec::new());
        let schema_version = Document::Check.schema_version();
        Self {
            schema_version,
            file,
            size,
            architecture: None,
            init: None,
            agent: None,
            pid1: Pid1::default(),
            unread_console: None,
            kernel: None,
            findings,
            unchecked,
        }
    }

    /// The worst findings first; those as bad as each other stay in the order of a boot.
    pub(super) fn with(mut self, findings: Findings) -> Self {
        self.findings = findings.found;
        self.findings.sort_by_key(|finding| finding.severity);
        self.unchecked = findings.unchecked;
        self
    }

    pub(super) fn describe(&mut self, image: &RootFs, init: Option<&Init>, agent: Option<&Program>) {
        let called = |program: &Program| {
            let target = image.canonical(&program.path).unwrap_or_default();
            let path = shown(&program.path);
            if target == program.path { path } else { format!("{path} ({})", shown(&target)) }
        };
        let programs = init.map(|init| &init.program).into_iter().chain(agent);
        self.architecture =
            programs.filter_map(|program| program.processor).next().map(|processor| processor.to_string());
        self.init = init.map(|init| called(&init.program));
        self.agent = agent.map(called);
    }

    /// Whether anything speaks against a boot.
    pub fn verdict(&self) -> Verdict {
        if self.findings.iter().any(|finding| finding.severity == Severity::Error) {
            Verdict::Failing
        } else if self.unchecked.is_empty() {
            Verdict::Sound
        } else {
            Verdict::Unknown
        }
    }
}

/// What is known of the kernel; `None` when it is none.
pub(super) fn kernel(files: &KernelFiles) -> Option<KernelReport> {
    let kernel = files.kernel.as_ref().ok()?;
    Some(KernelReport {
        file: files.path.display().to_string(),
        format: form(kernel),
        architecture: kernel.processor.map(|processor| processor.to_string()),
        version: kernel.release.clone(),
        config: files.source.clone(),
    })
}

/// The form of a kernel's file, as people call it.
pub(super) fn form(kernel: &KernelFacts) -> String {
    match kernel.compression {
        Some(compression) => format!("{} ({compression})", kernel.form),
        None => kernel.form.to_string(),
    }
}
