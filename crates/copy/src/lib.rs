//! Copies files and directories into a guest that runs, and out of it, as tars over a session of the channel (`docs/channel.md`).
//!
//! ```text
//! into: path ── pack ──┐                                   ┌── unpack, in the guest
//!                      ├──> tarIn's standard input ────────┤
//!       a tar ─────────┘                                   │
//!                                                          │
//! out:  path <── unpack ─┬── tarOut's standard output <── pack, in the guest
//!       a tar <──────────┘
//! ```
//!
//! One thread waits for all: the guest's process may end, or say something, while standard input is still awaited. A guest that does not read
//! holds the copy, and what either side holds is bounded by the channel's windows.
//!
//! What comes out of a guest is its claim. [`nex_tree`] unpacks it so that it stays where it is meant to be, and the guest's words are
//! escaped.

pub mod codes;

mod error;
mod from_guest;
mod input;
mod stream;
mod to_guest;

pub use self::error::CopyError;
pub use self::from_guest::{Target, from_guest};
pub use self::to_guest::{Source, to_guest};
pub use nex_tree::{Link, Owners};

/// How files are copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct CopyOptions {
    /// Whom the copies belong to.
    pub owners: Owners,
    /// What becomes of a symbolic link at the end of the path that is copied.
    pub link: Link,
}

/// What a copy lacks, in lines for people: the guest's words, and those of this side.
pub type Lines = Vec<String>;
