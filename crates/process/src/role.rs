//! The roles that nex plays when it starts itself.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A part of nex that runs as a process of its own. The process has the role's name as its `argv[0]`; a supervisor has the arguments of
/// a run, too, and nothing else tells the others what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns the tree of a setup script, and watches the script.
    SandboxMonitor,
    /// The first process in the namespaces of a setup script.
    SandboxInit,
    /// Tries out whether KVM runs a machine.
    KvmProbe,
    /// Looks after the guest of a run, and does what its clients ask for.
    Supervisor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::SandboxMonitor, Self::SandboxInit, Self::KvmProbe, Self::Supervisor];

    /// The role of this process; `None` for the program as users start it. To be asked first of all in `main`, before anything is
    /// opened and any thread started.
    pub fn of_this_process() -> Option<Self> {
        Self::named(&std::env::args_os().next()?)
    }

    /// The role of this name.
    pub fn named(name: &OsStr) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The name by which the process knows its role, and `ps` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SandboxMonitor => "nex-sandbox-monitor",
            Self::SandboxInit => "nex-sandbox-init",
            Self::KvmProbe => "nex-kvm-probe",
            Self::Supervisor => "nex-supervisor",
        }
    }

    /// What starts this program in this role.
    pub fn command(self) -> Command {
        self.command_of("/proc/self/exe")
    }

    /// The same for another copy of this program.
    pub fn command_of(self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.arg0(self.name());
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_that_of_one_role() {
        for role in Role::ALL {
            assert_eq!(Role::named(role.name().as_ref()), Some(role));
        }
        assert_eq!(Role::named("nex".as_ref()), None);
        assert_eq!(Role::of_this_process(), None);
    }
}
