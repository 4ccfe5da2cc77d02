//! The script that runs in the guest at every boot, as root and before the agent.
//!
//! Our agent runs it where it is the init. Everywhere else the image's init does, by a service of its own, since the agent is
//! not root there and may be anybody's. Its failure keeps nobody from starting.

use std::io::Cursor;

use nex_program::{NotAProgram, Program, View};
use nex_workload::BOOT_SCRIPT;

use super::change::Layer;
use super::init::{Found, Init};
use super::{Error, openrc, systemd};

/// The script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootScript {
    /// What messages call it.
    pub name: String,
    /// Its text.
    pub content: Vec<u8>,
}

/// Adds it, and has it started.
pub(crate) fn wire(script: &BootScript, view: &dyn View, found: &mut Found, layer: &mut Layer) -> Result<(), Error> {
    check(script, view)?;
    layer.file(BOOT_SCRIPT.as_bytes(), 0o755, script.content.clone());
    match (found.init, &mut found.inittab) {
        (Init::OpenRc, _) => openrc::add_boot_script(found.runlevel, layer),
        (Init::Systemd, _) => systemd::add_boot_script(layer),
        (Init::Inittab, Some(table)) => table.add_boot_script(),
        (Init::Inittab | Init::Agent, _) => {}
    }
    Ok(())
}

/// It must be something that the guest's kernel starts: nobody looks when it runs.
fn check(script: &BootScript, view: &dyn View) -> Result<(), Error> {
    let name = || script.name.clone();
    match Program::inspect(Cursor::new(&script.content)) {
        Ok(Program::Script(parsed)) => match parsed.missing(view) {
            None => Ok(()),
            Some(interpreter) => Err(Error::BootScriptInterpreter { script: name(), interpreter }),
        },
        Ok(Program::Elf(_)) | Err(NotAProgram::Broken(_) | NotAProgram::NoLoader { .. }) => {
            Err(Error::BootScript { script: name(), cause: "a program in place of a script" })
        }
        Err(NotAProgram::Unknown | NotAProgram::Read(_)) => {
            Err(Error::BootScript { script: name(), cause: "a text without #! at its start" })
        }
    }
}
