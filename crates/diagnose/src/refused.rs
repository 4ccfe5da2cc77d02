//! A root filesystem that no guest is started with, by what a check has found.

use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy, Setting};

use crate::codes;
use crate::finding::Finding;

/// A root filesystem that would not come up with a kernel.
#[derive(Debug, thiserror::Error)]
#[error("'{}' does not come up with '{}': {}", .root.display(), .kernel.display(), told(.findings))]
pub struct Refused {
    /// The root filesystem.
    pub root: PathBuf,
    /// The kernel.
    pub kernel: PathBuf,
    /// What speaks against it.
    pub findings: Vec<Finding>,
}

impl Refused {
    /// Refuses what has findings.
    ///
    /// # Errors
    /// When there is one.
    pub fn for_any(findings: Vec<Finding>, root: impl Into<PathBuf>, kernel: impl Into<PathBuf>) -> Result<(), Self> {
        match findings.is_empty() {
            true => Ok(()),
            false => Err(Self { root: root.into(), kernel: kernel.into(), findings }),
        }
    }
}

impl Fault for Refused {
    fn code(&self) -> Code {
        codes::CONTRACT
    }

    fn remedy(&self) -> Option<Remedy> {
        let all_the_same = Remedy::say("").allow(Setting::NoCheck).and("tries it all the same");
        let remedies = self.findings.iter().map(|finding| finding.remedy.clone()).reduce(Remedy::also);
        Some(remedies.map_or_else(|| all_the_same.clone(), |remedies| remedies.also(all_the_same.clone())))
    }
}

fn told(findings: &[Finding]) -> String {
    let told = findings.iter().map(|finding| format!("{} ({})", finding.evidence, finding.id));
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use nex_fault::advised;

    use super::*;
    use crate::rules;

    #[test]
    fn it_says_what_was_found_what_to_do_and_how_to_go_on() {
        assert!(Refused::for_any(Vec::new(), "a.ext4", "vmlinux").is_ok());
        let findings = vec![
            Finding::new(&rules::EXT4_CUT_OFF, "it ends early", "copy it again"),
            Finding::new(&rules::EXT4_FEATURE, "it has x", "make it without"),
        ];
        let refused = Refused::for_any(findings, "a.ext4", "vmlinux").unwrap_err();
        assert_eq!(
            advised(&refused, Setting::flag),
            "'a.ext4' does not come up with 'vmlinux': it ends early (ext4-cut-off); it has x (ext4-feature); copy it again; make \
             it without; --no-check tries it all the same"
        );
        assert_eq!(refused.code().id(), "run-contract");
    }
}
