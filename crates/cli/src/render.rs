//! The report as text.

mod boot;
pub mod cache;
mod run;

use std::fmt::Write;

pub use boot::boot;
use nex_diagnose::console::{Explanation, Symptom};
use nex_diagnose::{Finding, Severity, Verdict};
use nex_rootfs::guest::{Pid1, ResolvConf, ResolvConfAction};
use nex_rootfs::{
    AgentServiceReport, GrowReport, PhaseReport, Report, ScriptReport, SetAgentReport, Usage, VerityReport, human,
};
use nex_sandbox::MemoryBound;
use nex_text::{printable, short_digest};
pub use run::run;

/// The report for people.
pub fn text(report: &Report) -> String {
    let mut lines = Lines::default();
    lines.add("output", &report.output);
    if let Some(sha256) = &report.sha256 {
        lines.add("sha256", sha256);
    }
    lines.add("size", &sizes(report));
    lines.add("used", &amount(&report.used));
    lines.add("free", &amount(&report.free));
    if let Some(verity) = &report.verity {
        add_verity(&mut lines, verity);
    }
    lines.add("image", &report.image.reference);
    if let Some(digest) = &report.image.digest {
        lines.add("digest", digest);
    }
    lines.add("platform", &report.image.platform);
    for (index, layer) in report.image.layers.iter().enumerate() {
        let label = if index == 0 { "layers" } else { "" };
        let cached = if layer.cached { ", from the cache" } else { "" };
        let (digest, bytes) = (short_digest(&layer.digest), human(layer.tar_bytes));
        lines.add(label, &format!("{digest}  {bytes}, {} entries{cached}", layer.entries));
    }
    if let Some(script) = &report.script {
        add_script(&mut lines, script);
    }
    if let Some(script) = &report.boot_script {
        lines.add("boot script", script);
    }
    let whose = if report.agent.protocol.is_some() { "" } else { ", not nex's own" };
    lines.add("agent", &format!("{} ({}{whose})", report.agent.path, human(report.agent.bytes)));
    lines.add("started by", &report.started_by);
    add_service(&mut lines, &report.agent_service);
    if report.pid1 == Pid1::Image {
        lines.add("process 1", "the image's program, once the guest is up");
    }
    lines.add("resolv.conf", &resolv_conf(&report.resolv_conf));
    for note in &report.notes {
        lines.add("note", note);
    }
    lines.add("time", &times(&report.phases, 2));
    lines.0
}

fn resolv_conf(done: &ResolvConf) -> String {
    let path = done.path.as_deref().unwrap_or_default();
    let what = match done.action {
        ResolvConfAction::Kept if done.path.is_none() => "kept".into(),
        ResolvConfAction::Kept => format!("kept, a link to {path}"),
        ResolvConfAction::Kernel => format!("the kernel's, by a link to {path}"),
        ResolvConfAction::Agent => format!("the agent's, by a link to {path}"),
        ResolvConfAction::File => format!("from {path}"),
    };
    format!("{what} ({})", done.why)
}

/// How the agent is started, as far as that is not as usual.
fn add_service(lines: &mut Lines, service: &AgentServiceReport) {
    if service.path != "/usr/local/bin/agent" {
        lines.add("as", &service.path);
    }
    for (index, word) in service.args.iter().enumerate() {
        lines.add(if index == 0 { "arguments" } else { "" }, word);
    }
    for (index, variable) in service.env.iter().enumerate() {
        lines.add(if index == 0 { "variables" } else { "" }, variable);
    }
    if !matches!(&*service.user, "nex:nex" | "root") {
        lines.add("user", &service.user);
    }
}

/// The directories that gained most are named, and as many of the files that are left out.
fn add_script(lines: &mut Lines, script: &ScriptReport) {
    const NAMED: usize = 5;
    lines.add(
        "script",
        &format!(
            "{}: {}{} created, {} changed, {} deleted, {} in files",
            script.scripts.join(", "),
            if script.cached { "cached; " } else { "" },
            script.created,
            script.changed,
            script.deleted,
            human(script.bytes)
        ),
    );
    let mut gained: Vec<_> = script.directories.iter().filter(|directory| directory.bytes > 0).collect();
    gained.sort_by_key(|directory| std::cmp::Reverse(directory.bytes));
    for directory in gained.iter().take(NAMED) {
        lines.add("", &format!("+ {}  {}", human(directory.bytes), directory.path));
    }
    if script.memory == Some(MemoryBound::Cgroup) {
        lines.add("", "its memory was held by a cgroup");
    }
    if let Some(snapshot) = &script.snapshot {
        lines.add("", &format!("the result is what it left in {snapshot}"));
    }
    if !script.left_out.is_empty() {
        let named: Vec<_> = script.left_out.iter().take(NAMED).map(String::as_str).collect();
        let more = script.left_out.len().saturating_sub(NAMED) as u64 + script.unlisted_left_out;
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.add("left out", &format!("{}{more} (--clean=false keeps them)", named.join(", ")));
    }
}

fn sizes(report: &Report) -> String {
    let size = format!("{} ({} bytes)", human(report.size), report.size);
    let appended = report.verity.as_ref().filter(|verity| verity.hash_file.is_none()).map(|verity| verity.hash_bytes);
    let expected = report.size + appended.unwrap_or(0);
    if report.output_bytes == expected { size } else { format!("{size}, {} compressed", human(report.output_bytes)) }
}

fn add_verity(lines: &mut Lines, verity: &VerityReport) {
    let place = match &verity.hash_file {
        Some(file) => format!("in {file}"),
        None => format!("at {}", verity.hash_offset),
    };
    lines.add("verity", &format!("{} blocks, hash tree of {} {place}", verity.data_blocks, human(verity.hash_bytes)));
    lines.add("root hash", &verity.root_hash);
    lines.add("salt", &verity.salt);
    lines.add("boot with", &verity.kernel_arguments);
    lines.add("check with", &verity.verify);
    lines.add("open with", &verity.open);
}

/// The report of a replaced agent for people.
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
    for note in &report.notes {
        lines.add("note", note);
    }
    lines.add("time", &times(&report.phases, 3));
    lines.0
}

/// The report of growth for people.
pub fn grow(report: &GrowReport) -> String {
    let GrowReport { before, now, free, .. } = report;
    let mut lines = Lines::default();
    lines.add("file", &report.file);
    lines.add("size", &format!("{} ({} bytes)", human(report.size), report.size));
    lines.add("before", &amount(before));
    lines.add("now", &amount(now));
    lines.add("free", &amount(free));
    for note in &report.notes {
        lines.add("note", note);
    }
    lines.add("time", &times(&report.phases, 3));
    lines.0
}

/// The report of a check for people; when it shall be quiet, only what is not as it should be.
pub fn check(report: &nex_diagnose::Report, quiet: bool) -> String {
    let mut lines = Lines::default();
    if !quiet {
        add_checked(&mut lines, report);
    }
    for finding in report.findings.iter().filter(|finding| !quiet || finding.severity < Severity::Info) {
        add_finding(&mut lines, finding);
    }
    for unchecked in &report.unchecked {
        lines.add("unchecked", &format!("{}: {}", unchecked.what, unchecked.why));
    }
    if !quiet {
        lines.add("result", &verdict(report));
    }
    lines.0
}

fn add_checked(lines: &mut Lines, report: &nex_diagnose::Report) {
    let none = || "none".to_owned();
    lines.add("file", &format!("{} ({})", report.file, human(report.size)));
    lines.add("programs", &report.architecture.as_ref().map_or_else(none, |name| format!("for {name}")));
    lines.add("init", &report.init.clone().unwrap_or_else(none));
    lines.add("agent", &report.agent.clone().unwrap_or_else(none));
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
    lines.add("", &finding.remedy);
}

fn verdict(report: &nex_diagnose::Report) -> String {
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

fn amount(usage: &Usage) -> String {
    format!("{} ({} blocks, {} inodes)", human(usage.bytes), usage.blocks, usage.inodes)
}

/// All phases together, and each; with so many digits behind the point.
fn times(phases: &[PhaseReport], digits: usize) -> String {
    let total: f64 = phases.iter().map(|phase| phase.seconds).sum();
    let each: Vec<_> = phases.iter().map(|phase| format!("{} {:.digits$}", phase.name, phase.seconds)).collect();
    format!("{total:.digits$} s ({})", each.join(", "))
}

/// Why a boot failed, for people; and why the image could not be looked at.
pub fn explanation(explanation: &Explanation, unread_image: Option<&str>) -> String {
    let mut lines = Lines::default();
    match &explanation.cause {
        None if explanation.ready => lines.add("cause", "none: the agent has reported that the guest is up"),
        None => lines.add("cause", "none was found"),
        Some(Symptom { finding, line, .. }) => {
            lines.add("cause", &format!("{} ({})", finding.evidence, finding.id));
            if let Some(line) = line {
                lines.add(&format!("line {}", line.number), &line.text);
            }
            lines.add("do", &finding.remedy);
        }
    }
    for (index, Symptom { finding, line, .. }) in explanation.others.iter().enumerate() {
        let label = if index == 0 { "then" } else { "" };
        let place = line.as_ref().map(|line| format!(", line {}", line.number)).unwrap_or_default();
        lines.add(label, &format!("{} ({}{place})", finding.evidence, finding.id));
    }
    if let Some(kernel) = &explanation.kernel {
        lines.add("kernel", kernel);
    }
    if explanation.unread_bytes > 0 {
        let bytes = human(explanation.unread_bytes as u64);
        lines.add("unread", &format!("{bytes} in the console's middle, which is longer than any boot's"));
    }
    if let Some(why) = unread_image {
        lines.add("image", &format!("could not be looked at: {why}"));
    }
    lines.0
}

/// Labelled lines. What comes from an image is escaped, so that it cannot steer the terminal.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, label: &str, value: &str) {
        let value = printable(value);
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{label:<11} {value}");
    }
}
