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
//! us: so the jailer and all that comes of it are in a pid namespace of their own, whose init ends with us. A jail that nobody has
//! locked any more has no processes, and is removed by the next one who makes a jail.
//!
//! Once the jailer has given the jail's root to its user, a Firecracker that its guest has taken over may put anything there
//! under any name. From then on root opens nothing there by name but the API's socket, and that without following it: the log is read
//! by the descriptor that it was made with.

mod cgroup;
mod owner;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_file::private;
use nex_file::way::{self, Missing};
use owner::Owner;
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};

use super::copy;
use super::own::{Own, Removal, abandoned};
use super::room::{Room, without_times};
use super::socket;
use super::vsock::{self, Vsock};
use crate::disk::{Disk, inherited_name};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::machine::Machine;
use crate::process::Process;

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

    /// Refuses users and groups that would be no jail's.
    pub(super) fn check(&self) -> Result<(), Error> {
        /// No file and no process can have it: it says that an id stays as it is.
        const UNCHANGED: u32 = u32::MAX;
        let (uid, gid) = (self.uid, self.gid);
        let refused = |why| Err(Error::NotForJails { uid, gid, why });
        match (uid, gid) {
            (0, _) => refused("user 0 is root, who owns the machine's files and gets out of every root directory"),
            (_, 0) => refused("group 0 is root's, and has files of the machine for its own"),
            (UNCHANGED, _) | (_, UNCHANGED) => refused("4294967295 is nobody's id, and leaves root's where it is"),
            _ => Ok(()),
        }
    }
}

/// A jail that is being made, or in which Firecracker runs; dropped, it goes.
pub struct Cell {
    jail: Jail,
    /// What the jailer calls Firecracker: the name of its file.
    name: OsString,
    own: Own,
    /// The jail's root directory, open.
    root: File,
    /// The log, open since it was made.
    log: File,
    /// The most bytes that it may write to one of its files by what it was given.
    largest: u64,
    /// What there is to know of jails that were there before.
    notes: Vec<String>,
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
        // Root goes by paths from here on, and so does the jailer: nobody else may lead them elsewhere.
        let reached = way::open(&place, Missing::Made).map_err(|cause| Error::Way { place: place.clone(), cause })?;
        let make = || {
            let place = reached.ok_or(io::ErrorKind::NotFound)?.path;
            let notes = remove_abandoned(&place, &name);
            let directory = private::temporary_directory(&place, PREFIX)?;
            let lock = open_directory(CWD, directory.path())?;
            rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
            private::create_directory(&directory.path().join(ROOT))?;
            let root = open_directory(lock.as_fd(), Path::new(ROOT))?;
            let log = private::create_file(&directory.path().join(ROOT).join(LOG))?;
            owner.take(&log)?;
            let base = place.parent().unwrap_or(&place).to_owned();
            let (jail, own) = (Jail { base, ..jail.clone() }, Own::new(directory.keep(), lock));
            io::Result::Ok(Self { jail, name, own, root, log, largest: 0, notes })
        };
        make().map_err(|cause| Error::Prepare { place, cause })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.own.path().join(ROOT).join(name)
    }

    /// The largest file that a Firecracker needs which does what it was asked for, in bytes.
    ///
    /// A guest's memory is in no file. One is allowed to be as large, so that a release that has it in one runs, too.
    fn largest_file(&self, machine: &Machine) -> u64 {
        self.largest.max(u64::from(machine.memory_mib) << 20).max(LONGEST_LOG)
    }

    fn owner(&self) -> Owner {
        Owner { uid: self.jail.uid, gid: self.jail.gid }
    }

    fn failed(&self, cause: io::Error) -> Error {
        Error::Prepare { place: self.own.path().into(), cause }
    }

    /// Makes a file, fills it, and gives it to the jail's user with a mode that no umask has a say in.
    fn make(&self, name: &str, mode: u32, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<String> {
        let file = private::create_file(&self.path(name))?;
        fill(&file)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        self.owner().take(&file)?;
        Ok(format!("/{name}"))
    }

    /// Makes a copy that is the jail's user's.
    fn copy(&self, name: &str, disk: &Disk, mode: u32, interrupt: Interrupt<'_>) -> Result<String, Error> {
        let copied = self.make(name, mode, |copy| copy::sparse(disk.file(), copy, interrupt));
        copied.map_err(|cause| Error::Copy { path: disk.path().into(), place: self.jail.base.clone(), cause })
    }

    /// Gives what is open another name, in the jail. What has no name any more gets none.
    fn link(&self, name: &str, file: &File) -> io::Result<String> {
        rustix::fs::linkat(CWD, inherited_name(file), &self.root, name, AtFlags::SYMLINK_FOLLOW)?;
        Ok(format!("/{name}"))
    }
}

impl Room for Cell {
    fn to_read(&mut self, name: &str, disk: &Disk, interrupt: Interrupt<'_>) -> Result<String, Error> {
        let open = |cause| Error::Open { path: disk.path().into(), cause };
        let linked = match self.owner().may_read_only(disk.file()).map_err(open)? {
            true => self.link(name, disk.file()).ok(),
            false => None,
        };
        linked.map_or_else(|| self.copy(name, disk, 0o400, interrupt), Ok)
    }

    fn to_write(&mut self, name: &str, disk: &Disk) -> Result<String, Error> {
        let path = || disk.path().to_path_buf();
        let metadata = disk.file().metadata().map_err(|cause| Error::Open { path: path(), cause })?;
        if !self.owner().may_write(&metadata) {
            let (uid, gid) = (self.jail.uid, self.jail.gid);
            return Err(Error::NotTheJails { path: path(), uid, gid });
        }
        self.largest = self.largest.max(metadata.len());
        let linked = self.link(name, disk.file());
        linked.map_err(|cause| Error::Link { path: path(), place: self.jail.base.clone(), cause })
    }

    fn copy_to_write(&mut self, name: &str, disk: &Disk, interrupt: Interrupt<'_>) -> Result<String, Error> {
        let length = nex_file::length(disk.file());
        let length = length.map_err(|cause| Error::Open { path: disk.path().into(), cause })?;
        self.largest = self.largest.max(length);
        self.copy(name, disk, 0o600, interrupt)
    }

    fn bytes_to_read(&mut self, name: &str, bytes: &[u8]) -> Result<String, Error> {
        let made = self.make(name, 0o400, |mut file| file.write_all(bytes));
        made.map_err(|cause| self.failed(cause))
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

    fn start(&self, program: &Path, machine: &Machine) -> io::Result<Process> {
        let id = self.own.path().file_name().unwrap_or_default();
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
        command.args(["--resource-limit", &format!("fsize={}", self.largest_file(machine))]);
        command.args(["--", "--api-sock", SOCKET, "--log-path", LOG, "--level", "Error"]);
        Process::start_held(command)
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

    fn refusal(&self, said: &str) -> Option<Error> {
        /// It panics with what it has to say.
        const SPEAKER: &str = "Jailer error: ";
        let words = said.lines().find_map(|line| line.trim().strip_prefix(SPEAKER))?;
        let is_limit = !self.jail.cgroups.is_empty() && words.contains("cgroup");
        Some(Error::Jailer { said: nex_text::excerpt(words), limit_of: is_limit.then_some(self.jail.cgroup_version) })
    }

    fn removal(&self) -> io::Result<Removal> {
        let (own, name) = (self.own.again()?, self.name.clone());
        Ok(Box::new(move || remove(&own, &name)))
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // The next one finds what stays, and says so.
        drop(remove(&self.own, &self.name));
    }
}

/// Removes a jail in which nothing runs any more, and says what stays.
fn remove(own: &Own, name: &OsStr) -> Option<String> {
    cgroup::remove(name, own.path().file_name().unwrap_or_default());
    own.remove_noting()
}

/// Removes jails of ours that nobody has locked, and says what stays of them.
fn remove_abandoned(place: &Path, name: &OsStr) -> Vec<String> {
    abandoned(place, PREFIX).filter_map(|own| remove(&own, name)).collect()
}

/// Opens a directory, and no link to one.
fn open_directory(place: impl AsFd, path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(place, path, flags, Mode::empty())?.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use nex_fault::Fault;
    use nex_testkit::Result;
    use tempfile::TempDir;

    use super::*;
    use crate::access::Access;

    const USER: u32 = 61_000;

    /// A cell that no jailer has seen yet, and a file beside it that everybody may read; `None` where we are not root.
    fn cell() -> Result<Option<(Cell, TempDir, PathBuf)>> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("LEFT OUT: only root has jails");
            return Ok(None);
        }
        let directory = tempfile::tempdir()?;
        let mut jail = Jail::new("/bin/false".into(), USER, USER);
        jail.base = directory.path().join("jails");
        let file = directory.path().join("image");
        fs::write(&file, b"checked")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
        Ok(Some((Cell::new(&jail, Path::new("/bin/firecracker"))?, directory, file)))
    }

    /// Puts another file under the name.
    fn replace(file: &Path) -> io::Result<()> {
        let other = file.with_extension("other");
        fs::write(&other, b"another")?;
        fs::set_permissions(&other, fs::Permissions::from_mode(0o644))?;
        chown(&other, Some(USER), Some(USER))?;
        fs::rename(other, file)
    }

    #[test]
    fn what_the_jailer_says_is_told_without_its_panic() -> Result<()> {
        let Some((mut cell, ..)) = cell()? else { return Ok(()) };
        let said = "\nthread 'main' panicked at src/jailer/src/main.rs:355:27:\n\
                    Jailer error: Failed to read file /sys/fs/cgroup/memory/firecracker/memory.max into a string: No such file\n\
                    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        for (limits, version, remedy) in [
            (vec![], 1, None),
            (vec!["memory.max=1G"], 1, Some("memory.limit_in_bytes")),
            (vec!["x.y=1"], 2, Some("memory.max,")),
        ] {
            cell.jail.cgroups = limits.into_iter().map(str::to_owned).collect();
            cell.jail.cgroup_version = version;
            let error = cell.refusal(said).expect("it is the jailer's");
            let fact = "Firecracker's jailer makes no jail: Failed to read file /sys/fs/cgroup/memory/firecracker/memory.max into a string: \
                        No such file";
            assert_eq!(error.to_string(), fact);
            let words = error.remedy().map(|remedy| remedy.words(nex_fault::Setting::flag)).unwrap_or_default();
            assert!(remedy.map_or(words.is_empty(), |remedy| words.contains(remedy)), "{words}");
        }
        assert!(cell.refusal("Firecracker's own words").is_none());
        Ok(())
    }

    #[test]
    fn a_jail_has_the_file_that_was_opened() -> Result<()> {
        let Some((mut cell, _directory, file)) = cell()? else { return Ok(()) };
        let disk = Disk::open(&file, Access::ReadOnly)?;
        cell.to_read("linked", &disk, Interrupt::never())?;
        assert_eq!(fs::metadata(cell.path("linked"))?.ino(), disk.file().metadata()?.ino());
        fs::remove_file(cell.path("linked"))?;

        // By then another file has its name, as the control shows: what was opened has none, and is copied.
        replace(&file)?;
        cell.to_read("read", &disk, Interrupt::never())?;
        cell.copy_to_write("copied", &disk, Interrupt::never())?;
        cell.to_read("control", &Disk::open(&file, Access::ReadOnly)?, Interrupt::never())?;
        let said = ["read", "copied", "control"].map(|name| fs::read_to_string(cell.path(name)).unwrap_or_default());
        assert_eq!(said, ["checked", "checked", "another"]);
        Ok(())
    }

    #[test]
    fn a_jail_is_refused_a_file_to_write_that_has_lost_its_name() -> Result<()> {
        let Some((mut cell, _directory, file)) = cell()? else { return Ok(()) };
        chown(&file, Some(USER), Some(USER))?;
        let disk = Disk::open(&file, Access::Write)?;
        cell.to_write("control", &disk)?;
        assert_eq!(fs::metadata(cell.path("control"))?.ino(), disk.file().metadata()?.ino());
        fs::remove_file(cell.path("control"))?;
        replace(&file)?;
        assert!(matches!(cell.to_write("written", &disk), Err(Error::Link { .. })));
        assert!(!cell.path("written").exists());
        Ok(())
    }
}
