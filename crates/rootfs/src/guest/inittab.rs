//! `/etc/inittab`, the table of System V's init and of BusyBox's.
//!
//! A line is `id:runlevels:action:process`, see inittab(5). BusyBox takes the first field for a terminal and ignores the
//! second.

use nex_contract::{RUN_AGENT, RUN_BOOT_SCRIPT};
use nex_inspect::{View, end_of_links, exists, is_executable};

use super::change::Layer;
use super::openrc::Runlevel;
use super::text::{Attributes, Text};
use super::{AGENT, AgentService, AgentUser, Error};

/// Where the program is that changes its user and becomes another. Debian's dpkg and BusyBox have it with the same options.
const LAUNCHERS: [&[u8]; 2] = [b"/sbin/start-stop-daemon", b"/usr/sbin/start-stop-daemon"];

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

    /// The runlevel for the agent when the boot goes through OpenRC, else `None`.
    ///
    /// OpenRC is called by its name, or by a script, as on Debian, which goes from the runlevel `sysinit` to `default` and
    /// never enters `boot`.
    pub(crate) fn openrc_runlevel(&self, view: &dyn View) -> Result<Option<Runlevel>, Error> {
        const LONGEST_SCRIPT: u64 = 64 << 10;
        let mut found = None;
        for command in self.boot_commands() {
            let script = program(command);
            let read = view.read(script, LONGEST_SCRIPT).map_err(|source| Error::read(script, source))?;
            let script = read.filter(|text| text.starts_with(b"#!")).unwrap_or_default();
            if contains(command, b"openrc boot") || contains(&script, b"openrc boot") {
                return Ok(Some(Runlevel::Boot));
            }
            if contains(command, b"openrc") || contains(&script, b"openrc") {
                found = Some(Runlevel::Default);
            }
        }
        Ok(found)
    }

    /// Has the agent started, and started again whenever it ends. An entry has no user, so that another than root takes a
    /// program of the image.
    pub(crate) fn add_agent(&mut self, view: &dyn View, service: &AgentService, user: &AgentUser) {
        let prefix: &[u8] = if self.busybox { b"::respawn:" } else { b"nex:2345:respawn:" };
        let launcher = Self::launcher(view).filter(|_| *user != AgentUser::Root);
        let become_user = launcher.map(|path| [path, b" -S -q -c ", user.word().as_bytes(), b" -x "].concat());
        self.text.append(&[prefix, &become_user.unwrap_or_default(), service.command().as_bytes()].concat());
    }

    /// The program of the image with which an entry can have another user than root.
    pub(crate) fn launcher(view: &dyn View) -> Option<&'static [u8]> {
        LAUNCHERS.into_iter().find(|path| is_executable(view, path))
    }

    /// Whether an entry starts the agent itself, which then runs as root.
    pub(crate) fn runs_agent_as_root(&self, view: &dyn View) -> bool {
        let processes = self.text.lines().filter(|line| !line.starts_with(b"#"));
        processes
            .filter_map(|line| line.splitn(4, |&byte| byte == b':').nth(3))
            .map(program)
            .any(|command| command == RUN_AGENT.as_bytes() || end_of_links(view, command) == AGENT)
    }

    /// Has the boot script run, and waited for, before what is respawned.
    pub(crate) fn add_boot_script(&mut self) {
        let prefix = if self.busybox { "::sysinit:" } else { "nexb:2345:wait:" };
        self.text.append([prefix, RUN_BOOT_SCRIPT].concat().as_bytes());
    }

    /// Whether the table has a login on the serial console.
    pub(crate) fn has_getty(&self) -> bool {
        self.text.lines().any(|line| !line.starts_with(b"#") && contains(line, b"ttyS0"))
    }

    /// Has a login on the serial console, unless the table has one.
    pub(crate) fn add_getty(&mut self) {
        if self.has_getty() {
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

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The program of a command line. BusyBox's `-` before it asks for a login shell.
fn program(command: &[u8]) -> &[u8] {
    let first = command.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    first.strip_prefix(b"-").unwrap_or(first)
}
