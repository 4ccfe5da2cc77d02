//! The report of a check as text.

use nex_contract::Pid1;
use nex_diagnose::{Finding, Report, Severity, Verdict};
use nex_text::human;

use crate::lines::Lines;

/// The report for people; quiet, only what is not as it should be.
pub fn check(report: &Report, quiet: bool) -> String {
    let mut lines = Lines::default();
    if !quiet {
        add_checked(&mut lines, report);
    }
    for finding in report.findings.iter().filter(|finding| !quiet || finding.severity < Severity::Info) {
        add_finding(&mut lines, finding);
    }
    for unchecked in &report.unchecked {
        lines.add("unchecked", &format!("{}: {}", unchecked.what, unchecked.why));
        if let Some(hint) = &unchecked.hint {
            lines.remedy("", hint);
        }
    }
    if !quiet {
        lines.add("result", &verdict(report));
    }
    lines.0
}

fn add_checked(lines: &mut Lines, report: &Report) {
    let none = || "none".to_owned();
    lines.add("file", &format!("{} ({})", report.file, human(report.size)));
    lines.add("programs", &report.architecture.as_ref().map_or_else(none, |name| format!("for {name}")));
    lines.add("init", &report.init.clone().unwrap_or_else(none));
    lines.add("agent", &report.agent.clone().unwrap_or_else(none));
    match report.pid1 {
        Pid1::Agent => {}
        Pid1::Image => {
            lines.add("pid1", "image: the agent makes the guest ready, and the image's program takes its place")
        }
    }
    let Some(kernel) = &report.kernel else { return };
    let about = [Some(&kernel.format), kernel.version.as_ref(), kernel.architecture.as_ref()];
    let about: Vec<_> = about.into_iter().flatten().map(String::as_str).collect();
    lines.add("kernel", &format!("{}: {}", kernel.file, about.join(", ")));
    if let Some(config) = &kernel.config {
        lines.add("its config", config);
    }
}

fn add_finding(lines: &mut Lines, finding: &Finding) {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    lines.add(severity, &format!("{}: {}", finding.id, finding.evidence));
    lines.remedy("", &finding.remedy);
}

fn verdict(report: &Report) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let found = format!("{}, {}", number(errors, "error"), number(warnings, "warning"));
    let outcome = match report.verdict() {
        Verdict::Sound => "nothing speaks against a boot",
        Verdict::Failing => "it will not work",
        Verdict::Unknown => "not everything could be looked at",
    };
    format!("{found}: {outcome}")
}
