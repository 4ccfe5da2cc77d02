//! `/etc/inittab`, the table of System V's init and of BusyBox's.
//!
//! A line is `id:runlevels:action:process`, see inittab(5). BusyBox takes the first field for a terminal and ignores the
//! second.

use super::change::Layer;
use super::text::{Attributes, Text};
use super::view::{View, exists};
use super::{AGENT, Error};

/// The table, to be read and added to.
pub(crate) struct Inittab {
    text: Text,
    busybox: bool,
}

impl Inittab {
    /// The image's table; `None` when it has none.
    pub(crate) fn load(view: &dyn View, busybox: bool) -> Result<Option<Self>, Error> {
        let text = Text::load(view, b"/etc/inittab", Attributes::PUBLIC)?;
        Ok(text.is_found().then_some(Self { text, busybox }))
    }

    /// The commands that the boot waits for, by their actions.
    fn boot_commands(&self) -> impl Iterator<Item = &[u8]> {
        self.text.lines().filter(|line| !line.starts_with(b"#")).filter_map(|line| {
            let mut fields = line.splitn(4, |&byte| byte == b':').skip(2);
            let action = fields.next()?;
            matches!(action, b"sysinit" | b"boot" | b"bootwait" | b"wait").then(|| fields.next())?
        })
    }

    /// A program that the boot needs and the image lacks.
    pub(crate) fn missing_program(&self, view: &dyn View) -> Option<&[u8]> {
        self.boot_commands().map(program).find(|program| program.starts_with(b"/") && !exists(view, program))
    }

    /// Whether the boot goes through OpenRC: by its name, or by a script that calls it, as on Debian.
    pub(crate) fn starts_openrc(&self, view: &dyn View) -> Result<bool, Error> {
        const LONGEST_SCRIPT: u64 = 64 << 10;
        const OPENRC: &[u8] = b"openrc";
        let names_it = |text: &[u8]| text.windows(OPENRC.len()).any(|window| window == OPENRC);
        for command in self.boot_commands() {
            let script = program(command);
            let read = view.read(script, LONGEST_SCRIPT).map_err(|source| Error::read(script, source))?;
            if names_it(command) || read.is_some_and(|text| text.starts_with(b"#!") && names_it(&text)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has the agent started, and started again whenever it ends.
    pub(crate) fn add_agent(&mut self) {
        let prefix: &[u8] = if self.busybox { b"::respawn:" } else { b"nex:2345:respawn:" };
        self.text.append(&[prefix, AGENT].concat());
    }

    /// Has a login on the serial console, unless the table has one.
    pub(crate) fn add_getty(&mut self) {
        const PORT: &[u8] = b"ttyS0";
        let is_active = |line: &[u8]| !line.starts_with(b"#") && line.windows(PORT.len()).any(|window| window == PORT);
        if self.text.lines().any(is_active) {
            return;
        }
        let prefix = if self.busybox { "ttyS0::respawn:" } else { "S0:2345:respawn:" };
        self.text.append(format!("{prefix}/sbin/getty -L 115200 ttyS0 vt100").as_bytes());
    }

    /// Adds the table to the layer, if it has changed.
    pub(crate) fn save(self, layer: &mut Layer) {
        self.text.save(layer);
    }
}

/// The program of a command line. BusyBox's `-` before it asks for a login shell.
fn program(command: &[u8]) -> &[u8] {
    let first = command.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    first.strip_prefix(b"-").unwrap_or(first)
}
