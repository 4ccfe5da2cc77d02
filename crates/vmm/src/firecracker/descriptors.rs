//! Firecracker beside us, which gets at files by what it has open.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use nex_file::private::memory_file;
use rustix::fs::AtFlags;

use super::copy;
use super::directory::Directory;
use super::own::Removal;
use super::room::{Room, without_times};
use super::socket;
use super::vsock::{self, Vsock};
use crate::disk::{Disk, inherited_name as name};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::machine::Machine;
use crate::process::Process;

/// The socket's name in our directory.
const SOCKET: &str = "api";
/// The most that is read of its log, in bytes.
const LOG: u64 = 64 << 10;

/// Files that are open for Firecracker.
pub struct Descriptors {
    directory: Option<Directory>,
    /// The directory has sockets whose names are needed as long as the guest runs.
    has_vsock: bool,
    disks: Vec<Disk>,
    log: File,
}

impl Descriptors {
    /// Nothing but a place for the socket and one for the log, which is in memory.
    pub fn new() -> Result<Self, Error> {
        let prepare = || Ok::<_, io::Error>((Directory::new()?, memory_file(c"nex-firecracker-log")?));
        let (directory, log) = prepare().map_err(|cause| Error::Prepare { place: std::env::temp_dir(), cause })?;
        Ok(Self { directory: Some(directory), has_vsock: false, disks: Vec::new(), log })
    }

    fn hand_over(&mut self, disk: Disk) -> String {
        let name = disk.inherited_name();
        self.disks.push(disk);
        name
    }
}

impl Room for Descriptors {
    fn to_read(&mut self, _: &str, disk: &Disk, _: Interrupt<'_>) -> Result<String, Error> {
        Ok(self.hand_over(disk.clone()))
    }

    fn to_write(&mut self, _: &str, disk: &Disk) -> Result<String, Error> {
        Ok(self.hand_over(disk.clone()))
    }

    fn copy_to_write(&mut self, _: &str, disk: &Disk, interrupt: Interrupt<'_>) -> Result<String, Error> {
        let copy = copy::unnamed(disk, interrupt)?;
        Ok(self.hand_over(Disk::of(disk.path(), copy)))
    }

    fn bytes_to_read(&mut self, _: &str, bytes: &[u8]) -> Result<String, Error> {
        let filled = memory_file(c"nex-kernel").and_then(|mut file| file.write_all(bytes).map(|()| file));
        let filled = filled.map_err(|cause| Error::Prepare { place: "memory".into(), cause })?;
        Ok(self.hand_over(Disk::of("memory", filled)))
    }

    fn vsock(&mut self, ports: &[u32]) -> Result<(String, Vsock), Error> {
        let failed = |cause| Error::Prepare { place: std::env::temp_dir(), cause };
        let directory = self.directory.as_ref().ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        let vsock = Vsock::listen(directory.handle(), user(), ports).map_err(failed)?;
        self.has_vsock = true;
        Ok((format!("{}/{}", name(directory.handle()), vsock::NAME), vsock))
    }

    fn start(&self, program: &Path, _: &Machine) -> io::Result<Process> {
        let mut command = Command::new(program);
        // By the directory's descriptor: a socket's name has 107 bytes at most, and that of TMPDIR may be longer.
        let socket = self.directory.as_ref().map(|directory| format!("{}/{SOCKET}", name(directory.handle())));
        command.arg("--api-sock").arg(socket.unwrap_or_default());
        command.args(["--log-path", &name(&self.log), "--level", "Error"]);
        let directory = self.directory.iter().map(Directory::handle);
        let open = directory.chain(self.disks.iter().map(|disk| disk.file().as_fd())).chain([self.log.as_fd()]);
        Process::start(command, &open.collect::<Vec<_>>())
    }

    fn connect(&mut self) -> io::Result<UnixStream> {
        let Some(directory) = &self.directory else { return Err(io::ErrorKind::NotFound.into()) };
        let connected = socket::connect(directory.handle(), SOCKET, user())?;
        // Nobody else shall connect, and nothing is to be left behind.
        if self.has_vsock {
            rustix::fs::unlinkat(directory.handle(), SOCKET, AtFlags::empty())?;
        } else {
            self.directory = None;
        }
        self.disks.clear();
        Ok(connected)
    }

    fn log(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self.log.rewind().and_then(|()| (&self.log).take(LOG).read_to_end(&mut bytes));
        // What cannot be read was not said.
        read.map(|_| without_times(&String::from_utf8_lossy(&bytes))).unwrap_or_default()
    }

    fn removal(&self) -> io::Result<Removal> {
        self.directory.as_ref().map_or_else(|| Ok(Box::new(|| None) as Removal), Directory::removal)
    }

    fn notes(&self) -> Vec<String> {
        self.directory.iter().flat_map(Directory::notes).cloned().collect()
    }
}

/// Who runs it: we.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}
