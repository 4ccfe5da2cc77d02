//! What is on disk about a guest, and who is alive: the base of a supervisor, which is a process for each guest.
//!
//! ```text
//! StateDir::create ──> NewGuest { GuestDir, Journal }     a supervisor begins with a guest, and writes
//!                      SpoolWriter                        what the guest writes, in a ring
//! list, find ────────> Record, State                      others read
//! SpoolReader                                             and follow
//! sweep                                                   what is left of killed supervisors goes
//! ```
//!
//! Nothing here knows what a guest is made of. The files are described to the byte in `docs/supervisor.md`.
//!
//! # Who is alive
//!
//! A supervisor has the lock of its guest's journal for as long as it lives, and its [`Identity`] stands in that journal. It is gone
//! when neither is there, and the journal was written where locks are seen from here. A VMM is killed by its [`Identity`] alone, held by a pidfd, never by its pid.

pub mod api;
pub mod codes;

mod about;
mod boot_id;
mod error;
mod event;
mod expiry;
mod guest_dir;
mod id;
mod identity;
mod journal;
mod leftover;
mod lookup;
mod mode;
mod name;
mod reason;
mod record;
pub mod spool;
mod state_dir;
mod sweep;
mod time;

pub use about::About;
pub use boot_id::{BootId, NoBootId};
pub use error::{StateError, Unreadable};
pub use event::{Asker, Created, Ended, Event, How, Line, Losses, Makes, Parsed, Restarted, Started, StopAsked};
pub use expiry::SweepOptions;
pub use guest_dir::GuestDir;
pub use id::{Id, NoId};
pub use identity::{Held, Identity};
pub use journal::Journal;
pub use leftover::Leftover;
pub use lookup::{Listed, LookupError, find, list};
pub use mode::Mode;
pub use name::{Name, ParseNameError};
pub use reason::Reason;
pub use record::{Presence, Record, State};
pub use state_dir::{NewGuest, StateDir, default_directory};
pub use sweep::{Swept, sweep};
pub use time::UnixMillis;
