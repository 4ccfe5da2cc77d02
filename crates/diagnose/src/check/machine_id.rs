//! `/etc/machine-id`, see machine-id(5): an empty file lets each guest have its own.

use nex_inspect::View;

use super::Findings;
use super::text::shown;
use crate::rules;

const FILE: &[u8] = b"/etc/machine-id";

/// Hex digits of an id.
const DIGITS: usize = 32;

pub(super) fn check(view: &dyn View, findings: &mut Findings) {
    const LONGEST: u64 = 4096;
    let empty = "leave an empty file: : > /etc/machine-id";
    let Ok(Some(text)) = view.read(FILE, LONGEST) else {
        let evidence = "/etc/machine-id is not there, so that a read-only root has none at all";
        return findings.report(&rules::MACHINE_ID_FIRST_BOOT, evidence, empty);
    };
    match text.trim_ascii() {
        b"" => {}
        b"uninitialized" => {
            let remedy = format!("if services come up disabled: {empty}");
            findings.report(&rules::MACHINE_ID_FIRST_BOOT, "/etc/machine-id says uninitialized", remedy);
        }
        id if id.len() == DIGITS && id.iter().all(u8::is_ascii_hexdigit) => {
            findings.report(&rules::MACHINE_ID_SHARED, format!("/etc/machine-id says {}", shown(id)), empty);
        }
        other => {
            let evidence = format!("/etc/machine-id says {}", shown(other.get(..64).unwrap_or(other)));
            findings.report(&rules::MACHINE_ID_INVALID, evidence, empty);
        }
    }
}
