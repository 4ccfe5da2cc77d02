//! A guest as text.

use nex_client::Guest;
use nex_supervise::UnixMillis;
use nex_text::human;

use crate::lines::{Lines, command_line, since};

/// What is known of it, a line each.
pub fn guest(guest: &Guest, now: UnixMillis) -> String {
    let (mut lines, of) = (Lines::default(), guest.inspection());
    let ago = |time: UnixMillis| format!("{} ago", since(time.age(now).as_secs()));
    lines.add("id", of.id.as_str());
    if let Some(name) = &of.name {
        lines.add("name", name.as_str());
    }
    lines.add("state", &of.state);
    if let Some(reason) = guest.state().reason() {
        lines.add("reason", &reason.to_string());
        lines.add("exit code", &reason.exit_code().to_string());
    }
    let times = [("created", Some(of.created_ms)), ("up", of.up_ms), ("ended", of.ended_ms)];
    for (label, time) in times {
        if let Some(time) = time {
            lines.add(label, &ago(time));
        }
    }
    if of.restarts > 0 {
        lines.add("restarts", &of.restarts.to_string());
    }
    lines.add("root", &of.root);
    for (label, text) in [("image", &of.image), ("kernel", &of.kernel)] {
        if let Some(text) = text {
            lines.add(label, text);
        }
    }
    if !of.command.is_empty() {
        lines.add("command", &command_line(&of.command));
    }
    if let (Some(vmm), Some(pid)) = (&of.vmm, of.vmm_pid) {
        let there = if guest.state().is_living() { format!("{vmm}, process {pid}") } else { vmm.clone() };
        lines.add("vmm", &there);
    }
    if guest.state().is_living() {
        lines.add("supervisor", &format!("process {}", of.supervisor_pid));
    }
    if let Some(lost) = of.lost_bytes.filter(|lost| *lost > 0) {
        lines.add("lost", &format!("{} of output", human(lost)));
    }
    lines.0
}
