//! The lines that the guest's agent writes for the host.
//!
//! They share the console with the kernel, the init and whoever else writes there, and people read them too. So each event
//! is one line of text with a marker, a number and a check:
//!
//! ```text
//! @nex1 out 812 hello world #7.c0de
//! ^     ^   ^   ^            ^ ^
//! |     |   |   |            | check of the whole line before it (CRC-16)
//! |     |   |   |            number of the line, from 1 on in each process that writes
//! |     |   |   text, escaped
//! |     |   milliseconds since the kernel's start
//! |     kind
//! marker, with the version
//! ```
//!
//! `docs/guest-protocol.md` is the description for those who read the lines with other programs.
//!
//! The guest is not trusted: a [`Decoder`] takes any bytes, and its memory has a bound. What it gives back is what the guest
//! claims, and no more.

mod check;
mod decoder;
mod encoder;
mod escape;
mod event;
mod line;
mod noise;
#[cfg(test)]
mod tests;

pub use decoder::{Decoder, Item};
pub use encoder::Encoder;
pub use event::{EndBy, Ended, Event, Exit, MachineEnd, Output, Ready, Role, Source, Start, Stream, Text};
pub use noise::split_at_kernel_message;

/// What every line begins with: a name that nobody else uses, and the version.
///
/// Within a version, kinds and fields may be added; readers pass over those that they do not know.
pub const MARKER: &[u8] = b"@nex1 ";

/// The most bytes of text in one line, before they are escaped.
pub const MAX_TEXT: usize = 1024;

/// The longest line in bytes, without its end. A text of bytes that all have to be escaped stays below it.
pub const MAX_LINE: usize = 8192;
