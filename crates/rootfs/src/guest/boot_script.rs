//! The script that runs in the guest at every boot, as root and before the agent.
//!
//! Our agent runs it where it is the init. Everywhere else the image's init does, by a service of its own, since the agent is
//! not root there and may be anybody's. Its failure keeps nobody from starting.

use std::io::Cursor;

use nex_contract::{BOOT_SCRIPT, RUN_BOOT_SCRIPT, split_variable};
use nex_inspect::View;
use nex_program::{NotAProgram, Program};

use super::change::Layer;
use super::find_init::Found;
use super::init::Init;
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
///
/// It has the image's variables, as the image's program has them: our agent reads them from the image's configuration, systemd from
/// the unit, and elsewhere a shell script in front of it sets them.
pub(crate) fn wire(
    script: &BootScript,
    env: &[String],
    view: &dyn View,
    found: &mut Found,
    layer: &mut Layer,
) -> Result<(), Error> {
    check(script, view)?;
    layer.file(BOOT_SCRIPT.as_bytes(), 0o755, script.content.clone());
    match (found.init, &mut found.inittab) {
        (Init::OpenRc, _) => {
            layer.file(RUN_BOOT_SCRIPT.as_bytes(), 0o755, launcher(env));
            openrc::add_boot_script(found.runlevel, layer);
        }
        (Init::Systemd, _) => systemd::add_boot_script(env, layer),
        (Init::Inittab, Some(table)) => {
            layer.file(RUN_BOOT_SCRIPT.as_bytes(), 0o755, launcher(env));
            table.add_boot_script();
        }
        (Init::Inittab | Init::Agent, _) => {}
    }
    Ok(())
}

/// A shell script that sets these variables, `NAME=value` each, and becomes the boot script. A name that no shell takes is left out.
fn launcher(env: &[String]) -> String {
    let is_name = |name: &str| {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        name.chars().all(is_letter) && !name.starts_with(|first: char| first.is_ascii_digit())
    };
    let exports = env.iter().filter_map(|variable| {
        let (name, value) = split_variable(variable)?;
        is_name(name).then(|| format!("export {name}='{}'\n", value.replace('\'', r"'\''")))
    });
    format!(
        "#!/bin/sh\n# The boot script with the variables of the image.\n{}exec {BOOT_SCRIPT}\n",
        exports.collect::<String>()
    )
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
        Err(NotAProgram::Script(cause)) => Err(Error::BadBootScript { script: name(), cause }),
        Err(NotAProgram::Unknown | NotAProgram::Read(_)) => {
            Err(Error::BootScript { script: name(), cause: "a text without #! at its start" })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_sets_the_variables_as_they_are() {
        let env =
            ["A=b=c", "QUOTES='\"$(id)`id`\\\\", "LINES=one\ntwo", "EMPTY", "GO.VERSION=1", "=none", "1ST=x", "A;id=x"];
        let launcher = launcher(&env.map(str::to_owned));
        assert!(launcher.ends_with("exec /etc/nex/boot-script\n"));
        let shown = launcher.replace(BOOT_SCRIPT, "/usr/bin/env -0");
        let output = Command::new("sh").env_clear().arg("-c").arg(shown).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let mut set: Vec<_> = output.split('\0').filter(|variable| !variable.is_empty()).collect();
        set.retain(|variable| !["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|own| variable.starts_with(own)));
        set.sort_unstable();
        assert_eq!(set, ["A=b=c", "EMPTY=", "LINES=one\ntwo", "QUOTES='\"$(id)`id`\\\\"]);
    }
}
