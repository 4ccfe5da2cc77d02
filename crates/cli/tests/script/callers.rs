//! The four kinds of callers that a sandbox knows, and a command as one of them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use nex_testkit::{Result, places};

use crate::nex::NEX;
use crate::world::{World, as_user};

/// What a user without rights gets from `/etc/subuid`.
const SUBORDINATE: &str = "700000:65536";

/// The first id outside of a container whose root is not the machine's.
const CONTAINER: u32 = 1_000_000;

/// Becomes root of a user namespace with ids of its own, and nothing else, as root of a rootless container is.
const BECOME_ROOT_OF_CONTAINER: &str = "
    unshare --user sleep 60 & holder=$!
    until [ \"$(readlink /proc/$holder/ns/user)\" != \"$(readlink /proc/self/ns/user)\" ]; do sleep 0.01; done
    for map in uid_map gid_map; do echo \"0 $0 65536\" > /proc/$holder/$map || exit; done
    exec 9< /proc/$holder/ns/user; kill $holder
    exec nsenter --user=/proc/self/fd/9 --setuid 0 --setgid 0 \"$@\"";

/// Who runs nex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Root,
    /// A user with subordinate ids.
    Subordinate,
    /// A user with one id.
    OneId,
    /// Root of a user namespace that has ids of its own.
    RootOfContainer,
}

impl Caller {
    pub const ALL: [Self; 4] = [Self::Root, Self::Subordinate, Self::OneId, Self::RootOfContainer];

    /// Whether scripts of this caller have more ids than one.
    pub fn has_ids(self) -> bool {
        self != Self::OneId
    }

    /// The command as this caller; `None` where only root could become one.
    pub fn run(self, run: &Command, world: &World) -> Result<Option<Command>> {
        match self {
            Self::Root => Ok(places::is_root().then(|| again(run, run.get_program()))),
            Self::Subordinate => as_user(run, world, Some(SUBORDINATE)),
            Self::OneId => as_user(run, world, None),
            Self::RootOfContainer => {
                let mut container = Command::new("bash");
                container.args(["-c", BECOME_ROOT_OF_CONTAINER, &CONTAINER.to_string()]);
                container.args(["env", "-i", "PATH=/usr/bin:/bin"]).args(variables(run));
                container.arg(run.get_program()).args(run.get_args());
                Ok(places::is_root().then_some(container))
            }
        }
    }

    /// A copy of nex at this path that belongs to the caller, who may change it.
    pub fn own_nex(self, path: &Path) -> Result<()> {
        fs::copy(NEX, path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        let owner = match self {
            Self::Root => 0,
            Self::Subordinate | Self::OneId => 65534,
            Self::RootOfContainer => CONTAINER,
        };
        Ok(chown(path, Some(owner), Some(owner))?)
    }
}

/// The variables that a command is given.
fn variables(command: &Command) -> impl Iterator<Item = String> {
    command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())))
}

/// A command once more, by another program, with all that it says, and with nothing that an earlier run has found.
pub fn again(command: &Command, program: impl AsRef<OsStr>) -> Command {
    let mut again = Command::new(program);
    again.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let is_kept = |argument: &&OsStr| *argument != "--quiet" && *argument != "--no-cache";
    again.args(command.get_args().filter(is_kept)).arg("--no-cache");
    again
}
