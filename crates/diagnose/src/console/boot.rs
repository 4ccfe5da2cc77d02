//! What a console tells of the machine, and how far the boot came.

use nex_program::Processor;
use nex_protocol::{Event, Role};

use super::command_line::CommandLine;
use super::text::{Content, Message};

/// As many drives are told.
const MOST_DRIVES: usize = 32;

/// A boot, seen from its end.
#[derive(Debug, Default)]
pub struct Boot {
    /// The kernel's version.
    pub version: Option<String>,
    /// What it was made for.
    pub processor: Option<Processor>,
    /// What it was told.
    pub command_line: Option<CommandLine>,
    /// The drives and partitions that it has listed because there was no root.
    pub drives: Vec<Drive>,
    /// Whether it has listed them.
    pub drives_listed: bool,
    /// The first program that it has started from the root, or from the initramfs.
    pub init: Option<String>,
    /// Whether it has unpacked an initramfs that holds an init.
    pub initramfs: bool,
    /// Whether it has mounted a root.
    pub root_mounted: bool,
    /// Whether it has mounted it without writing to it.
    pub root_read_only: bool,
    /// Whether systemd runs.
    pub systemd: bool,
    /// Whether OpenRC runs.
    pub openrc: bool,
    /// Whether somebody can log in.
    pub login: bool,
    /// Whether the agent has written anything as what it is there for.
    pub agent: bool,
    /// The role in which the agent was last heard.
    pub role: Option<Role>,
    /// Whether the machine was powered off or reset by who runs in it.
    pub ended: bool,
}

/// A drive as the kernel lists it: `103:00000     153600 nvme0n1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drive {
    /// The kernel's name.
    pub name: String,
    /// The size in KiB.
    pub kib: u64,
}

impl Boot {
    /// Looks through the whole console.
    pub fn gather(messages: &[Message], command_line: Option<&[u8]>) -> Self {
        let mut boot = Self { command_line: command_line.map(CommandLine::parse), ..Self::default() };
        for message in messages {
            match &message.content {
                Content::Event(event) => boot.event(event),
                Content::Kernel(text) | Content::Text(text) => boot.text(message, text),
            }
        }
        boot
    }

    /// Whether the kernel has started an init from the root.
    pub fn reached_init(&self) -> bool {
        self.init.is_some() || self.systemd || self.openrc || self.agent || self.login
    }

    /// The value of a parameter of the kernel's.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.command_line.as_ref()?.value(name)
    }

    fn event(&mut self, event: &Event) {
        let role = match event {
            Event::Start(start) => start.role,
            Event::Ready(ready) => ready.role,
            _ => return,
        };
        self.agent |= matches!(role, Role::Init | Role::Service);
        self.role = Some(role);
    }

    fn text(&mut self, message: &Message, text: &str) {
        if let Some(version) = message.after("Linux version ") {
            // A kernel that is reset writes it again.
            self.version = version.split(' ').next().map(str::to_owned);
        } else if let Some(line) = message.after("Kernel command line: ").or_else(|| message.after("Command line: ")) {
            self.command_line.get_or_insert_with(|| CommandLine::parse(line.as_bytes()));
        } else if let Some(program) = message.between("Run ", " as init process") {
            self.initramfs |= program == "/init";
            self.init.get_or_insert_with(|| program.to_owned());
        } else if message.after("VFS: Mounted root (").is_some() {
            self.root_mounted = true;
            self.root_read_only = text.contains(" readonly ");
        } else if text.contains("here are the available partitions") || text == "List of all partitions:" {
            self.drives_listed = true;
        } else if self.drives_listed && self.drives.len() < MOST_DRIVES {
            self.drives.extend(Drive::parse(text).filter(|drive| !self.drives.contains(drive)));
        }
        let architecture = match text {
            _ if text.starts_with("BIOS-provided physical RAM map") || text.starts_with("x86/fpu: ") => Some("amd64"),
            _ if text.starts_with("Booting Linux on physical CPU 0x") => Some("arm64"),
            _ => None,
        };
        self.processor = self.processor.or_else(|| Processor::for_architecture(architecture?));
        self.systemd |= text.starts_with("systemd[1]: ") || self.is_banner_of_systemd(text);
        self.openrc |= text.trim_start().starts_with("OpenRC ");
        // A host's name stands before it, and behind it what somebody has typed.
        self.login |= text.split_once(" login:").is_some_and(|(host, _)| !host.is_empty() && !host.contains(' '));
        self.ended |= ["reboot: Power down", "reboot: Restarting system", "reboot: System halted"].contains(&text);
    }
}

impl Boot {
    /// Whether it is the line `Welcome to NAME!`. Others say the like later: Alpine's `/etc/issue` above the login prompt, without an
    /// exclamation mark, and its `/etc/motd` behind it.
    fn is_banner_of_systemd(&self, text: &str) -> bool {
        !self.openrc && !self.login && text.starts_with("Welcome to ") && text.trim_end().ends_with('!')
    }
}

impl Drive {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (major, minor) = words.next()?.split_once(':')?;
        let hexadecimal = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_hexdigit());
        let kib = words.next()?.parse().ok()?;
        let name = words.next()?.to_owned();
        (hexadecimal(major) && hexadecimal(minor)).then_some(Self { name, kib })
    }
}
