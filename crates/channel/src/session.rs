//! What both ends do alike: a HELLO first, then frames, and nothing behind CLOSE or a violation.

use crate::decoder::{Decoded, Decoder};
use crate::frame::{CLOSE_FRAME, Frame};
use crate::hello::{Carrier, Hello, HelloReader, Mark};
use crate::outbox::{Outbox, Written};
use crate::violation::Violation;

/// Where a session is.
#[derive(Debug)]
pub enum Session {
    /// The other end's HELLO has not come.
    Waits(HelloReader),
    /// Frames come.
    Runs(Decoder),
    /// The other end has said CLOSE.
    Closed,
    /// The other end has broken a rule.
    Over(Violation),
}

/// What comes next.
#[derive(Debug)]
pub enum Step<'a> {
    Hello(Hello),
    Frame(Frame<'a>),
    Close,
}

impl Session {
    /// Waits for the HELLO with this mark.
    pub fn new(carrier: Carrier, mark: Mark) -> Self {
        Self::Waits(HelloReader::new(carrier, mark))
    }

    /// Takes bytes up to the next step.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Step<'a>>, Violation> {
        match self {
            Self::Waits(reader) => {
                let hello = reader.read(input)?;
                if hello.is_some() {
                    *self = Self::Runs(Decoder::new());
                }
                Ok(hello.map(Step::Hello))
            }
            Self::Runs(decoder) => Ok(match decoder.decode(input)? {
                Some(Decoded::Frame(frame)) => Some(Step::Frame(frame)),
                Some(Decoded::Close) => {
                    *self = Self::Closed;
                    Some(Step::Close)
                }
                None => None,
            }),
            Self::Closed if input.is_empty() => Ok(None),
            Self::Closed => Err(Violation::BehindClose),
            Self::Over(violation) => Err(violation.clone()),
        }
    }

    /// Whether both ends have said HELLO, and no rule is broken.
    pub fn runs(&self) -> bool {
        matches!(self, Self::Runs(_))
    }
}

/// What becomes of an end's own CLOSE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// Nobody has asked for it.
    #[default]
    Not,
    /// It waits for what goes before it, and for room.
    Waits,
    /// It is sent.
    Sent,
}

impl Closing {
    /// Has CLOSE sent, unless it is.
    pub fn ask(&mut self) {
        if *self == Self::Not {
            *self = Self::Waits;
        }
    }

    /// Writes CLOSE, if it waits.
    pub fn transmit(&mut self, out: &mut Outbox) {
        if *self == Self::Waits
            && out.write(CLOSE_FRAME.len(), |out| out.extend_from_slice(&CLOSE_FRAME)) == Written::Frame
        {
            *self = Self::Sent;
        }
    }
}
