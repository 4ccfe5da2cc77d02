//! Runs setup scripts against a tree as its root user, without privileges, and gives back what they changed.
//!
//! Three processes work on a run, each one inside what the one before it has made:
//!
//! ```text
//! caller ──> monitor: user namespace with subordinate ids; lays the tree out, compares it before and after
//!              └──> init: pid, mount, ipc, uts, cgroup (net) namespaces; the tree is its root
//!                     └──> the script: a second user namespace, few capabilities, a seccomp filter
//! ```
//!
//! The monitor is told of some system calls of the scripts before they are made, and answers them: it hands shells their
//! script line by line, makes the devices that no user namespace can make, and the sockets that lead to the host's network.
//! It does that on threads of their own, which scripts may hold up; the limits are held by one that they cannot.
//!
//! Each dies with the one above it, whatever kills that; and when init dies, the kernel kills everything in its pid
//! namespace. The tree comes in as [`Node`]s and goes out as [`Change`]s. There is no overlay: a run compares what the
//! tree was with what it is, by inode and change time (`docs/decisions/no-overlay-in-the-sandbox.md`).
//!
//! The inner processes are roles of the program that uses this crate ([`nex_process::Role`]): its `main` calls [`run_monitor`] and
//! [`run_init`] for them. A run does not end with the thread that started it, but with its [`Sandbox`], [`Laying`] or [`Changes`].

mod abandoned;
pub mod codes;
mod error;
mod failure;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod ids;
mod incoming;
mod keep;
mod memory_group;
mod monitor_process;
mod node;
mod options;
mod output;
mod protocol;
mod resolver;
mod sandbox;
mod stage;
mod sys;
mod terminal;
mod tree;
mod uplink;
mod wire;
mod work_dir;

pub use abandoned::{Abandoned, remove_abandoned};
pub use error::Error;
pub use ids::only_one_id;
pub use node::{Change, Kind, Node, Piece, Xattr};
pub use options::{Limits, MemoryBound, Mount, Network, Options, Script, Secret, World};
pub use resolver::without_lent;
pub use sandbox::{Changes, Laying, Sandbox};
pub use stage::{run_init, run_monitor};
pub use uplink::{AbstractSockets, abstract_sockets};
pub use work_dir::default_work_dir;
