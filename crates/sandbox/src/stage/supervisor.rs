//! Answers the system calls of the scripts that are told: a second look, and where the kernel would refuse what the image
//! needs, a way to have it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::call::Call;
use super::made_devices::{self, root_mount};
use super::memory::SharedMappings;
use super::memory_files::MemoryFiles;
use super::refusals;
use super::script_lines::ScriptLines;
use super::seccomp;
use super::sockets;
use crate::sys::CallAnswer;
use crate::tree::{Changed, Hidden};

/// The most devices that scripts make: the keeper remembers each, whatever becomes of it.
pub const MOST_DEVICES: usize = 16_384;

/// What the keeper knows of the calls of the scripts.
pub struct Supervisor<'a> {
    listener: OwnedFd,
    init: u32,
    /// The limit on memory, unless the kernel itself holds it.
    memory: Option<u64>,
    /// The mount that is the tree, for new devices.
    tree: Option<u64>,
    hidden: &'a mut Changed,
    made_devices: usize,
    memory_files: MemoryFiles,
    shared: SharedMappings,
    /// The first thing that could not be done for want of ids.
    pub refused: Option<String>,
}

impl<'a> Supervisor<'a> {
    /// Listens to the children of init. New devices go to what is hidden. Memory has a limit that is held
    /// here, unless the kernel holds it.
    pub fn new(listener: OwnedFd, init: u32, hidden: &'a mut Changed, memory: Option<u64>) -> Self {
        let (memory_files, shared) = (MemoryFiles::default(), SharedMappings::default());
        Self {
            listener,
            init,
            memory,
            tree: root_mount(init).ok(),
            hidden,
            made_devices: 0,
            memory_files,
            shared,
            refused: None,
        }
    }

    /// The memory of files that no process need have mapped, in bytes.
    pub fn memory_files(&mut self) -> u64 {
        self.memory_files.bytes()
    }

    /// Whether more devices were asked for than there may be.
    pub fn has_too_many_devices(&self) -> bool {
        self.made_devices > MOST_DEVICES
    }

    /// The file that becomes ready when a call waits.
    pub fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Answers the call that waits.
    pub fn answer(&mut self, script: Option<&mut ScriptLines>) {
        // One that was taken back needs none.
        let Ok(call) = Call::receive(&self.listener) else { return };
        let answer = match call.number() {
            libc::SYS_read if script.is_some_and(|script| script.answer(&call)) => return,
            libc::SYS_read => CallAnswer::Proceed,
            libc::SYS_socket => sockets::make(&call).map_or_else(
                |error| CallAnswer::Error(Errno::from_io_error(&error).unwrap_or(Errno::ACCESS)),
                CallAnswer::Result,
            ),
            number if seccomp::ids().any(|(known, _)| known == number) => {
                if self.refused.is_none() {
                    self.refused = refusals::describe(&call);
                }
                CallAnswer::Proceed
            }
            // Memory that would be in no process.
            libc::SYS_memfd_create if self.memory.is_some() => {
                self.memory_files.make(&call).map_or_else(CallAnswer::Error, CallAnswer::Result)
            }
            libc::SYS_mmap
                if self.memory.is_some_and(|limit| !self.shared.grant(call.argument(1), self.init, limit)) =>
            {
                CallAnswer::Error(Errno::NOMEM)
            }
            libc::SYS_memfd_create | libc::SYS_mmap => CallAnswer::Proceed,
            _ if self.made_devices > MOST_DEVICES => CallAnswer::Error(Errno::NOSPC),
            _ => match self.tree.map_or(Ok(None), |tree| made_devices::make(&call, tree)) {
                Ok(Some((identity, kind))) => {
                    self.made_devices += 1;
                    self.hidden.insert(identity, Hidden { device: Some(kind), ..Hidden::default() });
                    CallAnswer::Result(0)
                }
                Ok(None) => CallAnswer::Proceed,
                Err(errno) => CallAnswer::Error(errno),
            },
        };
        call.answer(answer).ok();
    }
}
