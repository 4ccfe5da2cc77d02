//! Errors as facts, remedies as data.
//!
//! A library's error says what is wrong, and where. It names no flag: whoever uses the library may be a command line, a daemon or
//! a test. So each error has three parts, which its user joins:
//!
//! 1. The fact: its `Display`, and that of its sources. An error never repeats its source; [`whole`] joins the chain.
//! 2. Its [`Code`], which programs compare, and which stays when words change.
//! 3. Its [`Remedy`], in which a setting is a value. The command line writes `--max-unpacked` for
//!    [`Setting::MaxUnpacked`], a daemon the name in its configuration.
//!
//! What is no error but good to know is a [`Note`], and has its remedy in the same way.
//!
//! ```
//! use nex_fault::{Fault, Remedy, Setting, advised, whole};
//!
//! nex_fault::codes! {
//!     /// More bytes than the limit allows.
//!     TOO_LARGE = "demo-too-large";
//! }
//!
//! #[derive(Debug)]
//! struct TooLarge(u64);
//!
//! impl std::fmt::Display for TooLarge {
//!     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
//!         write!(f, "the image has more than {} bytes", self.0)
//!     }
//! }
//!
//! impl std::error::Error for TooLarge {}
//!
//! impl Fault for TooLarge {
//!     fn code(&self) -> nex_fault::Code {
//!         TOO_LARGE
//!     }
//!
//!     fn remedy(&self) -> Option<Remedy> {
//!         Some(Remedy::say("where that is right, allow more with").raise(Setting::MaxUnpacked))
//!     }
//! }
//!
//! let error = TooLarge(7);
//! assert_eq!(whole(&error), "the image has more than 7 bytes");
//! let line = advised(&error, |setting| format!("--{}", setting.name()));
//! assert_eq!(line, "the image has more than 7 bytes; where that is right, allow more with --max-unpacked");
//! ```

mod code;
mod fault;
mod note;
mod remedy;
mod setting;

pub use code::Code;
pub use fault::{Fault, advised, whole};
pub use note::Note;
pub use remedy::{Remedy, Step};
pub use setting::Setting;
