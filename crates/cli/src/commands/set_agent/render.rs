//! The report of a replaced agent as text.

use nex_rootfs::SetAgentReport;
use nex_text::human;

use crate::lines::{Lines, times};

/// The report for people.
pub fn set_agent(report: &SetAgentReport) -> String {
    let mut lines = Lines::default();
    lines.add("file", &report.file);
    lines.add("agent", &format!("{} ({}, {})", report.agent.path, human(report.agent.bytes), report.agent.linkage));
    lines.add("agent sha256", &report.agent.sha256);
    let pieces = if report.pieces == 1 { "piece" } else { "pieces" };
    lines.add(
        "blocks",
        &format!("{} in {} {pieces}, in place of {}", report.blocks, report.pieces, report.blocks_before),
    );
    lines.add("free", &human(report.free));
    lines.notes(&report.notes);
    lines.add("time", &times(&report.phases, 3));
    lines.0
}
