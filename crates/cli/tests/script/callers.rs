//! The kinds of callers that a sandbox knows, and commands as one of them: what holds for one need not hold for another.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Output};

use nex_testkit::nex::script::{World, as_user};
use nex_testkit::{Failure, Result, command, nex, places, program};

/// What a user without rights gets from `/etc/subuid`.
const SUBORDINATE: &str = "700000:65536";

/// Root of a container without root on the host, as Podman and Docker make it: root is a user of the host, and the rest are
/// ids subordinate to that user.
pub const ROOTLESS: &str = "0 65534 1\n1 700000 65536\n";

/// Root of a user namespace with that one id.
pub const ROOT_ALONE: &str = "0 65534 1\n";

/// Becomes root of a user namespace with this map of users and groups, in a mount namespace of that.
const BECOME_ROOT_OF_CONTAINER: &str = "
    unshare --user sleep 60 & holder=$!
    until [ \"$(readlink /proc/$holder/ns/user)\" != \"$(readlink /proc/self/ns/user)\" ]; do sleep 0.01; done
    # The kernel takes a map in one piece, and the shell itself writes line by line.
    for map in uid_map gid_map; do env printf %s \"$0\" > /proc/$holder/$map || exit; done
    exec 9< /proc/$holder/ns/user; kill $holder
    exec nsenter --user=/proc/self/fd/9 --setuid 0 --setgid 0 unshare --mount \"$@\"";

/// Who runs nex.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Root of the machine.
    Root,
    /// A user with subordinate ids.
    Subordinate,
    /// A user with one id.
    OneId,
    /// Root of a user namespace with this map of users and groups.
    Container(&'static str),
}

impl Caller {
    /// One of each kind.
    pub const ALL: [Self; 4] = [Self::Root, Self::Subordinate, Self::OneId, Self::Container(ROOTLESS)];

    /// Whether scripts of this caller have more ids than one.
    pub fn has_ids(self) -> bool {
        !matches!(self, Self::OneId | Self::Container(ROOT_ALONE))
    }

    /// The command as this caller; `None` where only root could become one.
    pub fn command(self, run: &Command, world: &World) -> Result<Option<Command>> {
        match self {
            Self::Root => Ok(places::is_root().then(|| same(run, run.get_program()))),
            Self::Subordinate => as_user(run, world, Some(SUBORDINATE)),
            Self::OneId => as_user(run, world, None),
            Self::Container(map) => {
                let mut container = Command::new("bash");
                container.args(["-c", BECOME_ROOT_OF_CONTAINER, map]);
                container.args(["env", "-i", "PATH=/usr/bin:/bin"]).args(variables(run));
                container.arg(run.get_program()).args(run.get_args());
                Ok(places::is_root().then_some(container))
            }
        }
    }

    /// Runs the command as this caller, after commands of root's shell in a mount namespace of its own, and before others
    /// there. `None` where there is no way to be one.
    pub fn run_between(self, run: &Command, world: &World, before: &str, after: &str) -> Result<Option<Output>> {
        if !places::is_root() {
            eprintln!("LEFT OUT: only root can become another caller");
            return Ok(None);
        }
        let run = self.command(run, world)?.ok_or_else(|| Failure::new("there is no way to become another caller"))?;
        let commands = format!("{before}\nset +e; \"$@\"; code=$?; {after}\nexit $code");
        let mut machine = Command::new("unshare");
        machine.args(["--mount", "sh", "-ec", &commands, "sh"]).arg(run.get_program()).args(run.get_args());
        let set = run.get_envs().filter_map(|(name, value)| Some((name, value?)));
        machine.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(set);
        command::output(&mut machine).map(Some)
    }

    /// Runs the command as this caller. `None` where there is no way to be one.
    pub fn run(self, run: &Command, world: &World) -> Result<Option<Output>> {
        self.run_between(run, world, ":", ":")
    }

    /// A work directory of this caller's own.
    pub fn work_dir(self) -> String {
        format!("work-{self:?}")
    }

    /// A copy of nex at this path that belongs to the caller, who may change it.
    pub fn own_nex(self, path: &Path) -> Result<()> {
        program::copy(nex::program(), path)?;
        let owner = if self == Self::Root { 0 } else { 65534 };
        Ok(chown(path, Some(owner), Some(owner))?)
    }
}

/// As parts of file names are.
impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Self::Root => "root",
            Self::Subordinate => "subordinate",
            Self::OneId => "one-id",
            Self::Container(ROOT_ALONE) => "container-with-one-id",
            Self::Container(_) => "container",
        })
    }
}

/// The variables that a command is given.
fn variables(command: &Command) -> impl Iterator<Item = String> {
    command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())))
}

/// A command once more, by another program, with all that it says.
fn same(command: &Command, program: impl AsRef<OsStr>) -> Command {
    let mut same = Command::new(program);
    same.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).args(command.get_args());
    same
}

/// The same, with nothing that an earlier run has found.
pub fn again(command: &Command, program: impl AsRef<OsStr>) -> Command {
    let mut again = Command::new(program);
    again.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let is_kept = |argument: &&OsStr| *argument != "--quiet" && *argument != "--no-cache";
    again.args(command.get_args().filter(is_kept)).arg("--no-cache");
    again
}
