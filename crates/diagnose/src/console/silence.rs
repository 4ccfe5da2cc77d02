//! What follows from where a console ends, when no line on it tells of trouble.

use nex_contract::{AGENT, OPENRC_SERVICE};
use nex_fault::{Remedy, Setting};
use nex_inspect::is_executable;
use nex_program::Speech;
use nex_protocol::{Event, Role, Source};

use super::boot::Boot;
use super::command_line::CommandLine;
use super::rules::{AGENT_NOT_READY, AGENT_SILENT, CONSOLE_ELSEWHERE, CONSOLE_SILENT, GUEST_ENDED, KERNEL_STOPPED};
use super::symptom::Symptom;
use super::text::{Content, Message};
use super::{End, Known, init_program};

/// Says what the end of a console means on which the agent has not reported.
pub fn derive(messages: &[Message], boot: &Boot, known: &Known) -> Option<Symptom> {
    let last = messages.iter().rev().find(|message| message.is_text());
    if boot.version.is_none() && !boot.reached_init() && !messages.iter().any(from_kernel) {
        return Some(silent(last, boot, known));
    }
    if !boot.reached_init() && !boot.initramfs {
        return Some(stopped(last, boot, known));
    }
    if let Some(line) = &boot.command_line
        && !(boot.agent || boot.systemd || boot.openrc)
        && let Some(symptom) = elsewhere(last, line)
    {
        return Some(symptom);
    }
    Some(if boot.ended || known.end == Some(End::Itself) {
        ended(last, boot, known)
    } else if boot.role == Some(Role::Init) {
        not_ready(messages, last)
    } else {
        no_report(last, boot, known)
    })
}

fn from_kernel(message: &Message) -> bool {
    matches!(message.content, Content::Kernel(_))
}

fn silent(last: Option<&Message>, boot: &Boot, known: &Known) -> Symptom {
    let words = |what: &str| format!("nothing of a kernel is on the console: {what}");
    let consoles: Vec<&str> = boot.command_line.iter().flat_map(|line| line.values("console")).collect();
    let (words, remedy) = match consoles.as_slice() {
        [] if boot.command_line.is_some() => (
            words("its command line names no console"),
            "add console=ttyS0 (x86: Firecracker, QEMU), console=ttyAMA0 (arm64 in QEMU) or console=hvc0 (virtio)"
                .to_owned(),
        ),
        [] => (
            words("either its command line names none, or the kernel does not run"),
            format!("add console=ttyS0 (arm64 in QEMU: ttyAMA0); if it is there: {DOES_NOT_RUN}"),
        ),
        names => (
            format!("nothing of a kernel is on the console, though the command line names {}", names.join(" and ")),
            format!(
                "see that this is the console which the VMM shows (x86: ttyS0, arm64 in QEMU: ttyAMA0); else \
                 {DOES_NOT_RUN}"
            ),
        ),
    };
    let words = if known.end == Some(End::Itself) { format!("{words}; the VMM has ended") } else { words };
    // One that was stopped may not have come to its first line.
    let remedy = if known.end == Some(End::Stopped) {
        Remedy::say("give it more time (")
            .raise(Setting::Timeout)
            .and(")")
            .also(format!("if it stays silent: {remedy}"))
    } else {
        remedy.into()
    };
    Symptom::at_the_end(&CONSOLE_SILENT, last, words, remedy)
}

const DOES_NOT_RUN: &str = "the kernel is for another machine, of a form that the VMM does not start (Firecracker: \
                            an uncompressed vmlinux on x86, an Image on arm64), or has too little memory; 'earlycon' \
                            shows more";

fn stopped(last: Option<&Message>, boot: &Boot, known: &Known) -> Symptom {
    let mounted = if boot.root_mounted { ", with its root mounted" } else { "" };
    let how = if known.end == Some(End::Itself) { "the guest has ended" } else { "the console ends" };
    let words = format!("{how} in the middle of the kernel's start{mounted}, and no line says why");
    let remedy = Remedy::say(
        "a kernel that hangs there lacks a device it waits for, or the host's virtualisation does not work: try emulation (",
    )
    .set(Setting::Accel, "emulation")
    .and("), another machine type, or more time; without 'quiet' and with 'earlycon' it says more");
    Symptom::at_the_end(&KERNEL_STOPPED, last, words, remedy)
}

/// `/dev/console` is the last console that the command line names; the kernel writes to all of them.
fn elsewhere(last: Option<&Message>, line: &CommandLine) -> Option<Symptom> {
    let mut consoles: Vec<&str> = line.values("console").map(|name| name.split(',').next().unwrap_or(name)).collect();
    consoles.dedup();
    let console = line.last_console().filter(|_| consoles.len() > 1)?;
    let words = format!(
        "the kernel writes to {}, and the init and the agent to {console} alone: it is the last console on the \
         command line",
        consoles.join(" and ")
    );
    let remedy = "put the console that the VMM shows last on the command line";
    Some(Symptom::at_the_end(&CONSOLE_ELSEWHERE, last, words, remedy))
}

fn ended(last: Option<&Message>, boot: &Boot, known: &Known) -> Symptom {
    let init = boot.init.as_deref().unwrap_or("the init");
    let (fault, advice) = agent_in_image(boot, known);
    let words =
        format!("the guest has ended by itself, in order, and the agent has not reported{fault}; the init was {init}");
    let remedy = if fault.is_empty() {
        Remedy::say(format!(
            "see what {init} does: something in the guest has powered it off or reset it before the agent was started"
        ))
    } else {
        advice
    };
    Symptom::at_the_end(&GUEST_ENDED, last, words, remedy)
}

/// Between its start and its readiness, the agent waits for nothing but the boot script.
fn not_ready(messages: &[Message], last: Option<&Message>) -> Symptom {
    let written = messages.iter().rev().find(
        |message| matches!(&message.content, Content::Event(Event::Output(output)) if output.source == Source::BootScript),
    );
    let words = match written {
        Some(_) => "the agent has started, and its boot script, whose last line this is, has not ended",
        None => "the agent has started and is not ready: its boot script has written nothing and has not ended",
    };
    let remedy = more_time(
        "have /etc/nex/boot-script come to an end: what shall run on belongs into the background (&), or is the guest's workload",
    );
    Symptom::at_the_end(&AGENT_NOT_READY, written.or(last), words, remedy)
}

fn no_report(last: Option<&Message>, boot: &Boot, known: &Known) -> Symptom {
    let init = boot.init.as_deref().filter(|init| *init != "/init").unwrap_or("the init");
    let came = match (boot.login, boot.systemd, boot.openrc) {
        (true, ..) => "the guest has come up to its login prompt".to_owned(),
        (_, true, _) => "systemd runs".to_owned(),
        (_, _, true) => "OpenRC runs".to_owned(),
        _ => format!("the kernel has started {init}"),
    };
    let (what, remedy) = agent_in_image(boot, known);
    Symptom::at_the_end(&AGENT_SILENT, last, format!("{came}, and the agent has not reported{what}"), remedy)
}

/// A remedy, where more time may do as well.
fn more_time(remedy: impl Into<Remedy>) -> Remedy {
    remedy.into().also(Remedy::say("or give it more time (").raise(Setting::Timeout).and(")"))
}

/// What the image shows of an agent that has not reported, and what to do.
fn agent_in_image(boot: &Boot, known: &Known) -> (String, Remedy) {
    let Some(image) = known.image else {
        let see = format!("see whether {AGENT} is there, is for this machine and is started: with the image,");
        return (String::new(), Remedy::say(see).choose(Setting::Image).and("FILE, it can be told"));
    };
    if init_program::is_there(known, AGENT) == Some(false) {
        return (
            format!(": the image has no {AGENT}"),
            "make the image with nex, which puts it there and has it started".into(),
        );
    }
    if !is_executable(image, AGENT.as_bytes()) {
        let why = init_program::permission(known, AGENT).unwrap_or_else(|| "it has no right to be executed".into());
        return (format!(": {AGENT} cannot be executed: {why}"), "give 'nex rootfs set-agent' the agent again".into());
    }
    if let Some(processor) =
        boot.processor.filter(|processor| init_program::processor(image, AGENT).is_some_and(|own| own != *processor))
    {
        let what = init_program::format(known, AGENT, Some(processor)).unwrap_or_default();
        return (
            format!(": {AGENT} does not run here: {what}"),
            "give 'nex rootfs set-agent' an agent for the kernel's machine".into(),
        );
    }
    if let Some(lacks) = init_program::lacks(known, AGENT) {
        return (format!(": {AGENT} needs {lacks}"), "use a static agent, or put what it needs into the image".into());
    }
    let speech = Speech::of(image, AGENT.as_bytes()).filter(|speech| *speech != Speech::Lines);
    if let Some(why) = speech.and_then(|speech| speech.unfit()) {
        return (
            format!(": {AGENT} {why}"),
            Remedy::say("say what shows that the guest is ready,")
                .choose(Setting::Ready)
                .and("REGEX or")
                .choose(Setting::ReadyAfter)
                .and("TIME, or give it nex's own agent: nex rootfs set-agent FILE AGENT"),
        );
    }
    let remedy = if boot.systemd {
        "log in and ask: systemctl status agent".into()
    } else if boot.openrc {
        format!("log in and ask: rc-service {OPENRC_SERVICE} status")
    } else {
        format!("the init that was started is not the agent: boot with init={AGENT}")
    };
    (String::new(), more_time(remedy))
}
