//! What systemd and OpenRC say of their services.

use nex_contract::{AGENT, OPENRC_SERVICE, SYSTEMD_UNIT};
use nex_fault::{Remedy, Setting};

use super::Known;
use super::boot::Boot;
use super::rules::{AGENT_FAILED, DEVICE_MISSING, EMERGENCY_MODE, KERNEL_PANIC, ROOT_READ_ONLY, SERVICE_FAILED};
use super::symptom::Symptom;
use super::text::Message;

/// Reads a message of an init's.
pub fn read(message: &Message, boot: &Boot, _known: &Known) -> Option<Symptom> {
    systemd(message).or_else(|| openrc(message, boot)).or_else(|| read_only(message))
}

/// The status lines that systemd shows on the console, and what it logs there itself while there is no journal.
fn systemd(message: &Message) -> Option<Symptom> {
    let text = message.text();
    // "[ TIME ] Timed out ...", with colours taken away, or "systemd[1]: Timed out ...".
    let status = |word: &str| text.strip_prefix('[')?.trim_start().strip_prefix(word)?.trim_start().strip_prefix("] ");
    let logged = text.strip_prefix("systemd[1]: ");
    if let Some(rest) = status("TIME").or(logged).and_then(|rest| rest.strip_prefix("Timed out waiting for device ")) {
        // "dev-vdz.device - /dev/vdz." or, in older ones, "/dev/vdz."
        let name = rest.rsplit_once(" - ").map_or(rest, |(_, name)| name).trim_end_matches('.');
        let words = format!("systemd has waited for the drive {name}, which is not there");
        let remedy = format!(
            "take the line of {name} out of /etc/fstab where the image is made, add 'nofail' to it, or give the \
             guest the drive"
        );
        return Some(Symptom::cause(&DEVICE_MISSING, message, words, remedy));
    }
    if let Some(rest) = status("FAILED").or(logged).and_then(|rest| rest.strip_prefix("Failed to ")) {
        return failed(message, rest);
    }
    if let Some(what) = of_agents_unit(text).or_else(|| of_agents_unit(logged?)) {
        let bad = ["Failed", "exited, code=", "Start request repeated too quickly"];
        return bad.iter().any(|word| what.contains(word)).then(|| agent(message, what));
    }
    let modes = [
        "You are in emergency mode",
        "You are in rescue mode",
        "Entering emergency mode",
        "Give root password for maintenance",
    ];
    if modes.iter().any(|words| text.starts_with(words)) {
        let mode = if text.contains("rescue") { "rescue" } else { "emergency" };
        let words = format!("systemd has stopped in its {mode} mode, and waits for somebody to log in");
        let remedy =
            "the lines with FAILED, TIME and DEPEND before this one say why; see /etc/fstab and default.target first";
        return Some(Symptom::outcome(&EMERGENCY_MODE, message, words, remedy));
    }
    if text.starts_with("Cannot open access to console, the root account is locked") {
        let words = "systemd would have somebody log in as root, and root has no password, so nobody can";
        let remedy = Remedy::say("give root one where the image is made (")
            .choose(Setting::RootPasswordFile)
            .and("); the lines before say why it stopped");
        return Some(Symptom::outcome(&EMERGENCY_MODE, message, words, remedy));
    }
    let freezes = logged.is_some_and(|rest| rest.starts_with("Freezing execution") || rest.starts_with("Caught <"));
    freezes.then(|| {
        let words = "systemd has met an error that it cannot go on with, and stands still";
        let remedy = "the line before says why; a kernel without cgroups, and /sys or /proc that cannot be mounted, \
                      are what it cannot do without";
        Symptom::outcome(&KERNEL_PANIC, message, words, remedy)
    })
}

/// What is said of the agent's unit: `agent.service: Failed with result 'exit-code'.`
fn of_agents_unit(text: &str) -> Option<&str> {
    text.strip_prefix(SYSTEMD_UNIT)?.strip_prefix(": ")
}

/// `start agent.service - Agent.`, `mount data.mount - /data.`
fn failed(message: &Message, rest: &str) -> Option<Symptom> {
    let what = rest.trim_end_matches('.');
    if what.contains(&format!(" {SYSTEMD_UNIT}")) {
        return Some(agent(message, "it failed to start"));
    }
    let verbs = ["start ", "mount ", "listen on ", "activate swap ", "isolate default target", "load default target"];
    verbs.iter().any(|verb| what.starts_with(verb)).then(|| {
        let words = format!("systemd failed to {what}");
        Symptom::suspect(&SERVICE_FAILED, message, words, "log in and ask: systemctl status; journalctl -b")
    })
}

fn agent(message: &Message, what: &str) -> Symptom {
    let words = format!("the agent's service has failed: {what}");
    let remedy = "see whether it is a program for this machine, with a right to be executed and its libraries (nex \
                  rootfs check FILE), and run it elsewhere to see it fail";
    Symptom::cause(&AGENT_FAILED, message, words, remedy)
}

/// ` * ERROR: agent failed to start`, ` * start-stop-daemon: failed to start `/usr/local/bin/agent'`
fn openrc(message: &Message, boot: &Boot) -> Option<Symptom> {
    let what = message.text().trim_start().strip_prefix("* ")?;
    if !boot.openrc {
        return None;
    }
    let fails = what.starts_with("ERROR: ") || what.contains("failed to start") || what.contains("does not exist");
    if !fails {
        return None;
    }
    if what.contains(AGENT) || what.starts_with(&format!("ERROR: {OPENRC_SERVICE} ")) {
        return Some(agent(message, what));
    }
    let words = format!("OpenRC has a service that fails: {what}");
    Some(Symptom::suspect(&SERVICE_FAILED, message, words, "log in and ask: rc-status --crashed"))
}

/// Somebody who wanted to write.
fn read_only(message: &Message) -> Option<Symptom> {
    let text = message.text();
    (text.ends_with("Read-only file system") || text.contains(": Read-only file system")).then(|| {
        let words = format!("something wanted to write to a file system that is read only: {text}");
        let remedy =
            Remedy::say("boot with 'rw' on the kernel's command line, or with an overlay over the read-only root (")
                .allow(Setting::Overlay)
                .and(")");
        Symptom::suspect(&ROOT_READ_ONLY, message, words, remedy)
    })
}
