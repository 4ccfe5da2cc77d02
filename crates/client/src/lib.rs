//! The client of guests' supervisors.
//!
//! ```text
//! Guests::look ──> Guests ── find ──> Guest ── stop, kill, wait ──> the guest's supervisor, or its record
//!                                           ── channel ──> a session of the channel ── talk ──> standard streams, terminal
//!                                           ── follow ──> its output, as it comes
//! ```
//!
//! [`Guests`] are those of one user, swept. A [`Guest`] is asked through the socket of its supervisor, one request for each connection
//! (`docs/supervisor.md`); once it has ended, its record says all. [`talk`] joins the standard streams and the terminal of this process
//! with those of a program in a guest, over a session of the channel (`docs/channel.md`), until the program ends.

pub mod codes;

mod ask;
mod error;
mod events;
mod follow;
mod guest;
mod guests;
mod talk;

pub use error::ClientError;
pub use events::Events;
pub use follow::Follow;
pub use guest::Guest;
pub use guests::Guests;
pub use talk::{Caller, Detach, Talk, TalkError, Talked, Wish, talk, terminal_size};
