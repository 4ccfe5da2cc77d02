//! The directories that the kernel and an init mount on before anything can be written.

use nex_inspect::{Kind, View};

use super::{Findings, InitKind};
use crate::rules;

pub(super) fn check(view: &dyn View, init: Option<InitKind>, findings: &mut Findings) {
    let is_missing = |path: &&str| view.stat(path.as_bytes()).is_none_or(|stat| stat.kind != Kind::Directory);
    let make = |paths: &str| format!("make it in the image: mkdir {paths}");
    if is_missing(&"/dev") {
        findings.report(&rules::DEV_MISSING, "/dev is no directory", make("/dev"));
    }
    let wanted: &[&str] = match init {
        Some(InitKind::Systemd) => &["/proc", "/sys", "/run", "/tmp"],
        _ => &["/proc", "/sys"],
    };
    let missing: Vec<_> = wanted.iter().copied().filter(is_missing).collect();
    if !missing.is_empty() {
        let evidence = format!("{}: no directory there", missing.join(", "));
        findings.report(&rules::MOUNT_POINT_MISSING, evidence, make(&missing.join(" ")));
    }
}
