//! Why a guest does not run, in the user's terms.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy};
use nex_file::way::WayError;
use thiserror::Error;

use crate::codes;
use crate::firecracker::VARIABLE;

/// Why there is no guest, or no more of it.
#[derive(Debug, Error)]
pub enum Error {
    /// The VMM's program is nowhere.
    #[error("there is no {program} on the PATH")]
    Missing {
        /// Its name.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// There is no Firecracker.
    #[error("there is no firecracker on the PATH")]
    NoFirecracker,
    /// The VMM's program is older than what nex can talk to.
    #[error("'{}' is version {version}; nex needs {oldest} or later", .program.display())]
    TooOld {
        /// The program.
        program: PathBuf,
        /// Its version.
        version: String,
        /// The oldest that will do.
        oldest: String,
    },
    /// A VMM's program cannot be executed.
    #[error("cannot run '{}'", .program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// The VMM ended before it ran the guest.
    #[error("{vmm} refuses the machine: {said}")]
    Refused {
        /// The VMM.
        vmm: String,
        /// Its own words.
        said: String,
    },
    /// Firecracker's jailer does not make the jail.
    #[error("Firecracker's jailer makes no jail: {said}")]
    Jailer {
        /// Its own words.
        said: String,
        /// The version of this machine's control groups, when a limit is what it fails at.
        limit_of: Option<u8>,
    },
    /// The guest was given up before it ran.
    #[error("interrupted before the guest ran")]
    Interrupted,
    /// Talking to the VMM fails.
    #[error("cannot talk to {vmm}")]
    Talk {
        /// The VMM.
        vmm: String,
        /// What is wrong.
        #[source]
        cause: io::Error,
    },
    /// A file of the machine cannot be opened.
    #[error("cannot open '{}'", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// A file's name does not go into the VMM's configuration.
    #[error("the name of '{}' is not UTF-8, and a configuration has no other names", .path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A word of the VMM's command line cannot be shown as it is.
    #[error("a command line cannot show '{}', which has characters that are not printed", nex_text::short_name(.word.as_encoded_bytes()))]
    Word {
        /// The word.
        word: OsString,
    },
    /// The kernel is none that the VMM could load.
    #[error("cannot load the kernel '{}'", .path.display())]
    Kernel {
        /// The kernel's file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: nex_kernel::Error,
    },
    /// A drive that the guest shall write without changing the file cannot be copied.
    #[error("cannot copy '{}' to '{}', as the guest writes to a copy", .path.display(), .place.display())]
    Copy {
        /// The drive's file.
        path: PathBuf,
        /// Where the copy goes.
        place: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// QEMU has no place for what the guest writes to a drive without changing its file.
    #[error("cannot make a temporary file in '{}'", .place.display())]
    Temporary {
        /// Where it was to stand.
        place: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// What a VMM needs beside the machine's own files cannot be made.
    #[error("cannot prepare the VMM's files in '{}'", .place.display())]
    Prepare {
        /// Where.
        place: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// The way to the place of the jails is not root's alone, or there is none.
    #[error("cannot prepare the VMM's files in '{}'", .place.display())]
    Way {
        /// Where.
        place: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: WayError,
    },
    /// The jailer makes device nodes and mount namespaces.
    #[error("only root can run Firecracker's jailer")]
    JailIsRoots,
    /// The jail's user would be root, or nobody.
    #[error("a jail's user cannot be {uid}:{gid}: {why}")]
    NotForJails {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// What speaks against it.
        why: &'static str,
    },
    /// The jailer belongs to another Firecracker.
    #[error("the jailer '{}' has the version {version}, and Firecracker has {firecracker}", .jailer.display())]
    OtherJailer {
        /// The jailer.
        jailer: PathBuf,
        /// Its version.
        version: String,
        /// Firecracker's.
        firecracker: String,
    },
    /// The user in the jail may not write a file that the guest shall write.
    #[error("Firecracker runs as user {uid} and group {gid}, who may not write '{}'", .path.display())]
    NotTheJails {
        /// The file.
        path: PathBuf,
        /// The jail's user.
        uid: u32,
        /// The jail's group.
        gid: u32,
    },
    /// A file that the guest shall write cannot be brought into the jail.
    #[error("cannot link '{}' into a jail in '{}'", .path.display(), .place.display())]
    Link {
        /// The file.
        path: PathBuf,
        /// Where jails are.
        place: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Missing { .. } | Self::NoFirecracker => codes::MISSING,
            Self::TooOld { .. } | Self::OtherJailer { .. } => codes::VERSION,
            Self::Run { .. } => codes::NOT_RUN,
            Self::Refused { .. } | Self::Jailer { .. } => codes::REFUSED,
            Self::Interrupted => codes::INTERRUPTED,
            Self::Talk { .. } => codes::SILENT,
            Self::Open { .. } => codes::UNREADABLE,
            Self::Name { .. } | Self::Word { .. } => codes::NAME,
            Self::Kernel { cause, .. } => cause.code(),
            Self::Copy { .. } | Self::Temporary { .. } => codes::NO_PLACE,
            Self::Prepare { .. } | Self::Way { .. } => codes::PREPARATION,
            Self::JailIsRoots => codes::JAIL_NEEDS_ROOT,
            Self::NotForJails { .. } => codes::JAIL_USER,
            Self::NotTheJails { .. } | Self::Link { .. } => codes::JAIL_FILE,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        let words: Cow<'static, str> = match self {
            Self::Missing { package, .. } => {
                format!("install it (Debian and Ubuntu: apt-get install {package})").into()
            }
            Self::NoFirecracker => {
                format!("take a release from the Firecracker project, or name its file in {VARIABLE}").into()
            }
            Self::Kernel { cause, .. } => return cause.remedy(),
            Self::Way { cause, .. } => return cause.remedy(),
            Self::Copy { .. } => "free some space there, or choose another directory with TMPDIR".into(),
            Self::Temporary { .. } => "choose another directory with TMPDIR".into(),
            Self::Jailer { limit_of: Some(2), .. } => {
                "this machine has control groups of version 2, whose limits are called memory.max, cpu.max, pids.max"
                    .into()
            }
            Self::Jailer { limit_of: Some(_), .. } => {
                "this machine has control groups of version 1, whose limits are called \
                 memory.limit_in_bytes, cpu.shares, pids.max"
                    .into()
            }
            Self::JailIsRoots => "run nex as root, or without a jail".into(),
            Self::NotForJails { .. } => "give it a user and a group that nobody else has, such as 1500:1500".into(),
            Self::OtherJailer { .. } => "install both from one release of Firecracker".into(),
            Self::NotTheJails { .. } => "make that user its owner, or choose another user for the jail".into(),
            Self::Link { .. } => "both must be on one file system".into(),
            Self::Name { .. } => "rename it, or name it by a link".into(),
            Self::Word { .. } => "rename the file, or name it by a link; leave them out of the kernel's words".into(),
            Self::TooOld { .. }
            | Self::Run { .. }
            | Self::Refused { .. }
            | Self::Jailer { limit_of: None, .. }
            | Self::Interrupted
            | Self::Talk { .. }
            | Self::Open { .. }
            | Self::Prepare { .. } => return None,
        };
        Some(Remedy::say(words))
    }
}

#[cfg(test)]
mod tests {
    use nex_fault::whole;

    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_programs_learn_what_to_do() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let cases = [
            (
                Error::Missing { program: "qemu-system-x86_64".into(), package: "qemu-system-x86" },
                "there is no qemu-system-x86_64 on the PATH",
                codes::MISSING,
                Some("install it (Debian and Ubuntu: apt-get install qemu-system-x86)"),
            ),
            (
                Error::Temporary { place: "/var/tmp".into(), cause: full() },
                "cannot make a temporary file in '/var/tmp': no storage space",
                codes::NO_PLACE,
                Some("choose another directory with TMPDIR"),
            ),
            (
                Error::Kernel { path: "k".into(), cause: nex_kernel::Error::TooLarge { path: "k".into(), limit: 7 } },
                "cannot load the kernel 'k': 'k' has more than 7 bytes",
                nex_kernel::codes::TOO_LARGE,
                Some("a kernel that is right and that large needs a higher --max-kernel"),
            ),
            (
                Error::Refused { vmm: "QEMU 7".into(), said: "no PVH".into() },
                "QEMU 7 refuses the machine: no PVH",
                codes::REFUSED,
                None,
            ),
        ];
        for (error, fact, code, remedy) in cases {
            assert_eq!((whole(&error).as_str(), error.code()), (fact, code));
            let words = error.remedy().map(|remedy| remedy.words(nex_fault::Setting::flag));
            assert_eq!(words.as_deref(), remedy, "{fact}");
        }
    }
}
