//! The kernel's own faults, and its end.

use nex_fault::{Remedy, Setting};

use super::Known;
use super::boot::Boot;
use super::exit::signal;
use super::memory::is_agent;
use super::rules::{AGENT_CRASHED, KERNEL_BUG, KERNEL_PANIC, STALLED};
use super::symptom::Symptom;
use super::text::Message;

const SEGMENTATION: u32 = 11;
const NEWER_KERNEL: &str =
    "try another kernel, and another VMM or accelerator; the lines that follow are for who makes the kernel";

/// Reads a message of the kernel's about itself, or about a process that it has ended.
pub fn read(message: &Message, _boot: &Boot, _known: &Known) -> Option<Symptom> {
    if let Some(reason) = message.after("Kernel panic - not syncing: ") {
        return Some(panic(message, reason));
    }
    const BUGS: [&str; 9] = [
        "BUG: unable to handle",
        "BUG: kernel NULL pointer dereference",
        "kernel BUG at ",
        "Oops: ",
        "Internal error: ",
        "Unable to handle kernel ",
        "general protection fault",
        "Bad mode in ",
        "PANIC: ",
    ];
    if BUGS.iter().any(|prefix| message.after(prefix).is_some()) {
        let words = format!("the kernel has failed in itself: {}", message.text());
        return Some(Symptom::outcome(&KERNEL_BUG, message, words, NEWER_KERNEL));
    }
    stalled(message).or_else(|| crashed(message))
}

fn panic(message: &Message, reason: &str) -> Symptom {
    let reason = reason.trim_end_matches('.');
    let (words, remedy) = if reason.starts_with("sysrq triggered crash") {
        ("somebody in the guest asked for a crash (SysRq c)".to_owned(), "see who writes to /proc/sysrq-trigger")
    } else if reason.starts_with("IO-APIC + timer doesn't work") {
        (
            "the kernel has found no timer that works on this machine".to_owned(),
            "boot with 'noapic', or as another machine type",
        )
    } else if reason.contains("panic_on_warn") {
        (
            format!("the kernel was told to panic at a warning ({reason})"),
            "look at the warning above, or leave panic_on_warn out",
        )
    } else if reason.contains("hung_task") {
        (
            format!("a task made no progress ({reason})"),
            "look at the task's trace above; a drive that does not answer does that",
        )
    } else {
        (format!("the kernel has given up: {reason}"), NEWER_KERNEL)
    };
    Symptom::outcome(&KERNEL_PANIC, message, words, remedy)
}

fn stalled(message: &Message) -> Option<Symptom> {
    let text = message.text();
    let stalls = (text.starts_with("rcu: INFO: ") && text.contains("detected stall"))
        || (text.starts_with("rcu: INFO: ") && text.contains("self-detected stall"))
        || text.starts_with("watchdog: BUG: soft lockup")
        || text.starts_with("NMI watchdog: ") && text.contains("LOCKUP")
        || (text.starts_with("INFO: task ") && text.contains(" blocked for more than "));
    stalls.then(|| {
        let words = format!("something made no progress for long: {text}");
        let remedy = Remedy::say(
            "a host with too much to do, or a drive that does not answer; on a nested host without working hardware \
             virtualisation, use emulation (",
        )
        .set(Setting::Accel, "emulation")
        .and(")");
        Symptom::suspect(&STALLED, message, words, remedy)
    })
}

/// A process that the kernel has ended for what it did: `agent[134]: segfault at 0 ip ...`, or `traps: agent[134] trap
/// invalid opcode ip:...`. arm64 tells only with `print-fatal-signals`.
fn crashed(message: &Message) -> Option<Symptom> {
    let text = message.text();
    let text = text.strip_prefix("traps: ").unwrap_or(text);
    let (name, rest) = text.split_once('[')?;
    let (number, what) = rest.split_once(']')?;
    let what = what.trim_start_matches(':').trim_start();
    let faults = [
        ("segfault at ", SEGMENTATION),
        ("general protection", SEGMENTATION),
        ("unhandled level ", SEGMENTATION),
        ("trap invalid opcode", 4),
        ("trap int3", 5),
        ("trap divide error", 8),
    ];
    let (_, by) = faults.iter().find(|(fault, _)| what.starts_with(fault))?;
    if !is_agent(name) || number == "1" {
        return None;
    }
    let words = format!("the agent was ended by {}", signal(*by));
    let remedy = "run the agent elsewhere to see it fail; if it says 'invalid opcode', it was made for a newer \
                  processor than the guest's";
    Some(Symptom::cause(&AGENT_CRASHED, message, words, remedy))
}
