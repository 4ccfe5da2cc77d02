//! Whether KVM runs guests here. A `/dev/kvm` that opens proves nothing.
//!
//! On some hosts that are guests themselves, a machine with KVM starts, and then stands still for ever, or runs a thousand
//! times slower than it should. So the truth is found in two steps, each in a bounded time:
//!
//! 1. a machine of a few instructions is run in a process of its own ([`run_probe`]): where that fails or takes its time, so
//!    would everything;
//! 2. the first real guest must come to its first process, or it is taken to hang.
//!
//! Whoever starts that guest watches over the second step, and [remembers](Kvm::remember) the answer. It is valid until the
//! machine starts again or gets another kernel or device, and for one VMM.

mod answer;
#[cfg(target_arch = "x86_64")]
mod machine;
mod probe;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use answer::Answers;
pub use probe::run_probe;

const DEVICE: &str = "/dev/kvm";

/// What is known about KVM for a VMM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A guest came to its first process.
    Works,
    /// A few instructions run, or nothing is known against it. A guest has yet to prove it.
    Unproven,
    /// It does not run guests, for this reason.
    Fails(String),
}

/// KVM on this machine.
#[derive(Debug)]
pub struct Kvm {
    answers: Option<Answers>,
}

impl Kvm {
    /// KVM, with what has been learned about it in a file of this directory. Without a directory, or where it cannot be used,
    /// everything is found out anew.
    pub fn new(directory: Option<&Path>) -> Self {
        Self { answers: directory.and_then(|directory| Answers::new(directory, Path::new(DEVICE))) }
    }

    /// What is known for a VMM. Takes some seconds when KVM hangs and nothing is known yet.
    pub fn verdict(&self, vmm: &str) -> Verdict {
        if let Some(Closed { why, .. }) = closed() {
            return Verdict::Fails(why);
        }
        if let Some(known) = self.answers.as_ref().and_then(|answers| answers.of(vmm)) {
            return known;
        }
        let found = probe::run();
        if let Verdict::Fails(_) = found {
            self.remember(vmm, &found);
        }
        found
    }

    /// Keeps what a guest has shown.
    pub fn remember(&self, vmm: &str, verdict: &Verdict) {
        if let Some(answers) = &self.answers {
            answers.remember(vmm, verdict);
        }
    }
}

/// Why this process cannot open KVM's device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// In words.
    pub why: String,
    /// Whether the caller lacks the right to it, and others have it.
    pub is_denied: bool,
}

/// Why this process cannot open KVM's device; `None` when it can.
pub fn closed() -> Option<Closed> {
    let error = File::options().read(true).write(true).open(DEVICE).err()?;
    Some(Closed { why: no_device(&error), is_denied: error.kind() == io::ErrorKind::PermissionDenied })
}

fn no_device(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no {DEVICE}"),
        io::ErrorKind::PermissionDenied => {
            let group = group_of(Path::new(DEVICE)).unwrap_or_else(|| "kvm".to_owned());
            format!("{DEVICE} is not yours to use; root may, and who is in the group {group}")
        }
        _ => format!("{DEVICE} does not open: {error}"),
    }
}

/// The name of a file's group.
fn group_of(path: &Path) -> Option<String> {
    let number = fs::metadata(path).ok()?.gid().to_string();
    let groups = fs::read_to_string("/etc/group").ok()?;
    // NAME:PASSWORD:NUMBER:MEMBERS
    let line = groups.lines().find(|line| line.split(':').nth(2) == Some(number.as_str()))?;
    line.split(':').next().map(nex_text::short_name)
}
