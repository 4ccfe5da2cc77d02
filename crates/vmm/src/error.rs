//! Why a guest does not run, in the user's terms.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no guest, or no more of it.
#[derive(Debug, Error)]
pub enum Error {
    /// The VMM's program is nowhere.
    #[error("there is no {program} on the PATH; install it (Debian and Ubuntu: apt-get install {package})")]
    Missing {
        /// Its name.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// There is no Firecracker.
    #[error(
        "there is no firecracker on the PATH; take a release from the Firecracker project, or name its file in NEX_FIRECRACKER"
    )]
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
    #[error("cannot run '{}': {cause}", .program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The system's word for it.
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
    /// The guest was given up before it ran.
    #[error("interrupted before the guest ran")]
    Interrupted,
    /// Talking to the VMM fails.
    #[error("cannot talk to {vmm}: {cause}")]
    Talk {
        /// The VMM.
        vmm: String,
        /// What is wrong.
        cause: io::Error,
    },
    /// A file of the machine cannot be opened.
    #[error("cannot open '{}': {cause}", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// The kernel is none that the VMM could load.
    #[error("the kernel '{}' does not do: {cause}", .path.display())]
    Kernel {
        /// The kernel's file.
        path: PathBuf,
        /// What is wrong with it.
        cause: nex_kernel::Error,
    },
    /// A drive that the guest shall write without changing the file cannot be copied.
    #[error("cannot copy '{}' to '{}', where the guest shall write: {cause}; TMPDIR names another place", .path.display(), .place.display())]
    Copy {
        /// The drive's file.
        path: PathBuf,
        /// Where the copy goes.
        place: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// QEMU has no place for what the guest writes to a drive without changing its file.
    #[error("cannot make a temporary file in '{}': {cause}; choose another directory with TMPDIR", .place.display())]
    Temporary {
        /// Where it was to stand.
        place: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// What a VMM needs beside the machine's own files cannot be made.
    #[error("cannot prepare the VMM's files in '{}': {cause}", .place.display())]
    Prepare {
        /// Where.
        place: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// The jailer makes device nodes and mount namespaces.
    #[error("Firecracker's jailer is root's; run nex as root, or without a jail")]
    JailIsRoots,
    /// The jail's user would be root, or nobody.
    #[error(
        "a jail's user cannot be {uid}:{gid}: {why}; give it a user and a group that nobody else has, such as 1500:1500"
    )]
    NotForJails {
        /// The user.
        uid: u32,
        /// The group.
        gid: u32,
        /// What speaks against it.
        why: &'static str,
    },
    /// The jailer belongs to another Firecracker.
    #[error("'{}' is version {version}, and Firecracker is {firecracker}; the two come together", .jailer.display())]
    OtherJailer {
        /// The jailer.
        jailer: PathBuf,
        /// Its version.
        version: String,
        /// Firecracker's.
        firecracker: String,
    },
    /// The user in the jail may not write a file that the guest shall write.
    #[error("user {uid} with group {gid}, whom Firecracker runs as, may not write '{}'; give it to them", .path.display())]
    NotTheJails {
        /// The file.
        path: PathBuf,
        /// The jail's user.
        uid: u32,
        /// The jail's group.
        gid: u32,
    },
    /// A file that the guest shall write cannot be brought into the jail.
    #[error("cannot link '{}' into a jail in '{}': {cause}; both must be on one file system", .path.display(), .place.display())]
    Link {
        /// The file.
        path: PathBuf,
        /// Where jails are.
        place: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
}
