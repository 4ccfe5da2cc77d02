//! What there is to say to people about a run that is over.

use nex_fault::Setting;
use nex_run::{Missing, Report};

use super::args::RunArgs;
use super::render;
use crate::args::common::CommonArgs;
use crate::commands::explain;

/// What went wrong, and, where that is asked for, what went well.
pub fn words(report: &Report, args: &RunArgs, common: &CommonArgs) -> Vec<String> {
    let mut words = Vec::new();
    if !report.console.is_empty() && !args.console {
        words.push("the console's last lines (--console shows all of it):".to_owned());
        words.extend(report.console.iter().map(|line| format!("  {line}")));
    }
    if let Some(explanation) = &report.explanation {
        words.extend(explain::render::explanation(explanation, None).lines().map(str::to_owned));
    }
    let Missing { dropped_bytes, lost_lines, damaged_lines, out_of_order } = report.missing;
    if report.missing.is_some() {
        words.push(format!(
            "warning: some of the program's output is missing or another's: {dropped_bytes} bytes were dropped in the guest, {lost_lines} \
             lines were lost, {damaged_lines} were damaged by other lines on the console, {out_of_order} times lines were out \
             of order, as when the guest shows those of another boot"
        ));
    }
    if common.verbose > 0 {
        let agent = report.agent_failures.iter().chain(&report.agent_notes);
        words.extend(agent.map(|text| format!("run: the agent: {text}")));
        words.push(format!("run: {}", render::run(report)));
    }
    if let Some(failure) = &report.failure {
        let hint = report.hint.as_ref().map(|hint| format!("; {}", hint.words(Setting::flag)));
        words.push(format!("error: {failure}{}", hint.unwrap_or_default()));
    }
    words
}
