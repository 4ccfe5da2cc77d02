//! A system call of the scripts that waits for the keeper's answer, and the process that makes it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

use crate::sys::{self, CallAnswer};

/// The longest path, with its end (the kernel's `PATH_MAX`).
const LONGEST_PATH: usize = 4096;

/// What memory is mapped in at least.
const PAGE: u64 = 4096;

/// A call that waits.
///
/// What the process is asked for may change as long as it lives, and so may the process behind the number; but as long as
/// the call waits, the number is that process's.
pub struct Call<'a> {
    listener: BorrowedFd<'a>,
    told: libc::seccomp_notif,
}

impl<'a> Call<'a> {
    /// Takes the next call.
    ///
    /// # Errors
    /// When it was taken back meanwhile, too.
    pub fn receive(listener: &'a OwnedFd) -> io::Result<Self> {
        let listener = listener.as_fd();
        Ok(Self { listener, told: sys::receive_call(listener)? })
    }

    /// The call's number.
    pub fn number(&self) -> i64 {
        self.told.data.nr.into()
    }

    /// An argument, from 0 on.
    pub fn argument(&self, number: u8) -> u64 {
        self.told.data.args.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// An argument of 32 bits: a descriptor, a mode, an id. The rest of the register means nothing.
    pub fn word(&self, number: u8) -> u32 {
        self.argument(number) as u32
    }

    /// A path below the process's directory in `/proc`.
    pub fn path(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.told.pid)
    }

    /// A field of `/proc/PID/status`.
    pub fn status(&self, field: &str) -> Option<String> {
        let status = std::fs::read_to_string(self.path("status")).ok()?;
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
        Some(value.trim().to_owned())
    }

    /// A file that the process has open: the same open file, position and all.
    pub fn file(&self, descriptor: u32) -> io::Result<OwnedFd> {
        let pid = i32::try_from(self.told.pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
        let descriptor = i32::try_from(descriptor).map_err(|_| Errno::BADF)?;
        let process = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        let file = rustix::process::pidfd_getfd(process, descriptor, PidfdGetfdFlags::empty())?;
        self.waits().then_some(file).ok_or_else(|| io::ErrorKind::NotFound.into())
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

    /// Opens a file of the keeper's in the process, under the lowest number that is free there.
    pub fn give(&self, file: &OwnedFd, close_on_exec: bool) -> io::Result<i64> {
        sys::add_file(self.listener, self.told.id, file.as_fd(), close_on_exec)
    }

    /// Answers. An error tells that the call does not wait any more.
    pub fn answer(&self, answer: CallAnswer) -> io::Result<()> {
        sys::answer_call(self.listener, self.told.id, answer)
    }

    /// The memory of the process, and of no other: what is open stays its.
    fn memory(&self, options: &mut std::fs::OpenOptions) -> io::Result<File> {
        let memory = options.open(self.path("mem"))?;
        self.waits().then_some(memory).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn waits(&self) -> bool {
        sys::is_waiting(self.listener, self.told.id)
    }
}
