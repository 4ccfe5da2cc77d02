//! What a supervisor and its clients say to each other, a line of JSON each. `docs/supervisor.md` describes it.
//!
//! ```text
//! at the guest's socket      Request ──>              Answer <──       then journal lines, or frames of a channel
//! who has started it         Order ──>                Notice <──       and frames on a second socket
//! ```
//!
//! ```
//! use nex_supervise::api::{self, Request};
//!
//! let line = api::encode(&Request::Stop { timeout_ms: Some(10_000) })?;
//! assert_eq!(line, b"{\"schemaVersion\":1,\"stop\":{\"timeoutMs\":10000}}\n");
//! assert_eq!(api::decode::<Request>(b"{\"schemaVersion\":1,\"kill\":{\"signal\":9}}")?, Request::Kill { signal: 9 });
//! # Ok::<(), api::LineError>(())
//! ```

pub mod codes;

mod answer;
mod control;
mod failure;
mod inspection;
mod line;
mod request;

pub use answer::{Answer, Ended};
pub use control::{Notice, Order};
pub use failure::Failure;
pub use inspection::Inspection;
pub use line::{LONGEST_LINE, LONGEST_REQUEST, LineBuffer, LineError, decode, encode};
pub use request::Request;

/// The name of the socket in a guest's directory. It is a stream socket, and is there from `created` on, until the guest ends.
pub const SOCKET: &str = "socket";
