//! Why a boot failed, by what the guest has written on its console.
//!
//! The console is read twice. The first time for what the machine is and how far it came (`Boot`); the second time
//! for lines that tell of trouble. One trouble brings the next, so the first line that explains something is the cause,
//! and what follows is told as its consequences. Where nothing explains anything, the point at which the console ends
//! does.
//!
//! The guest is not trusted: any bytes will do, and what is kept of them has a bound.

mod agent;
mod boot;
mod command_line;
mod disk;
mod errno;
mod exit;
mod features;
mod framing;
mod init;
mod init_program;
mod initramfs;
mod kernel;
mod memory;
mod root;
mod rules;
mod service;
mod silence;
mod symptom;
mod text;
mod verity;

use nex_inspect::RootFs;
use nex_protocol::{Event, Ready};
use serde::Serialize;

pub use command_line::CommandLine;
pub use exit::Status;
pub use rules::{AGENT_SILENT, CONSOLE_RULES};
pub use symptom::{Quote, Symptom};
pub use text::without_escapes;

use boot::Boot;
use symptom::Weight;
use text::{Content, Message};

/// As many consequences are told; more of them help nobody.
const MOST_OTHERS: usize = 12;

/// What is known of the boot beside its console. Each thing makes the answer better, and none is needed.
#[derive(Clone, Copy, Default)]
pub struct Known<'a> {
    /// The root filesystem.
    pub image: Option<&'a RootFs>,
    /// The kernel's command line; without it, what the kernel itself says that it was given.
    pub command_line: Option<&'a [u8]>,
    /// How the guest ended.
    pub end: Option<End>,
}

/// How a guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself: it powered off, was reset, or its VMM gave up.
    Itself,
    /// It ran until it was stopped.
    Stopped,
}

/// What a console tells.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whether the agent has reported that the guest is up.
    pub ready: bool,
    /// What went wrong first; `None` where nothing is known to be wrong.
    pub cause: Option<Symptom>,
    /// What followed from it or was seen beside it, in the order of the console.
    pub others: Vec<Symptom>,
    /// The kernel's version, as it gives it.
    pub kernel: Option<String>,
    /// As many bytes in the console's middle were not read, as it is longer than any boot's.
    #[serde(skip_serializing_if = "is_zero")]
    pub unread_bytes: usize,
}

/// Reads a console.
pub fn explain(console: &[u8], known: &Known) -> Explanation {
    let messages = text::messages(console);
    let boot = Boot::gather(&messages, known.command_line);
    let ready = messages
        .iter()
        .position(|message| matches!(&message.content, Content::Event(Event::Ready(ready)) if is_up(ready)));
    let found = symptoms(&messages, &boot, known);
    // What was there before the agent reported has not kept it from that.
    let ready_line = ready.and_then(|place| messages.get(place)).map(|message| message.line);
    let late = |symptom: &Symptom| {
        ready_line.is_none_or(|ready| symptom.line.as_ref().is_some_and(|quote| quote.number > ready))
    };
    let first = |weight: Weight| found.iter().position(|symptom| symptom.weight == weight && late(symptom));
    let place = first(Weight::Cause).or_else(|| first(Weight::Outcome));
    let derived = || if ready.is_some() { None } else { silence::derive(&messages, &boot, known) };
    let suspect = || if ready.is_some() { None } else { first(Weight::Suspect) };
    let (cause, mut others) = match place.or_else(suspect) {
        // The point where it stopped says more than something that may be harmless, and both are told.
        Some(place) if found.get(place).is_some_and(|symptom| symptom.weight != Weight::Suspect) => take(found, place),
        Some(place) => match derived() {
            Some(end) if end.outweighs_suspects() => (Some(end), found),
            Some(end) => {
                let (cause, mut others) = take(found, place);
                others.push(end);
                (cause, others)
            }
            None => take(found, place),
        },
        None => (derived(), found),
    };
    others.truncate(MOST_OTHERS);
    Explanation {
        ready: ready.is_some(),
        cause,
        others,
        kernel: boot.version,
        unread_bytes: text::unread(console).len(),
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// An agent that goes on to the real root, or lays an overlay, is not there yet.
fn is_up(ready: &Ready) -> bool {
    matches!(ready.role, nex_protocol::Role::Init | nex_protocol::Role::Service)
}

fn take(mut found: Vec<Symptom>, place: usize) -> (Option<Symptom>, Vec<Symptom>) {
    let cause = (place < found.len()).then(|| found.remove(place));
    (cause, found)
}

/// What each line tells, the same thing once.
fn symptoms(messages: &[Message], boot: &Boot, known: &Known) -> Vec<Symptom> {
    type Reader = fn(&Message, &Boot, &Known) -> Option<Symptom>;
    const READERS: [Reader; 9] = [
        agent::read,
        initramfs::read,
        verity::read,
        disk::read,
        root::read,
        init::read,
        memory::read,
        kernel::read,
        service::read,
    ];
    /// More of them are not kept.
    const MOST: usize = 256;
    let mut found: Vec<Symptom> = Vec::new();
    for message in messages {
        let Some(symptom) = READERS.iter().find_map(|read| read(message, boot, known)) else { continue };
        if found.len() < MOST && !found.iter().any(|other| other.finding == symptom.finding) {
            found.push(symptom);
        }
    }
    found
}
