//! Answers the system calls of the scripts that are told: a second look, and where the kernel would refuse what the image
//! needs, a way to have it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::call::Call;
use super::made_devices::{self, root_mount};
use super::memory_files::{self, MemoryFiles};
use super::preallocation;
use super::refusals;
use super::script_lines::ScriptLines;
use super::seccomp;
use super::shared_mappings::SharedMappings;
use super::sockets::{self, Lent};
use super::worker::Pulse;
use crate::sys::CallAnswer;
use crate::tree::{Changed, Hidden};

/// The most devices that scripts make: the monitor remembers each, whatever becomes of it.
pub const MOST_DEVICES: usize = 16_384;

/// What the monitor holds the scripts' memory by.
pub struct MemoryLimit {
    /// How many bytes there may be.
    pub bytes: u64,
    /// Those that are in no process; others add them up.
    pub files: Arc<Mutex<MemoryFiles>>,
}

/// What the monitor knows of the calls of the scripts.
pub struct Supervisor {
    listener: OwnedFd,
    init: u32,
    /// The limit on memory, unless the kernel itself holds it.
    memory: Option<MemoryLimit>,
    /// Sockets that lead to the host's network.
    lent: Arc<Mutex<Lent>>,
    /// The mount that is the tree.
    tree: Option<u64>,
    /// What the disk does not show, with the devices that were made.
    pub hidden: Changed,
    made_devices: usize,
    shared: SharedMappings,
    /// The first thing that could not be done for want of ids.
    pub refused: Option<String>,
}

impl Supervisor {
    /// Listens to the children of init. New devices go to what is hidden. Memory has a limit that is held
    /// here, unless the kernel holds it.
    pub fn new(
        listener: OwnedFd,
        init: u32,
        hidden: Changed,
        memory: Option<MemoryLimit>,
        lent: Arc<Mutex<Lent>>,
    ) -> Self {
        let (tree, shared) = (root_mount(init).ok(), SharedMappings::default());
        Self { listener, init, memory, lent, tree, hidden, made_devices: 0, shared, refused: None }
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
    pub fn answer(&mut self, script: Option<&mut ScriptLines>, pulse: &Pulse) {
        // One that was taken back needs none.
        let Ok(call) = Call::receive(&self.listener) else { return };
        let answer = match call.number() {
            libc::SYS_read if script.is_some_and(|script| script.answer(&call)) => return,
            libc::SYS_read => CallAnswer::Proceed,
            libc::SYS_socket => sockets::make(&self.lent, &call).map_or_else(
                |error| CallAnswer::Error(Errno::from_io_error(&error).unwrap_or(Errno::ACCESS)),
                CallAnswer::Result,
            ),
            libc::SYS_listen => {
                self.lent.lock().unwrap_or_else(PoisonError::into_inner).listens = true;
                CallAnswer::Proceed
            }
            libc::SYS_fallocate => preallocation::allocate(&call, self.tree, pulse)
                .map_or_else(CallAnswer::Error, |()| CallAnswer::Result(0)),
            number if seccomp::ids().any(|(known, _)| known == number) => {
                if self.refused.is_none() {
                    self.refused = refusals::describe(&call);
                }
                CallAnswer::Proceed
            }
            // Memory that would be in no process.
            libc::SYS_memfd_create => self.memory.as_ref().map_or(CallAnswer::Proceed, |memory| {
                memory_files::make(&memory.files, &call).map_or_else(CallAnswer::Error, CallAnswer::Result)
            }),
            libc::SYS_mmap => match &self.memory {
                Some(memory) if !self.shared.grant(call.argument(1), self.init, memory.bytes, pulse) => {
                    CallAnswer::Error(Errno::NOMEM)
                }
                _ => CallAnswer::Proceed,
            },
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
