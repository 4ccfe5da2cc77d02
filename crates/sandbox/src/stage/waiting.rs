//! What waits in the pipes and sockets that the scripts' processes have open.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::memory;
use super::open_files;
use super::tasks::{Distinct, Process};
use super::uncounted::most_in_a_pipe;
use super::worker::Pulse;
use crate::sys::{self, Common};

/// What may wait in a socket, in bytes: more than four times what a kernel gives it at first.
pub const IN_A_SOCKET: u64 = 1 << 20;

/// What the kernel keeps for a pipe in which nothing waits: two pages for the next bytes, its table, its inode.
const EMPTY_PIPE: u64 = 12 << 10;

/// What is open.
#[derive(Default)]
pub struct Open {
    /// What waits in pipes, in bytes.
    pub pipes: u64,
    /// Sockets by their inodes, with what waits in them as far as it was not known before.
    pub sockets: BTreeMap<u64, u64>,
    /// Files that wait in sockets.
    pub files: u64,
    /// Whether there are processes that nobody may look at.
    pub is_partial: bool,
}

impl Open {
    /// Looks at all that these processes have open, each file once, up to where more than a limit waits in pipes. What waits in
    /// the sockets with the known inodes is not asked for.
    pub fn by(processes: &[Process], known: &BTreeSet<u64>, limit: u64, pulse: &Pulse) -> Self {
        let (mut open, mut tables, mut seen) = (Self::default(), Distinct::new(Common::OpenFiles), BTreeSet::new());
        for process in processes {
            for thread in process.tables(&mut tables) {
                let entries = match std::fs::read_dir(format!("/proc/{thread}/fd")) {
                    // Whose program a script may not read itself, nobody may look at but the machine's root.
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                        let most = memory::open_files(thread).saturating_mul(most_in_a_pipe());
                        open.pipes = open.pipes.saturating_add(most);
                        open.is_partial = true;
                        continue;
                    }
                    entries => entries.into_iter().flatten().flatten(),
                };
                for entry in entries {
                    pulse.beat();
                    let Some(descriptor) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                        continue;
                    };
                    let Ok(file) = open_files::look(thread, descriptor) else { continue };
                    let kind = FileType::from_raw_mode(file.stx_mode.into());
                    let may_hold = matches!(kind, FileType::Fifo | FileType::Socket);
                    if may_hold && seen.insert((file.stx_dev_major, file.stx_dev_minor, file.stx_ino)) {
                        open.add(thread, descriptor, kind, file.stx_ino, known);
                    }
                    if open.pipes > limit {
                        return open;
                    }
                }
            }
        }
        open
    }

    fn add(&mut self, thread: u32, descriptor: u32, kind: FileType, inode: u64, known: &BTreeSet<u64>) {
        if kind == FileType::Fifo {
            let bytes = measure(thread, descriptor, |pipe| {
                // A page may have one byte in it.
                let is_empty = rustix::io::ioctl_fionread(pipe) == Ok(0);
                let size = || rustix::pipe::fcntl_getpipe_size(pipe).map_or(0, |size| size as u64);
                if is_empty { EMPTY_PIPE } else { size().saturating_add(EMPTY_PIPE) }
            });
            self.pipes = self.pipes.saturating_add(bytes.unwrap_or_else(most_in_a_pipe));
            return;
        }
        let bytes = if known.contains(&inode) { Some(0) } else { measure(thread, descriptor, sys::socket_memory) };
        self.sockets.insert(inode, bytes.unwrap_or(IN_A_SOCKET));
        let told = std::fs::read_to_string(format!("/proc/{thread}/fdinfo/{descriptor}")).unwrap_or_default();
        let files = told.lines().find_map(|line| line.strip_prefix("scm_fds:")?.trim().parse().ok());
        self.files = self.files.saturating_add(files.unwrap_or(0));
    }
}

/// Takes a file and measures it; 0 when it is not open any more, and `None` when it cannot be taken.
fn measure(thread: u32, descriptor: u32, bytes: impl FnOnce(&OwnedFd) -> u64) -> Option<u64> {
    match open_files::take(thread, descriptor) {
        Ok(file) => Some(bytes(&file)),
        Err(Errno::BADF | Errno::SRCH) => Some(0),
        Err(_) => None,
    }
}
