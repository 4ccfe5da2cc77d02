//! The report of a boot as text.

use nex_boot::{EndReport, Outcome, ReadyBy, Report};
use nex_guest::Way;
use nex_text::human;

use crate::lines::Lines;

/// The report for people.
pub fn boot(report: &Report) -> String {
    let mut lines = Lines::default();
    lines.add("file", &report.file);
    lines.add("ready", &ready(report));
    lines.add("vmm", &format!("{} ({})", report.vmm.name, report.vmm.why));
    report.vmm.warnings.iter().for_each(|warning| lines.add("warning", warning));
    if let Some(verity) = &report.verity {
        lines.add("verity", &format!("in force: the kernel checks the root by the root hash {}", verity.root_hash));
    }
    lines.add("kernel", &kernel(report));
    if let Some(initramfs) = &report.kernel.initramfs {
        lines.add("initramfs", &format!("{} for {}", human(initramfs.bytes), initramfs.modules.join(", ")));
    }
    let peak = report.memory.peak.map(|peak| format!(", {} taken by the VMM at most", human(peak)));
    lines.add("memory", &format!("{} given{}", human(report.memory.given), peak.unwrap_or_default()));
    if !report.stages.is_empty() {
        let stages: Vec<_> =
            report.stages.iter().map(|stage| format!("{} at {:.2} s", stage.name, stage.seconds)).collect();
        lines.add("time", &stages.join(", "));
    }
    if let Some(times) = guest_times(report) {
        lines.add("guest time", &times);
    }
    lines.add("end", end(report.end));
    lines.notes(&report.notes);
    lines.0
}

fn ready(report: &Report) -> String {
    let agent = report.agent.as_ref().map(|agent| {
        let way = match agent.way {
            Way::Console => "",
            Way::Vsock => ", by vsock",
        };
        format!("agent {} as {}{way}", agent.version, agent.role)
    });
    let line = || report.ready_line.as_deref().unwrap_or_default();
    match (report.ready_by, report.outcome) {
        (Some(ReadyBy::Agent), _) => format!("yes: {}", agent.unwrap_or_default()),
        (Some(ReadyBy::Line), _) => format!("yes: it wrote '{}'", line()),
        (Some(ReadyBy::Time), _) => "yes: it has run for the time of --ready-after".into(),
        (None, Outcome::Timeout) => "no: the time is up".into(),
        (None, Outcome::Quit) => "no: you ended the guest".into(),
        (None, Outcome::Ended | Outcome::Ready) => "no: the guest ended before".into(),
    }
}

fn kernel(report: &Report) -> String {
    let kernel = &report.kernel;
    let release = kernel.release.as_deref().unwrap_or("of unknown release");
    format!("{} ({release}, {})", kernel.path, kernel.architecture)
}

/// By the guest's clock, which starts with the kernel.
fn guest_times(report: &Report) -> Option<String> {
    let clock = &report.guest_clock;
    let time = |name: &str, ms: Option<u64>| ms.map(|ms| format!("{name} at {ms} ms"));
    let times: Vec<_> =
        [time("init", clock.init_ms), time("agent", clock.agent_start_ms), time("ready", clock.ready_ms)]
            .into_iter()
            .flatten()
            .collect();
    (!times.is_empty()).then(|| times.join(", "))
}

fn end(end: EndReport) -> &'static str {
    match end {
        EndReport::PoweredOff => "powered off",
        EndReport::Reset => "reset itself",
        EndReport::Ended => "ended",
        EndReport::Killed => "killed",
    }
}
