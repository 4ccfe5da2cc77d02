//! Why a record cannot be used.

use std::io;
use std::path::{Path, PathBuf};

use nex_fault::{Code, Fault, Remedy};
use nex_file::remove::Stuck;
use nex_file::way::WayError;
use rustix::io::Errno;
use thiserror::Error;

use crate::codes;
use crate::id::Id;
use crate::name::Name;

/// Why a journal says nothing that could be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// The first line is not there, or not of this guest: nothing is known of it.
    #[error("its journal does not begin with the line of a guest of this id")]
    NoBeginning,
    /// The first line is of a form that a later nex writes.
    #[error("its journal begins with a line of a later nex")]
    Later,
    /// There is no last line, and no room for one.
    #[error("its journal has no last line, and no room for one")]
    Full,
}

/// Why a record, or the directory of all records, cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// There is no place for records.
    #[error("there is no place for the records of guests: neither XDG_STATE_HOME nor HOME names a directory")]
    NoPlace,
    /// The directory is not the caller's alone, or no directory.
    #[error("cannot use '{}' for the records of guests", .path.display())]
    Way {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: WayError,
    },
    /// The system refuses.
    #[error("cannot use '{}'", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// Something that is to go stays.
    #[error("cannot remove all of '{}'", .path.display())]
    Stuck {
        /// What was to go.
        path: PathBuf,
        /// What of it stays.
        #[source]
        cause: Stuck,
    },
    /// The name is another guest's, which is there.
    #[error("the guest {id} has the name '{name}'")]
    NameTaken {
        /// The name.
        name: Name,
        /// Whose it is.
        id: Id,
    },
    /// The guest has not ended.
    #[error("the guest {0} has not ended")]
    Living(Id),
    /// The guest is where nobody here can tell whether it lives.
    #[error("the guest {0} is one of another machine, or was started where the records are mounted in another way")]
    Elsewhere(Id),
    /// Another process has the record.
    #[error("another process works on the record of the guest {0}")]
    Busy(Id),
    /// A later nex has written the record.
    #[error("a later nex has written the record of the guest {0}")]
    Later(Id),
    /// The record is damaged.
    #[error("the record of the guest {id} is damaged")]
    Unreadable {
        /// The guest.
        id: Id,
        /// What is wrong.
        #[source]
        cause: Unreadable,
    },
    /// The VMM of a guest does not end.
    #[error("the VMM of the guest {id}, process {pid}, was killed and does not end")]
    StuckVmm {
        /// The guest.
        id: Id,
        /// The VMM's process.
        pid: u32,
    },
}

impl StateError {
    /// An error of the system, about a path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Io { path: path.into(), cause }
    }

    /// The same, by its number.
    pub(crate) fn errno(path: &Path) -> impl FnOnce(Errno) -> Self {
        move |cause| Self::Io { path: path.into(), cause: cause.into() }
    }

    /// A directory, or the way to it, that is not the caller's alone.
    pub(crate) fn way(path: &Path) -> impl FnOnce(WayError) -> Self {
        move |cause| Self::Way { path: path.into(), cause }
    }

    /// Something that stays.
    pub(crate) fn stuck(path: &Path) -> impl FnOnce(Stuck) -> Self {
        move |cause| Self::Stuck { path: path.into(), cause }
    }
}

impl Fault for StateError {
    fn code(&self) -> Code {
        match self {
            Self::NoPlace => codes::NO_PLACE,
            Self::Way { cause, .. } => cause.code(),
            Self::Io { .. } => codes::IO,
            Self::Stuck { cause, .. } => cause.code(),
            Self::NameTaken { .. } => codes::NAME_TAKEN,
            Self::Living(_) => codes::LIVING,
            Self::Elsewhere(_) => codes::ELSEWHERE,
            Self::Busy(_) => codes::BUSY,
            Self::Later(_) => codes::LATER,
            Self::Unreadable { .. } => codes::UNREADABLE,
            Self::StuckVmm { .. } => codes::STUCK_VMM,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::NoPlace => Remedy::say("set one of them to a directory of yours"),
            Self::Way { cause, .. } => cause
                .remedy()
                .unwrap_or_else(|| Remedy::say("set XDG_STATE_HOME to a directory that only you and root can change")),
            Self::NameTaken { .. } => Remedy::say("choose another name, or end that guest first"),
            Self::Living(_) => Remedy::say("end it first"),
            Self::Elsewhere(_) => Remedy::say(
                "run this command there; if that is not possible any more, remove the guest's directory by hand",
            ),
            Self::Busy(_) => Remedy::say("try again; 'lslocks' shows which process it is"),
            Self::Later(_) => Remedy::say("use that nex for it"),
            Self::StuckVmm { .. } => {
                Remedy::say("it waits in the kernel, most often for a disk; mend that, and try again")
            }
            Self::Io { .. } | Self::Stuck { .. } | Self::Unreadable { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nex_fault::{Setting, advised};
    use nex_file::trust::Distrust;

    use super::*;

    #[test]
    fn errors_are_facts_with_codes_and_remedies() {
        let ids: BTreeSet<_> = codes::ALL.iter().map(|code| code.id()).collect();
        assert!(ids.len() == codes::ALL.len() && ids.iter().all(|id| id.starts_with("record-")), "{ids:?}");

        let cause = WayError::Distrust { path: "/s".into(), why: Distrust::Writable };
        let way = StateError::Way { path: "/s".into(), cause };
        assert_eq!(way.code().id(), "file-distrust");
        assert_eq!(
            advised(&way, Setting::flag),
            "cannot use '/s' for the records of guests: it can be written to by others; run 'chmod go-w /s' if they did not"
        );
        let id = Id::random().unwrap();
        let taken = StateError::NameTaken { name: "web".parse().unwrap(), id: id.clone() };
        let said = format!("the guest {id} has the name 'web'; choose another name, or end that guest first");
        assert_eq!(advised(&taken, Setting::flag), said);
    }
}
