//! Processes that nex starts, and what they end with.
//!
//! * A [`Role`] is a part of nex that runs as a process of its own: nex executes itself again under another name. All such names
//!   stand in one place, and the program's `main` looks at them first of all.
//! * A [`Parent`] is the thread from which a child is started that must not outlive its owner.
//!
//! Both rest on the end of a child being there to be asked for, which [`heed_child_signal`] sees to. What the
//! caller of nex had open is not for them ([`keep_from_children`]).
//!
//! # The rule of threads
//!
//! The kernel sends the signal of `PR_SET_PDEATHSIG` when the *thread* ends that has started the child, not when its process does
//! (prctl(2), `PR_SET_PDEATHSIG`). So a guest that a thread of a pool starts would die as soon as the pool lets that thread go,
//! and that the process has other threads would not help. Therefore: **code that gives a child that signal starts it by a
//! [`Parent`], and keeps the `Parent` beside the child**. The child then ends with its owner, be that dropped or killed, and
//! with no other thread.

mod child_signal;
mod descriptors;
mod ignored;
mod parent;
mod role;

pub use child_signal::{heed_child_signal, ignore_hangups};
pub use descriptors::{Inherited, keep_from_children};
pub use ignored::IgnoredSignals;
pub use parent::Parent;
pub use role::Role;
