//! Cancellation, and what cancelled work leaves behind, as values.
//!
//! Whoever starts work makes a [`Cancel`] and a [`Workspace`], keeps a clone of each, and passes them down:
//!
//! ```text
//! owner ── Cancel ────> work: looks at it between steps, or waits for it beside other files
//!       ── Workspace ─> work: notes there what must be removed if the work does not come to its end
//! ```
//!
//! So one process can do several pieces of work, and cancel one of them. Work that sees the cancellation cleans up by itself, as
//! its values are dropped. A program that cannot wait for that, such as one that a signal ends, has the workspace
//! [cleaned up](Workspace::clean_up) by another thread.

mod cancel;
pub mod codes;
mod workspace;

pub use cancel::{Cancel, Cancelled};
pub use workspace::{Closed, Leftover, Open, Workspace};
