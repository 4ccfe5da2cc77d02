//! Too little memory.

use nex_fault::{Remedy, Setting};

use super::boot::Boot;
use super::rules::OUT_OF_MEMORY;
use super::symptom::Symptom;
use super::text::Message;
use super::{Known, errno};

fn remedy() -> Remedy {
    Remedy::say("give the guest more memory (")
        .raise(Setting::Memory)
        .and("), or start less in it; the table above the line shows who had how much")
}

/// Reads a message of the kernel's memory management.
pub fn read(message: &Message, _boot: &Boot, _known: &Known) -> Option<Symptom> {
    if message.after("Kernel panic - not syncing: System is deadlocked on memory").is_some()
        || message.after("Kernel panic - not syncing: Out of memory").is_some()
    {
        let words = "the guest has no memory left, and nothing that could be killed for it";
        return Some(Symptom::cause(&OUT_OF_MEMORY, message, words, remedy()));
    }
    if let Some(killed) =
        message.after("Out of memory: Killed process ").or_else(|| message.after("Out of memory: Kill process "))
    {
        return Some(killed_process(message, killed));
    }
    if let Some(killed) =
        message.after("Memory cgroup out of memory: Kill").and_then(|rest| rest.split_once(" process "))
    {
        return Some(killed_process(message, killed.1));
    }
    if let Some(reason) = message.after("Kernel panic - not syncing: ").filter(|reason| is_allocation(reason)) {
        let words = format!("the guest has too little memory for the kernel itself: {reason}");
        return Some(Symptom::cause(&OUT_OF_MEMORY, message, words, remedy()));
    }
    if message.after("Initramfs unpacking failed: write error").is_some() {
        let words = "the initramfs does not fit into the guest's memory";
        return Some(Symptom::cause(&OUT_OF_MEMORY, message, words, remedy()));
    }
    None
}

/// What the kernel's start gives up with when it gets no memory: each of its parts has words of its own.
fn is_allocation(reason: &str) -> bool {
    let lower = reason.to_ascii_lowercase();
    let fails =
        ["failed to alloc", "can not alloc", "cannot alloc", "could not alloc", "can't alloc", "unable to alloc"];
    fails.iter().any(|words| lower.contains(words))
}

/// `134 (agent) total-vm:2600kB, anon-rss:100kB, ...`
fn killed_process(message: &Message, killed: &str) -> Symptom {
    let name = killed.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("a process", |(name, _)| name);
    let number = errno::number(killed).unwrap_or_default();
    let words = format!("the guest had no memory left, so the kernel killed {name} (process {number})");
    let symptom = if is_agent(name) { Symptom::cause } else { Symptom::suspect };
    symptom(&OUT_OF_MEMORY, message, words, remedy().to_owned())
}

/// Whether a process has the name of the agent's file, or of nex's own.
pub fn is_agent(name: &str) -> bool {
    name == "agent" || name == "nex-agent"
}
