//! Where Firecracker runs, and how it gets at files: by what is open, or by names in a jail.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::own::Removal;
use super::vsock::Vsock;
use crate::disk::Disk;
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::machine::Machine;
use crate::process::Process;

/// Where Firecracker runs.
pub trait Room {
    /// Lets it read a file, and says under which name. May have to copy it.
    fn to_read(&mut self, name: &str, disk: &Disk, interrupt: Interrupt<'_>) -> Result<String, Error>;

    /// Lets it read and write a file.
    fn to_write(&mut self, name: &str, disk: &Disk) -> Result<String, Error>;

    /// Lets it read and write a copy, which goes when it ends.
    fn copy_to_write(&mut self, name: &str, disk: &Disk, interrupt: Interrupt<'_>) -> Result<String, Error>;

    /// Lets it read these bytes.
    fn bytes_to_read(&mut self, name: &str, bytes: &[u8]) -> Result<String, Error>;

    /// Listens on ports of the host for its guest's vsock, and says under which name Firecracker has that.
    fn vsock(&mut self, ports: &[u32]) -> Result<(String, Vsock), Error>;

    /// Starts it, for a machine that it has been given all files of.
    fn start(&self, program: &Path, machine: &Machine) -> io::Result<Process>;

    /// Connects to its API.
    fn connect(&mut self) -> io::Result<UnixStream>;

    /// What it has logged: its errors. It also warns, of nothing that a user could change.
    fn log(&mut self) -> String;

    /// What these words mean that were said before Firecracker ran; `None` when they are Firecracker's own.
    fn refusal(&self, _said: &str) -> Option<Error> {
        None
    }

    /// What removes it once Firecracker has ended, for when it cannot be dropped.
    fn removal(&self) -> io::Result<Removal>;

    /// What there is to know of how it was made.
    fn notes(&self) -> Vec<String>;
}

/// The log's lines without what stands before each: the time and the thread's name.
pub fn without_times(log: &str) -> String {
    let text = |line: &str| match line.split_once("] ") {
        Some((_, text)) => text.to_owned(),
        None => line.to_owned(),
    };
    log.lines().map(text).collect::<Vec<_>>().join("\n")
}
