//! The client of a guest's supervisor.
//!
//! [`talk`] joins the standard streams and the terminal of this process with those of a program in a guest, over a connection that is a
//! session of the channel (`docs/channel.md`), until the program ends.

pub mod codes;

mod talk;

pub use talk::{Caller, Detach, Talk, TalkError, Talked, Wish, talk, terminal_size};
