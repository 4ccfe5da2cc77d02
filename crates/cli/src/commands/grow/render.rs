//! The report of growth as text.

use nex_rootfs::GrowReport;
use nex_text::human;

use crate::lines::{Lines, amount, times};

/// The report for people.
pub fn grow(report: &GrowReport) -> String {
    let GrowReport { before, now, free, .. } = report;
    let mut lines = Lines::default();
    lines.add("file", &report.file);
    lines.add("size", &format!("{} ({} bytes)", human(report.size), report.size));
    lines.add("before", &amount(before));
    lines.add("now", &amount(now));
    lines.add("free", &amount(free));
    lines.notes(&report.notes);
    lines.add("time", &times(&report.phases, 3));
    lines.0
}
