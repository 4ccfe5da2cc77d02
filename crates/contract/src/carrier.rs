//! The channel between host and agent: an ordered stream of bytes both ways, apart from the agent's lines.
//!
//! The host makes it, and the word `nex.channel=` says by what it is carried.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use nex_fault::{Code, Fault};

use crate::codes;
use crate::port;

/// The name of the virtio-serial port, by which the guest finds it below `/sys/class/virtio-ports`.
pub const CHANNEL_PORT_NAME: &str = "nex.channel";

/// The vsock port on which the agent listens. Linux lets only root listen on ports below 1024, so that no other user of the guest
/// takes the agent's place where it listens no more.
pub const CHANNEL_VSOCK_PORT: u32 = 1023;

/// The value for [`Carrier::Virtio`].
const VIRTIO: &str = "virtio";
/// What stands before the port of [`Carrier::Vsock`].
const VSOCK: &str = "vsock:";

/// What the channel is carried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The virtio-serial port [`CHANNEL_PORT_NAME`].
    Virtio,
    /// A vsock connection of the host's, for which the agent listens on this port.
    Vsock(u32),
}

/// A text names no carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseCarrierError(String);

impl FromStr for Carrier {
    type Err = ParseCarrierError;

    fn from_str(text: &str) -> Result<Self, ParseCarrierError> {
        match text.strip_prefix(VSOCK).map(port::parse) {
            Some(Some(port)) => Ok(Self::Vsock(port)),
            None if text == VIRTIO => Ok(Self::Virtio),
            Some(None) | None => Err(ParseCarrierError(text.into())),
        }
    }
}

impl Display for Carrier {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Virtio => formatter.write_str(VIRTIO),
            Self::Vsock(port) => write!(formatter, "{VSOCK}{port}"),
        }
    }
}

impl Display for ParseCarrierError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\" is neither {VIRTIO} nor {VSOCK}PORT", nex_text::short_name(&self.0))
    }
}

impl std::error::Error for ParseCarrierError {}

impl Fault for ParseCarrierError {
    fn code(&self) -> Code {
        codes::WORD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_is_read_as_it_is_written() {
        for (text, carrier) in
            [("virtio", Carrier::Virtio), ("vsock:1023", Carrier::Vsock(1023)), ("vsock:0", Carrier::Vsock(0))]
        {
            assert_eq!(text.parse(), Ok(carrier));
            assert_eq!(carrier.to_string(), text);
        }
        for text in ["", "virtio:1", "Virtio", "vsock", "vsock:", "vsock:x", "vsock:+1", "vsock: 1", "vsock:4294967295"]
        {
            let refused = text.parse::<Carrier>().map_err(|error| error.to_string());
            assert_eq!(refused, Err(format!("\"{text}\" is neither virtio nor vsock:PORT")));
        }
    }
}
