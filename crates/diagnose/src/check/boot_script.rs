//! The script that the guest runs at every boot: whether the kernel starts it.

use nex_contract::BOOT_SCRIPT;
use nex_fault::{Remedy, Setting};
use nex_inspect::{View, exists};
use nex_program::Processor;

use super::Findings;
use super::program::inspect;
use crate::rules;

/// Reports what keeps it from running. Whoever runs it tells no more than that it has failed.
pub(super) fn check(view: &dyn View, kernel: Option<Processor>, findings: &mut Findings) {
    let path = BOOT_SCRIPT.as_bytes();
    if !exists(view, path) {
        return;
    }
    let flaw = match inspect(view, path, kernel) {
        Ok(program) => program.flaw,
        Err(flaw) => Some(flaw),
    };
    if let Some(flaw) = flaw {
        let remedy =
            Remedy::say("give nex rootfs a script that runs in this image:").choose(Setting::BootScript).and("FILE");
        findings.report(&rules::BOOT_SCRIPT, flaw.text(), remedy);
    }
}
