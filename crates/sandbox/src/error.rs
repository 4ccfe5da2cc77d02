//! Why a run fails, in the user's terms.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nex_cancel::Cancelled;
use nex_fault::{Code, Fault, Remedy, Setting};
use nex_file::way::WayError;
use nex_text::Lines;
use thiserror::Error;

use crate::codes;
use crate::failure::Advice;
use crate::ids::WayOut;

/// Why there are no changes.
#[derive(Debug, Error)]
pub enum Error {
    /// The run was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The work directory cannot be had.
    #[error("cannot use the work directory '{}' of setup scripts", .path.display())]
    WorkDir {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: io::Error,
    },
    /// No user namespace is to be had.
    #[error("setup scripts need a user namespace, and this machine gives none ({cause}): {}", .way_out.why)]
    NoUserNamespace {
        /// The system's word for it.
        cause: io::Error,
        /// The setting that forbids it, and what to do.
        way_out: WayOut,
    },
    /// The ids of the namespace cannot be set.
    #[error("cannot give setup scripts their user ids: {what}")]
    Ids {
        /// What failed, and why.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A step before or after the scripts fails in one of the inner processes.
    #[error("cannot run the setup script: {what}")]
    SetUp {
        /// The step, and why it failed.
        what: String,
        /// What to do about it, if that is known.
        remedy: Option<Remedy>,
    },
    /// The script ended with something else than 0.
    #[error("the setup script '{name}' failed with exit code {code}{hint}")]
    Failed {
        /// The script.
        name: String,
        /// Its exit code.
        code: i32,
        /// What the user may not know.
        hint: String,
        /// What to do about that.
        remedy: Option<Cow<'static, str>>,
        /// The last lines that it wrote, below their heading.
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
        /// What to do about that.
        remedy: Option<Cow<'static, str>>,
        /// The last lines that it wrote, below their heading.
        #[source]
        last_lines: Option<Lines>,
    },
    /// Over [`Limits::time`](crate::Limits::time).
    #[error("the setup script '{name}' was still running after {} s{reached}, and was ended", .limit.as_secs())]
    Time {
        /// The script.
        name: String,
        /// Where in it, if that is known.
        reached: String,
        /// The limit.
        limit: Duration,
    },
    /// Over [`Limits::memory`](crate::Limits::memory).
    #[error("the setup script '{name}' took more than {limit} bytes of memory, and was ended")]
    Memory {
        /// The script.
        name: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file system of the work directory is nearly full.
    #[error(
        "the setup script '{name}' was ended because less than {reserve} bytes are left in '{}'", .path.display()
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
        "the setup script '{name}' was ended because fewer than {reserve} files can still be made in '{}'", .path.display()
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
        "the setup script '{name}' made more than {limit} device nodes, those that it has removed among them, and was ended"
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
         not answer, or is too much to look at"
    )]
    Unseen {
        /// The script.
        name: String,
    },
    /// Somebody has removed the tree while the scripts ran, or their changes were read.
    #[error("the setup script's tree in '{}' was removed while it was in use", .path.display())]
    Gone {
        /// The run's directory.
        path: PathBuf,
    },
    /// The tree of a script that failed cannot be kept.
    #[error("the setup script failed, and its tree cannot be kept in '{}'", .directory.display())]
    Keep {
        /// The directory.
        directory: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// There is no terminal for a shell, or it is gone.
    #[error("a shell in the image needs a terminal as standard input and output")]
    Terminal(#[source] io::Error),
    /// An inner process ended or spoke nonsense.
    #[error("the setup script's monitor ended early")]
    Monitor(#[source] io::Error),
}

impl Error {
    /// What is wrong with a work directory.
    pub(crate) fn work_dir(path: &Path) -> impl Fn(io::Error) -> Self {
        |cause| Self::WorkDir { path: path.into(), cause }
    }

    /// A failure as this error, unless it is nothing but a cancellation.
    pub(crate) fn unless_cancelled(make: impl FnOnce(io::Error) -> Self) -> impl FnOnce(io::Error) -> Self {
        |cause| if Cancelled::is_cause_of(&cause) { Self::Cancelled(Cancelled) } else { make(cause) }
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Cancelled(cause) => cause.code(),
            Self::WorkDir { .. } => codes::WORK_DIR,
            Self::NoUserNamespace { .. } => codes::NO_USER_NAMESPACE,
            Self::Ids { .. } => codes::IDS,
            Self::SetUp { .. } => codes::SET_UP,
            Self::Failed { .. } | Self::Killed { .. } => codes::FAILED,
            Self::Time { .. } => codes::TIME,
            Self::Memory { .. } => codes::MEMORY,
            Self::Disk { .. } | Self::Files { .. } => codes::DISK,
            Self::Devices { .. } => codes::DEVICES,
            Self::Unseen { .. } => codes::UNSEEN,
            Self::Gone { .. } => codes::GONE,
            Self::Keep { .. } => codes::KEEP,
            Self::Terminal(_) => codes::TERMINAL,
            Self::Monitor(_) => codes::MONITOR,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::WorkDir { cause, .. } => {
                let way = cause.get_ref().and_then(|cause| cause.downcast_ref::<WayError>()).and_then(Fault::remedy);
                let another = "choose another with";
                match way {
                    Some(way) => way.and(format!("; {another}")),
                    None => Remedy::say(another),
                }
                .choose(Setting::WorkDir)
            }
            Self::NoUserNamespace { way_out, .. } => Remedy::say(way_out.remedy.clone()),
            Self::Ids { remedy, .. } => Remedy::say(*remedy),
            Self::SetUp { remedy, .. } => return remedy.clone(),
            Self::Time { .. } => Remedy::say("give it longer with").raise(Setting::ScriptTimeout),
            Self::Memory { .. } => Remedy::say("give it more with").raise(Setting::ScriptMemory),
            Self::Disk { .. } => Remedy::say("free some, or choose another place with").choose(Setting::WorkDir),
            Self::Files { .. } => Remedy::say("remove some, or choose another place with").choose(Setting::WorkDir),
            Self::Devices { .. } => Remedy::say("an image needs few, as a guest's kernel makes those of its /dev"),
            Self::Unseen { .. } => Advice::Hangs.remedy(),
            Self::Gone { .. } => Remedy::say(
                "run the command again; where other machines share that directory, choose one of this machine with",
            )
            .choose(Setting::WorkDir),
            Self::Keep { .. } => Remedy::say("name another directory with").choose(Setting::KeepFailed),
            Self::Monitor(_) => Remedy::say("run the command again"),
            Self::Failed { remedy, .. } | Self::Killed { remedy, .. } => Remedy::say(remedy.clone()?),
            Self::Cancelled(_) | Self::Terminal(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_facts_and_what_to_do_is_apart() {
        let said = |error: &dyn Fault| nex_fault::advised(error, Setting::flag);
        let work_dir = Error::work_dir(Path::new("/w"))(io::ErrorKind::PermissionDenied.into());
        assert_eq!(
            said(&work_dir),
            "cannot use the work directory '/w' of setup scripts: permission denied; choose another with --work-dir"
        );
        assert_eq!(work_dir.code().id(), "script-work-dir");
        let memory = Error::Memory { name: "s".into(), limit: 7 };
        assert_eq!(
            said(&memory),
            "the setup script 's' took more than 7 bytes of memory, and was ended; give it more with --script-memory"
        );
        assert_eq!(memory.code().id(), "script-memory");
        let set_up = Error::SetUp { what: "laying out /a: it is full".into(), remedy: Some(Advice::Room.remedy()) };
        assert_eq!(
            said(&set_up),
            "cannot run the setup script: laying out /a: it is full; free space in the work directory, or choose another \
             with --work-dir"
        );
    }
}
