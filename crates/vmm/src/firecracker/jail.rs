//! Firecracker in a jail: its own jailer gives it a root directory, a user and a mount namespace, and drops all else.
//!
//! ```text
//! BASE/firecracker/nex-ID/        locked as long as we live
//!     root/                       the jail's root
//!         firecracker             copied by the jailer
//!         dev/kvm ...             made by the jailer
//!         kernel initramfs drive0 linked or copied by us, before the jailer runs
//!         api log
//! ```
//!
//! The jailer closes what is open, so that files need names here. What changes its user loses the signal that ends it with
//! us: so a jail that nobody has locked any more is ended and removed by the next one who makes a jail.
//!
//! Once the jailer has given the jail's root to its user, a Firecracker that its guest has taken over may put anything there
//! under any name. From then on root opens nothing there by name but the API's socket, and that without following it: the log is read
//! by the descriptor that it was made with, and whose processes are the jail's is not asked of its files.

mod cgroup;
mod owner;
mod processes;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_file::private;
use nex_file::way::{self, Missing};
use owner::Owner;
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use tempfile::TempDir;

use super::copy;
use super::room::{Room, without_times};
use super::socket;
use super::vsock::{self, Vsock};
use crate::error::Error;
use crate::interrupt::Interrupt;

/// What the names of our jails begin with. The rest is by chance; letters, digits and hyphens are allowed.
const PREFIX: &str = "nex-";
const ROOT: &str = "root";
const SOCKET: &str = "api";
const LOG: &str = "log";
/// The most that is read of its log, in bytes.
const LONGEST_LOG: u64 = 64 << 10;

/// How Firecracker is jailed.
#[derive(Clone, Debug)]
pub struct Jail {
    /// The jailer's program: as a rule the one that came with Firecracker.
    pub jailer: PathBuf,
    /// The user that Firecracker runs as.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Where jails are made. Copies of images are in it, too.
    pub base: PathBuf,
    /// Which control groups the machine has, 1 or 2, when it is to be limited.
    pub cgroup_version: u8,
    /// Limits, as `cpu.max=50000 100000`.
    pub cgroups: Vec<String>,
}

impl Jail {
    /// A jail in `/srv/jailer`, for this user and group.
    pub fn new(jailer: PathBuf, uid: u32, gid: u32) -> Self {
        Self { jailer, uid, gid, base: "/srv/jailer".into(), cgroup_version: cgroup::version(), cgroups: Vec::new() }
    }
}

/// A jail that is being made, or in which Firecracker runs; dropped, it goes.
pub struct Cell {
    jail: Jail,
    /// What the jailer calls Firecracker: the name of its file.
    name: OsString,
    directory: TempDir,
    /// The jail's root directory, open.
    root: File,
    /// The log, open since it was made.
    log: File,
    // Held for its lock.
    _lock: File,
}

impl Cell {
    /// Makes a jail for a Firecracker, and ends and removes what killed runs have left.
    pub fn new(jail: &Jail, program: &Path) -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Err(Error::JailIsRoots);
        }
        let name = program.file_name().unwrap_or_default().to_owned();
        let place = jail.base.join(&name);
        let owner = Owner { uid: jail.uid, gid: jail.gid };
        let make = || {
            // Root goes by paths from here on, and so does the jailer: nobody else may lead them elsewhere.
            let reached = way::open(&place, Missing::Made).map_err(io::Error::other)?;
            let place = reached.ok_or(io::ErrorKind::NotFound)?.path;
            remove_abandoned(&place, &name);
            let directory = private::temporary_directory(&place, PREFIX)?;
            let lock = open_directory(CWD, directory.path())?;
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            private::create_directory(&directory.path().join(ROOT))?;
            let root = open_directory(lock.as_fd(), Path::new(ROOT))?;
            let log = private::create_file(&directory.path().join(ROOT).join(LOG))?;
            owner.take(&log)?;
            let base = place.parent().unwrap_or(&place).to_owned();
            io::Result::Ok(Self { jail: Jail { base, ..jail.clone() }, name, directory, root, log, _lock: lock })
        };
        make().map_err(|cause| Error::Prepare { place, cause })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(ROOT).join(name)
    }

    fn owner(&self) -> Owner {
        Owner { uid: self.jail.uid, gid: self.jail.gid }
    }

    fn failed(&self, cause: io::Error) -> Error {
        Error::Prepare { place: self.directory.path().into(), cause }
    }

    /// Makes a file of the jail's user.
    fn bytes(&mut self, name: &str, bytes: &[u8], mode: u32) -> Result<String, Error> {
        let mut options = File::options();
        let made = options.write(true).create_new(true).mode(mode).open(self.path(name));
        let made = made.and_then(|mut file| file.write_all(bytes).and_then(|()| self.owner().take(&file)));
        made.map(|()| format!("/{name}")).map_err(|cause| self.failed(cause))
    }

    /// Makes a copy that is the jail's user's.
    fn copy(
        &mut self,
        name: &str,
        from: &File,
        file: &Path,
        mode: u32,
        interrupt: Interrupt<'_>,
    ) -> Result<String, Error> {
        let mut options = File::options();
        let made = options.read(true).write(true).create_new(true).mode(mode).open(self.path(name));
        let copied = made.and_then(|copy| copy::sparse(from, &copy, interrupt).and_then(|()| self.owner().take(&copy)));
        copied.map(|()| format!("/{name}")).map_err(|cause| Error::Copy {
            path: file.into(),
            place: self.jail.base.clone(),
            cause,
        })
    }
}

impl Room for Cell {
    fn to_read(&mut self, name: &str, file: &Path, interrupt: Interrupt<'_>) -> Result<String, Error> {
        let opened = File::open(file).map_err(|cause| Error::Open { path: file.into(), cause })?;
        let metadata = opened.metadata().map_err(|cause| Error::Open { path: file.into(), cause })?;
        let is_linked = self.owner().may_read_only(&metadata)
            && fs::canonicalize(file).and_then(|file| fs::hard_link(file, self.path(name))).is_ok();
        if is_linked { Ok(format!("/{name}")) } else { self.copy(name, &opened, file, 0o400, interrupt) }
    }

    fn to_write(&mut self, name: &str, file: &Path) -> Result<String, Error> {
        let open = |cause| Error::Open { path: file.into(), cause };
        let metadata = fs::metadata(file).map_err(open)?;
        if !self.owner().may_write(&metadata) {
            let (uid, gid) = (self.jail.uid, self.jail.gid);
            return Err(Error::NotTheJails { path: file.into(), uid, gid });
        }
        let linked = fs::canonicalize(file).and_then(|file| fs::hard_link(file, self.path(name)));
        linked.map(|()| format!("/{name}")).map_err(|cause| Error::Link {
            path: file.into(),
            place: self.jail.base.clone(),
            cause,
        })
    }

    fn copy_to_write(&mut self, name: &str, file: &Path, interrupt: Interrupt<'_>) -> Result<String, Error> {
        let opened = File::open(file).map_err(|cause| Error::Open { path: file.into(), cause })?;
        self.copy(name, &opened, file, 0o600, interrupt)
    }

    fn bytes_to_read(&mut self, name: &str, bytes: &[u8]) -> Result<String, Error> {
        self.bytes(name, bytes, 0o400)
    }

    fn vsock(&mut self, ports: &[u32]) -> Result<(String, Vsock), Error> {
        let vsock = Vsock::listen(self.root.as_fd(), self.jail.uid, ports);
        let owned = vsock.and_then(|vsock| {
            let owner = self.owner();
            Vsock::names(ports).try_for_each(|name| chown(self.path(&name), Some(owner.uid), Some(owner.gid)))?;
            Ok(vsock)
        });
        owned.map(|vsock| (format!("/{}", vsock::NAME), vsock)).map_err(|cause| self.failed(cause))
    }

    fn command(&self, program: &Path) -> Command {
        let id = self.directory.path().file_name().unwrap_or_default();
        let mut command = Command::new(&self.jail.jailer);
        command.arg("--id").arg(id).arg("--exec-file").arg(program);
        command.args(["--uid", &self.jail.uid.to_string(), "--gid", &self.jail.gid.to_string()]);
        command.arg("--chroot-base-dir").arg(&self.jail.base);
        if !self.jail.cgroups.is_empty() {
            command.args(["--cgroup-version", &self.jail.cgroup_version.to_string()]);
            for limit in &self.jail.cgroups {
                command.args(["--cgroup", limit]);
            }
        }
        command.args(["--", "--api-sock", SOCKET, "--log-path", LOG, "--level", "Error"]);
        command
    }

    fn inherited(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn connect(&mut self) -> io::Result<UnixStream> {
        let connected = socket::connect(self.root.as_fd(), SOCKET, self.jail.uid)?;
        rustix::fs::unlinkat(&self.root, SOCKET, AtFlags::empty())?;
        Ok(connected)
    }

    fn log(&mut self) -> String {
        let mut text = Vec::new();
        let read = self.log.rewind().and_then(|()| (&self.log).take(LONGEST_LOG).read_to_end(&mut text));
        // What cannot be read was not said.
        read.map(|_| without_times(&String::from_utf8_lossy(&text))).unwrap_or_default()
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // Firecracker has ended; what it may have started goes, too. The directory goes with its own `Drop`.
        let _ = processes::end(&self.root);
        cgroup::remove(&self.name, self.directory.path().file_name().unwrap_or_default());
    }
}

/// Ends and removes jails of ours that nobody has locked. What cannot be removed stays for the next one to try.
fn remove_abandoned(place: &Path, name: &OsStr) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let (path, id) = (entry.path(), entry.file_name());
        if !id.as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let Ok(lock) = open_directory(CWD, &path) else { continue };
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() || is_new(&lock) {
            continue;
        }
        if let Ok(root) = open_directory(lock.as_fd(), Path::new(ROOT)) {
            let _ = processes::end(&root);
        }
        cgroup::remove(name, &id);
        let _ = fs::remove_dir_all(&path);
    }
}

/// Opens a directory, and no link to one.
fn open_directory(place: impl AsFd, path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(place, path, flags, Mode::empty())?.into())
}

/// Whether a directory was made so lately that who has made it may not have locked it yet.
fn is_new(directory: &File) -> bool {
    let made = directory.metadata().and_then(|metadata| metadata.modified());
    made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age.as_secs() < 1))
}
