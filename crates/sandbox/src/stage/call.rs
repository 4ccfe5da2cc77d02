//! A system call of the scripts that waits for the monitor's answer, and the process that makes it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::Statx;
use rustix::io::{Errno, Result};

use super::open_files;
use crate::sys::{self, CallAnswer};

/// The longest path, with its end (the kernel's `PATH_MAX`).
const LONGEST_PATH: usize = 4096;

/// What memory is mapped in at least.
const PAGE: u64 = 4096;

/// A call that waits.
///
/// What the process is asked for may change as long as it lives, and so may the process behind the number; but as long as
/// the call waits, the number is that process's. It is a thread's, which may have open what its process has not.
pub struct Call<'a> {
    listener: BorrowedFd<'a>,
    notification: libc::seccomp_notif,
}

impl<'a> Call<'a> {
    /// Takes the next call.
    ///
    /// # Errors
    /// When it was taken back meanwhile, too.
    pub fn receive(listener: &'a OwnedFd) -> io::Result<Self> {
        let listener = listener.as_fd();
        Ok(Self { listener, notification: sys::receive_call(listener)? })
    }

    /// The call's number.
    pub fn number(&self) -> i64 {
        self.notification.data.nr.into()
    }

    /// An argument, from 0 on.
    pub fn argument(&self, number: u8) -> u64 {
        self.notification.data.args.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// An argument of 32 bits: a descriptor, a mode, an id. The rest of the register means nothing.
    pub fn word(&self, number: u8) -> u32 {
        self.argument(number) as u32
    }

    /// A path below the process's directory in `/proc`.
    pub fn path(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.notification.pid)
    }

    /// A field of `/proc/PID/status`.
    pub fn status(&self, field: &str) -> Option<String> {
        let status = std::fs::read_to_string(self.path("status")).ok()?;
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(value.trim().to_owned())
    }

    /// What is open under a number for who makes the call.
    pub fn look(&self, descriptor: u32) -> Result<Statx> {
        self.while_waiting(open_files::look(self.notification.pid, descriptor)?)
    }

    /// A directory that is open under a number.
    pub fn directory(&self, descriptor: u32) -> Result<OwnedFd> {
        self.while_waiting(open_files::directory(self.notification.pid, descriptor)?)
    }

    /// The file itself that is open under a number: to be looked at before.
    pub fn take(&self, descriptor: u32) -> Result<OwnedFd> {
        self.while_waiting(open_files::take(self.notification.pid, descriptor)?)
    }

    /// The text that an argument points to, without the NUL that ends it.
    pub fn text(&self, argument: u8) -> io::Result<Vec<u8>> {
        let memory = self.memory(File::options().read(true))?;
        let mut address = self.argument(argument);
        let mut text = Vec::new();
        while text.len() < LONGEST_PATH {
            let mut page = vec![0; usize::try_from(PAGE - address % PAGE).map_err(io::Error::other)?];
            memory.read_exact_at(&mut page, address)?;
            if let Some(end) = page.iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&page[..end]);
                return Ok(text);
            }
            address += page.len() as u64;
            text.append(&mut page);
        }
        Err(io::ErrorKind::InvalidFilename.into())
    }

    /// Writes to where an argument points.
    pub fn write(&self, argument: u8, bytes: &[u8]) -> io::Result<()> {
        self.memory(File::options().write(true))?.write_all_at(bytes, self.argument(argument))
    }

    /// Opens a file of the monitor's in the process, under the lowest number that is free there.
    pub fn give(&self, file: &OwnedFd, close_on_exec: bool) -> io::Result<i64> {
        sys::add_file(self.listener, self.notification.id, file.as_fd(), close_on_exec)
    }

    /// Answers. An error tells that the call does not wait any more.
    pub fn answer(&self, answer: CallAnswer) -> io::Result<()> {
        sys::answer_call(self.listener, self.notification.id, answer)
    }

    /// The memory of the process, and of no other: what is open stays its.
    fn memory(&self, options: &mut std::fs::OpenOptions) -> io::Result<File> {
        let memory = options.open(self.path("mem"))?;
        Ok(self.while_waiting(memory)?)
    }

    /// What was found by the number of who makes the call, which is another's once the call does not wait any more.
    fn while_waiting<T>(&self, found: T) -> Result<T> {
        if self.waits() { Ok(found) } else { Err(Errno::SRCH) }
    }

    /// Fails once the call does not wait any more.
    pub fn still_waits(&self) -> Result<()> {
        self.while_waiting(())
    }

    fn waits(&self) -> bool {
        sys::is_waiting(self.listener, self.notification.id)
    }
}
