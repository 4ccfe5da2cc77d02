//! What nobody but the user may get at: directories, files and sockets that are not the user's output.
//!
//! The mode is given when the thing is made, so that there is no moment in which others get in. A umask can only take from
//! that; what it took of the user's own rights is given back. A umask that takes nothing adds nothing.

use std::ffi::{CStr, OsStr};
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tempfile::TempDir;

/// The mode of a directory.
pub const DIRECTORY: u32 = 0o700;
/// The mode of a file, and of a socket.
pub const FILE: u32 = 0o600;
/// How many connections may wait for a socket's owner.
const BACKLOG: i32 = 128;

/// Makes a directory, which must not be there.
///
/// # Errors
/// When it cannot be made.
pub fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(DIRECTORY).create(path)?;
    settle_directory(CWD, path)
}

/// Makes a directory in another; one that is there stays as it is.
///
/// # Errors
/// When it cannot be made.
pub fn create_directory_in(parent: &File, name: &OsStr) -> io::Result<()> {
    match create_new_directory_in(parent, name) {
        // Another process may just make it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Makes a directory in another, in which nothing has this name.
///
/// # Errors
/// When it cannot be made.
pub fn create_new_directory_in(parent: &File, name: &OsStr) -> io::Result<()> {
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(DIRECTORY))?;
    settle_directory(parent, name)
}

/// Makes a directory with a name by chance behind this beginning. It goes with the value.
///
/// # Errors
/// When it cannot be made.
pub fn temporary_directory(place: &Path, beginning: &str) -> io::Result<TempDir> {
    /// Enough that nobody can try all names before we have one.
    const CHANCE: usize = 12;
    let mut builder = tempfile::Builder::new();
    builder.prefix(beginning).rand_bytes(CHANCE).permissions(Permissions::from_mode(DIRECTORY));
    let directory = builder.tempdir_in(place)?;
    settle_directory(CWD, directory.path())?;
    Ok(directory)
}

/// Makes a file, which must not be there, open for reading and writing.
///
/// # Errors
/// When it cannot be made.
pub fn create_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE).open(path)?;
    settle(&file, FILE)?;
    Ok(file)
}

/// Makes a file that has no name, and ends when nobody has it open any more.
///
/// # Errors
/// When the directory takes none.
pub fn unnamed_file(directory: &Path) -> io::Result<File> {
    let file = tempfile::tempfile_in(directory)?;
    settle(&file, FILE)?;
    Ok(file)
}

/// Makes a file in memory, which ends when nobody has it open any more.
///
/// # Errors
/// When the system has none to give.
pub fn memory_file(name: &CStr) -> io::Result<File> {
    let file = File::from(rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC)?);
    settle(&file, FILE)?;
    Ok(file)
}

/// Makes a file in memory of so many bytes, all 0, which cannot grow: for what others write without end.
///
/// # Errors
/// When the system has none to give.
pub fn bounded_memory_file(name: &CStr, bytes: u64) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(rustix::fs::memfd_create(name, flags)?);
    settle(&file, FILE)?;
    file.set_len(bytes)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}

/// Listens on a new socket in a directory, to which the user alone can connect. The directory must be private, too.
///
/// # Errors
/// When the socket cannot be made.
pub fn listen(directory: BorrowedFd<'_>, name: &str) -> io::Result<UnixListener> {
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // The name that is bound takes its mode from the socket, so that it never has another one.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(FILE))?;
    // By the directory's descriptor: a socket's path has 107 bytes at most, and the directory's own may be longer.
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))?;
    rustix::net::bind(&socket, &address)?;
    if rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode & 0o777 != FILE {
        rustix::fs::chmodat(directory, name, Mode::from_raw_mode(FILE), AtFlags::empty())?;
    }
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Gives a new file a mode that the umask has not let it have.
fn settle(file: &File, mode: u32) -> io::Result<()> {
    if file.metadata()?.permissions().mode() & 0o777 != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// The same for a new directory, which its owner may not even open yet.
fn settle_directory(place: impl AsFd, path: impl rustix::path::Arg) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(place, path, flags, Mode::empty())?;
    if rustix::fs::fstat(&directory)?.st_mode & 0o777 != DIRECTORY {
        let held = format!("/proc/self/fd/{}", directory.as_raw_fd());
        rustix::fs::chmod(held, Mode::from_raw_mode(DIRECTORY))?;
    }
    Ok(())
}
