//! Whether a program can run in a root filesystem, found out without running it.
//!
//! A root filesystem is looked at through a [`View`](nex_inspect::View): a tree in memory, or a file. A program's file says what kind of
//! processor it is for and what it needs ([`Program`]: [`Elf`] or [`Script`]); [`missing`] does a loader's work and tells what of that the
//! root filesystem lacks.
//!
//! [`ResolvConf`] is what a root filesystem says about its name servers, and [`SshServer`] finds the keys of SSH servers.
//! [`Speech`] is how an agent speaks to the host.

pub mod codes;

mod elf;
mod libc;
mod library;
mod mark;
mod missing;
mod needs;
mod process_one;
mod processor;
mod program;
mod resolv_conf;
mod script;
mod search;
mod ssh_keys;

pub use elf::{Broken, Elf, Version};
pub use libc::Libc;
pub use library::ReadError;
pub use mark::Speech;
pub use missing::Missing;
pub use needs::missing;
pub use process_one::wants_process_one;
pub use processor::Processor;
pub use program::{Linkage, NotAProgram, Program};
pub use resolv_conf::{KERNEL_RESOLV_CONF, RESOLV_CONF, ResolvConf, has_resolved, is_dead_server, name_servers};
pub use script::{BadScript, LONGEST_LINE, Script};
pub use ssh_keys::SshServer;
