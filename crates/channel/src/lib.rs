//! The channel between a host and a guest that runs: programs with their standard streams and terminals, tars in and out.
//!
//! A carrier brings bytes in order, both ways: a vsock connection, a port of virtio-serial, a unix socket. On it go frames, each with a
//! header of 12 bytes; `docs/channel.md` describes them to the byte. The agent's own lines (`nex-protocol`) stay where they are.
//!
//! [`Host`] and [`Guest`] are the two ends, as values: bytes of the carrier go in and come out, and so do events and bytes of the flows.
//! They do no input and output, know no time and start nothing, so that each caller waits in its own way.
//!
//! ```
//! use nex_channel::{Exit, Flow, Guest, GuestEvent, GuestOptions, Host, HostEvent, HostOptions, MIN_ROOM};
//! use nex_contract::{ByteString, Exec, Request};
//!
//! let (mut host, mut guest) = (Host::new(HostOptions::default()), Guest::new(GuestOptions::default()));
//! let mut wire = Vec::new();
//! host.transmit(&mut wire, MIN_ROOM);
//! assert_eq!(guest.receive(&mut &wire[..])?, Some(GuestEvent::Ready(1)));
//! wire.clear();
//! guest.transmit(&mut wire, MIN_ROOM);
//! assert_eq!(host.receive(&mut &wire[..])?, Some(HostEvent::Ready(1)));
//!
//! let argv = ByteString::new("true").into_iter().collect();
//! let stream = host.open(&Request::Exec(Exec { argv, ..Exec::default() }))?;
//! wire.clear();
//! host.transmit(&mut wire, MIN_ROOM);
//! assert!(matches!(guest.receive(&mut &wire[..])?, Some(GuestEvent::Request(id, _)) if id == stream));
//! guest.send(stream, Flow::Stdout, b"hello");
//! guest.exit(stream, Exit::Code(0));
//!
//! wire.clear();
//! guest.transmit(&mut wire, MIN_ROOM);
//! let mut input = &wire[..];
//! assert_eq!(host.receive(&mut input)?, Some(HostEvent::Opened(stream)));
//! assert_eq!(host.receive(&mut input)?, Some(HostEvent::Data(stream, Flow::Stdout)));
//! assert_eq!(host.held(stream, Flow::Stdout), b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Neither end trusts the other: what breaks a rule is a [`Violation`], which ends the session. An end holds one window of each flow
//! in either direction ([`WINDOW`] unless it says otherwise), one short frame, and the guest one request; nothing else grows by what
//! the other end sends.

pub mod codes;

mod decoder;
mod exit;
mod flows;
mod frame;
mod guest;
mod header;
mod hello;
mod host;
mod identity;
mod incoming;
mod kind;
mod limits;
mod open_error;
mod outbox;
mod outgoing;
mod session;
mod turns;
mod violation;
mod window;

pub use decoder::{Decoded, Decoder};
pub use exit::{Exit, NotStarted};
pub use frame::{CLOSE_FRAME, Frame, Message, Part};
pub use guest::{Guest, GuestEvent, GuestOptions};
pub use hello::{Carrier, HELLO_FRAME, Hello, HelloReader, MAGIC, Mark, PADDING, VERSION};
pub use host::{GivenUp, Host, HostEvent, HostOptions};
pub use identity::{Flow, Signal, StreamId};
pub use kind::Kind;
pub use limits::{HEADER, MAX_PAYLOAD, MAX_SIGNALS, MAX_STREAMS, MAX_TEXT, MAX_WINDOW, MIN_ROOM, WINDOW};
pub use open_error::OpenError;
pub use violation::Violation;
pub use window::{OverCredit, OverWindow, ReceiveWindow, SendWindow};
