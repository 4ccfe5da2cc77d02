//! What both ends do alike: a HELLO first, then frames, and nothing behind a violation.

use crate::decoder::Decoder;
use crate::frame::Frame;
use crate::hello::{Carrier, Hello, HelloReader};
use crate::violation::Violation;

/// Where a session is.
#[derive(Debug)]
pub enum Session {
    /// The other end's HELLO has not come.
    Waits(HelloReader),
    /// Frames come.
    Runs(Decoder),
    /// The other end has broken a rule.
    Over(Violation),
}

/// What comes next.
#[derive(Debug)]
pub enum Step<'a> {
    Hello(Hello),
    Frame(Frame<'a>),
}

impl Session {
    /// Waits for the HELLO of a session, or of any.
    pub fn new(carrier: Carrier, session: Option<u64>) -> Self {
        Self::Waits(HelloReader::new(carrier, session))
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
            Self::Runs(decoder) => Ok(decoder.decode(input)?.map(Step::Frame)),
            Self::Over(violation) => Err(violation.clone()),
        }
    }

    /// Whether both ends have said HELLO, and no rule is broken.
    pub fn runs(&self) -> bool {
        matches!(self, Self::Runs(_))
    }
}
