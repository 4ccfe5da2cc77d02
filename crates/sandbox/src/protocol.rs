//! What the processes of a run say to each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::ids::TreeIds;
use crate::node::{Change, Node};
use crate::options::{MemoryBound, World};
use crate::uplink::Uplink;

/// From the caller to the monitor.
#[derive(Debug, Serialize, Deserialize)]
pub enum Order {
    /// The ids are set; this is the run.
    Start(Box<Setup>),
    /// The next node of the tree.
    Place(Node),
    /// That was all: run the scripts.
    Run {
        /// The kind of the terminal (`TERM`) on which a shell follows, if one does.
        shell: Option<String>,
    },
    /// Remove the tree of an earlier run; there is nothing else to do.
    Remove {
        /// Whether the process may set its supplementary groups.
        groups: bool,
    },
}

/// From the monitor to the caller.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The user namespace is there, and waits for its ids.
    Unshared,
    /// There is no user namespace: the system's error number.
    NoUserNamespace(i32),
    /// A step failed; nothing comes after this.
    Failed(Failure),
    /// How the scripts ended, and that a shell begins.
    Shell(Ending),
    /// How the scripts ended, and that all of it is over. Changes come after this if it was well and without a shell.
    Ended(Ending),
    /// A change, and behind it the bytes of a file.
    Change(Change),
    /// There are no more changes.
    NoMoreChanges,
    /// The tree is removed.
    Removed,
}

/// Everything but the tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// The directory that belongs to this run alone.
    pub place: PathBuf,
    /// The ids that the tree can have.
    pub ids: TreeIds,
    /// Whether the process may set its supplementary groups.
    pub groups: bool,
    /// What runs, and what it finds beside the tree.
    pub world: World,
    /// What connects the scripts to the host's network.
    pub uplink: Uplink,
    /// Whether the caller wants the whole tree when a script fails.
    pub keep_failed: bool,
    /// Whether there is a cgroup for the scripts, whose files the caller passes.
    pub has_memory_group: bool,
    /// What `/etc/resolv.conf` says to the scripts.
    pub resolver: Option<Vec<u8>>,
}

/// How the scripts ended, and what was seen on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How they ended.
    pub outcome: Outcome,
    /// The line of the last script that its shell had come to, from 1 on, if it could be told.
    pub line: Option<u64>,
    /// What held their memory.
    pub memory: MemoryBound,
    /// The first thing that a program could not do for want of ids, in words.
    pub refused: Option<String>,
}

/// How the scripts ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All of them well.
    Done,
    /// One with this exit code.
    Exit {
        /// Its number.
        script: usize,
        /// The code.
        code: i32,
    },
    /// One by this signal.
    Signal {
        /// Its number.
        script: usize,
        /// The signal.
        signal: i32,
    },
    /// They were ended.
    Limit {
        /// The one that was running.
        script: usize,
        /// For want of what.
        limit: Limit,
    },
}

/// What scripts can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// Time.
    Time,
    /// Memory.
    Memory,
    /// Room on the disk: less than so many bytes are left.
    Disk(u64),
    /// Room for names on the disk: fewer than so many files can be made.
    Files(u64),
    /// Devices: so many may be made.
    Devices(usize),
    /// Sight: what they have open or mapped has kept the monitor from looking at them for too long.
    Sight,
}

/// From init to the monitor.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// The second user namespace is there, and waits for its ids.
    Unshared,
    /// A step failed.
    Failed(Failure),
    /// The monitor is told of system calls, by the file that was passed.
    Listening,
    /// A script begins.
    Began {
        /// Its number.
        script: usize,
        /// Device and inode of the file that it is in.
        file: (u64, u64),
    },
    /// A script has ended; `None` for an exit code and `Some` for a signal.
    Ended {
        /// Its number.
        script: usize,
        /// Its exit code, or the signal's number.
        status: i32,
        /// Whether it is a signal.
        signalled: bool,
    },
    /// The scripts have ended, and a shell begins.
    Shell,
    /// The shell has ended.
    ShellEnded,
}
