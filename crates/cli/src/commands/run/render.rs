//! The report of a run, in a line.

use nex_run::Report;
use nex_text::human;

/// The report for people.
pub fn run(report: &Report) -> String {
    let times = &report.times;
    let moments = [("agent", times.agent_ms), ("ready", times.ready_ms), ("end", times.end_ms)];
    let moment = |(name, time): (&str, Option<u64>)| time.map(|time| format!("{name} at {time} ms, "));
    let moments: String = moments.into_iter().filter_map(moment).collect();
    let restarts = match report.restarts {
        0 => String::new(),
        restarts => format!(", started again {restarts} times"),
    };
    let memory = report.memory.peak.map(|peak| format!(", {} of memory", human(peak))).unwrap_or_default();
    format!("exit code {}{restarts} ({moments}{:.2} s in all{memory})", report.exit_code, times.seconds)
}
