//! `/etc/inittab`, as BusyBox's init and System V's read it: lines `id:runlevels:action:process`, see inittab(5).

use nex_inspect::{View, exists};

use super::service::is_agent;
use super::text::{LONGEST, contains, read, shown};
use super::{AGENT, Findings};
use crate::rules;

/// Where the serial console is, for an init that is told no terminal.
const CONSOLES: [&[u8]; 3] = [b"ttyS0", b"ttyAMA0", b"console"];

/// The table.
pub(super) struct Inittab {
    entries: Vec<Entry>,
    is_busybox: bool,
}

struct Entry {
    /// BusyBox takes it for a terminal.
    id: Vec<u8>,
    action: Vec<u8>,
    process: Vec<u8>,
}

impl Inittab {
    /// The image's table; `None` when it has none.
    pub(super) fn load(view: &dyn View, is_busybox: bool) -> Option<Self> {
        let text = view.read(b"/etc/inittab", LONGEST).ok().flatten()?;
        let entries = text.split(|&byte| byte == b'\n').filter_map(Entry::parse).collect();
        Some(Self { entries, is_busybox })
    }

    /// The commands that the boot waits for.
    fn boot_commands(&self) -> impl Iterator<Item = &[u8]> {
        let is_waited_for =
            |entry: &&Entry| [b"sysinit".as_slice(), b"boot", b"bootwait", b"wait"].contains(&entry.action.as_slice());
        self.entries.iter().filter(is_waited_for).map(|entry| entry.process.as_slice())
    }

    /// Whether the boot goes through OpenRC, called by its name or by a script.
    pub(super) fn starts_openrc(&self, view: &dyn View) -> bool {
        let by_script = |command: &[u8]| {
            let script = read(view, program(command), LONGEST);
            script.starts_with(b"#!") && contains(&script, b"openrc")
        };
        self.boot_commands().any(|command| contains(command, b"openrc") || by_script(command))
    }

    /// Whether an entry starts the agent, by itself or by another program.
    pub(super) fn starts_agent(&self, view: &dyn View) -> bool {
        self.entries.iter().any(|entry| {
            let mut words = entry.process.split(u8::is_ascii_whitespace);
            contains(&entry.process, AGENT) || words.any(|word| is_agent(view, word))
        })
    }

    /// The entry with a login, or a shell, on the serial console: its program.
    pub(super) fn login(&self) -> Option<&[u8]> {
        let is_login = |entry: &&Entry| {
            let is_kept = [b"respawn".as_slice(), b"askfirst"].contains(&entry.action.as_slice());
            let on_console = CONSOLES.iter().any(|name| entry.id == *name || contains(&entry.process, name));
            is_kept && (on_console || (self.is_busybox && entry.id.is_empty() && entry.action == b"askfirst"))
        };
        self.entries.iter().find(is_login).map(|entry| program(&entry.process))
    }

    /// Reports programs of the boot that the image lacks.
    pub(super) fn check(&self, view: &dyn View, findings: &mut Findings) {
        let mut missing: Vec<_> = self.boot_commands().map(program).filter(|path| is_missing(view, path)).collect();
        missing.dedup();
        if !missing.is_empty() {
            let missing: Vec<_> = missing.into_iter().map(shown).collect();
            let evidence = format!("/etc/inittab starts {}, which the image lacks", missing.join(", "));
            findings.report(
                &rules::INITTAB_PROGRAM,
                evidence,
                "install the package that has it, or take the lines out",
            );
        }
    }
}

impl Entry {
    fn parse(line: &[u8]) -> Option<Self> {
        if line.starts_with(b"#") {
            return None;
        }
        let mut fields = line.splitn(4, |&byte| byte == b':').map(|field| field.trim_ascii().to_vec());
        let id = fields.next()?;
        fields.next()?;
        Some(Self { id, action: fields.next()?, process: fields.next()? })
    }
}

/// Whether a program that is named by its path is not there.
pub(super) fn is_missing(view: &dyn View, program: &[u8]) -> bool {
    program.starts_with(b"/") && !exists(view, program)
}

/// The program of a command line. BusyBox's `-` before it asks for a login shell.
fn program(command: &[u8]) -> &[u8] {
    let first = command.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    first.strip_prefix(b"-").unwrap_or(first)
}
