//! Why a run fails, in the user's terms.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nex_cancel::Cancelled;
use nex_text::Lines;
use thiserror::Error;

/// Why there are no changes.
#[derive(Debug, Error)]
pub enum Error {
    /// The run was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The work directory cannot be had.
    #[error("cannot use the work directory '{}' of setup scripts: {cause}; choose another with --work-dir", .path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// No user namespace is to be had.
    #[error("setup scripts need a user namespace, and this machine gives none ({cause}): {way_out}")]
    NoUserNamespace {
        /// The system's word for it.
        cause: io::Error,
        /// The setting that forbids it, and what to do.
        way_out: String,
    },
    /// The ids of the namespace cannot be set.
    #[error("cannot give setup scripts their user ids: {0}")]
    Ids(String),
    /// A step before or after the scripts fails in one of the inner processes.
    #[error("cannot run the setup script: {0}")]
    SetUp(String),
    /// The script ended with something else than 0.
    #[error("the setup script '{name}' failed with exit code {code}{hint}")]
    Failed {
        /// The script.
        name: String,
        /// Its exit code.
        code: i32,
        /// What the user may not know.
        hint: String,
        /// The last lines that it wrote.
        #[source]
        last_lines: Option<Lines>,
    },
    /// The script was killed by a signal, its own or of the kernel.
    #[error("the setup script '{name}' was ended by signal {signal}{hint}")]
    Killed {
        /// The script.
        name: String,
        /// The signal's number.
        signal: i32,
        /// What the user may not know.
        hint: String,
        /// The last lines that it wrote.
        #[source]
        last_lines: Option<Lines>,
    },
    /// Over [`Limits::time`](crate::Limits::time).
    #[error("the setup script '{name}' was still running after {} s{reached}, and was ended; give it longer with --script-timeout", .limit.as_secs())]
    Time {
        /// The script.
        name: String,
        /// Where in it, if that is known.
        reached: String,
        /// The limit.
        limit: Duration,
    },
    /// Over [`Limits::memory`](crate::Limits::memory).
    #[error(
        "the setup script '{name}' took more than {limit} bytes of memory, and was ended; give it more with --script-memory"
    )]
    Memory {
        /// The script.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file system of the work directory is nearly full.
    #[error(
        "the setup script '{name}' was ended because less than {reserve} bytes are left in '{}'; free some, or choose \
         another place with --work-dir", .path.display()
    )]
    Disk {
        /// The script.
        name: String,
        /// The work directory.
        path: PathBuf,
        /// What is never taken.
        reserve: u64,
    },
    /// The file system of the work directory has nearly no room for more files.
    #[error(
        "the setup script '{name}' was ended because fewer than {reserve} files can still be made in '{}'; remove some, or \
         choose another place with --work-dir", .path.display()
    )]
    Files {
        /// The script.
        name: String,
        /// The work directory.
        path: PathBuf,
        /// How many are never made.
        reserve: u64,
    },
    /// More devices than any image has.
    #[error(
        "the setup script '{name}' made more than {limit} device nodes, those that it has removed among them, and was ended; \
         an image needs few, as a guest's kernel makes those of its /dev"
    )]
    Devices {
        /// The script.
        name: String,
        /// How many may be made.
        limit: usize,
    },
    /// The monitor could not look at what the script takes any more.
    #[error(
        "the setup script '{name}' was ended because nex could not see any more what it takes: what it has open or mapped does \
         not answer, or is too much to look at; does a file system of --mount hang?"
    )]
    Unseen {
        /// The script.
        name: String,
    },
    /// The tree of a script that failed cannot be kept.
    #[error("the setup script failed, and its tree cannot be kept in '{}': {cause}; name another directory with --keep-failed", .directory.display())]
    Keep {
        /// The directory.
        directory: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// There is no terminal for a shell, or it is gone.
    #[error("a shell in the image needs a terminal as standard input and output: {0}")]
    Terminal(io::Error),
    /// An inner process ended or spoke nonsense.
    #[error("the setup script's monitor ended early: {0}; run the command again")]
    Monitor(io::Error),
}

impl Error {
    /// A failure as this error, unless it is nothing but a cancellation.
    pub(crate) fn unless_cancelled(make: impl FnOnce(io::Error) -> Self) -> impl FnOnce(io::Error) -> Self {
        |cause| if Cancelled::is_cause_of(&cause) { Self::Cancelled(Cancelled) } else { make(cause) }
    }
}
