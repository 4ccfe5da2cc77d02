//! Answers the system calls of the scripts that are told: a second look, and where the kernel would refuse what the image
//! needs, a way to have it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::call::Call;
use super::made_devices::{self, root_mount};
use super::refusals;
use super::script_lines::ScriptLines;
use super::seccomp;
use super::sockets;
use crate::sys::CallAnswer;
use crate::tree::{Changed, Hidden};

/// What the keeper knows of the calls of the scripts.
pub struct Supervisor<'a> {
    listener: OwnedFd,
    /// The mount that is the tree, for new devices.
    tree: Option<u64>,
    hidden: &'a mut Changed,
    /// The first thing that could not be done for want of ids.
    pub refused: Option<String>,
}

impl<'a> Supervisor<'a> {
    /// Listens to the children of init. New devices go to what is hidden.
    pub fn new(listener: OwnedFd, init: u32, hidden: &'a mut Changed) -> Self {
        Self { listener, tree: root_mount(init).ok(), hidden, refused: None }
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
            _ => match self.tree.map_or(Ok(None), |tree| made_devices::make(&call, tree)) {
                Ok(Some((identity, kind))) => {
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
