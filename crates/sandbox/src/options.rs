//! What the caller decides about a run.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A run of one script or several.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory in which the tree is laid out; see [`default_work_dir`](crate::default_work_dir).
    pub work_dir: PathBuf,
    /// What runs, and what it finds beside the tree.
    pub world: World,
    /// Where the tree goes when a script fails, for a look at it: a directory that is not there yet.
    pub keep_failed: Option<PathBuf>,
}

/// The scripts, and the world in which they run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct World {
    /// The scripts, which run one after the other in the same tree.
    pub scripts: Vec<Script>,
    /// Variables for the scripts, beside `PATH` and `HOME`; they win over these.
    pub env: Vec<(String, String)>,
    /// Directories that the scripts find, empty, where the tree has none. They are no changes, unless something is put there.
    pub directories: Vec<Vec<u8>>,
    /// Files and directories of the host that the scripts see.
    pub mounts: Vec<Mount>,
    /// Files that only the scripts see.
    pub secrets: Vec<Secret>,
    /// What the scripts reach.
    pub network: Network,
    /// The name of the machine that the scripts see.
    pub hostname: String,
    /// Bounds on what the scripts take.
    pub limits: Limits,
}

/// A script.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Script {
    /// The name that messages, and its own `$0`, show: no slash in it.
    pub name: String,
    /// Its bytes. What begins with `#!` or is a program is executed; the rest is given to `/bin/sh`.
    pub content: Vec<u8>,
}

/// A file or directory of the host that the scripts see. It leaves no trace in the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is on the host.
    pub source: PathBuf,
    /// Where the scripts see it: absolute.
    pub target: Vec<u8>,
    /// Whether they can only read it.
    pub read_only: bool,
}

/// A file `/run/secrets/NAME` that is never written to a disk.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret {
    /// Its name: no slash in it.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the scripts reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// What the host reaches, the host itself included.
    Host,
    /// Nothing.
    None,
}

/// What holds the scripts' memory below its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MemoryBound {
    /// The kernel, by a cgroup of their own: whatever it is, and at every moment.
    Cgroup,
    /// The monitor, who adds up what each process has, many times a second.
    Sampled,
}

/// Bounds on what all scripts together take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long they may run.
    pub time: Duration,
    /// Bytes of memory: a hard bound on the data of each process, and one on all together; see [`MemoryBound`].
    pub memory: u64,
    /// Processes and threads at once.
    pub processes: u64,
    /// Names in the tree when they have ended.
    pub names: u64,
}
