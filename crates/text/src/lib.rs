//! Text for people: what somebody else has written, so that it steers no terminal and forges no line; what a shell takes for one
//! word; and amounts of bytes.
//!
//! Two layers, so that a place that forgets the first one shows nothing harmful:
//!
//! 1. Where a text that nex did not write enters a message, it is escaped, and cut where it may be long: [`name`] and
//!    [`short_name`] for names, [`url`] for URLs, [`printable`], [`excerpt`] and [`in_one_line`] for lines. No line break is left in
//!    it.
//! 2. Where a message leaves nex, it goes through [`message`] once more with all that is in it, and a report through [`lines`].
//!
//! Nothing that the first layer writes is changed by the second. Who the user of a URL is stays out of both: what is cut, and a
//! message, has `***` in the place of user names, passwords and tokens.

mod character;
mod cut;
mod digest;
mod escape;
mod hex;
mod message;
mod shell;
mod size;
mod url;
mod user_info;

pub use character::is_printable;
pub use cut::{excerpt, in_one_line, short_name};
pub use digest::short_digest;
pub use escape::{name, printable};
pub use hex::hex;
pub use message::{Lines, lines, message, one_line};
pub use shell::shell_word;
pub use size::human;
pub use url::url;
