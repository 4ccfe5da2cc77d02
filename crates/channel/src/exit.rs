//! How what a stream was opened for has ended.

use crate::identity::Signal;
use crate::limits::MAX_TEXT;

/// How it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With an exit code.
    Code(u8),
    /// By a signal.
    Signal(Signal),
    /// Before it began.
    NotStarted {
        /// Why, as a shell would say it.
        code: NotStarted,
        /// The same in words. They are the guest's: escape them before they reach a terminal.
        reason: String,
    },
}

/// Why nothing was started, in the codes of a shell and of docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// Another reason: 125.
    Other,
    /// The program cannot be executed: 126.
    NotExecutable,
    /// There is no such program: 127.
    NotFound,
}

impl NotStarted {
    /// The code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Other => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }

    /// What a code stands for; `None` for the code of a program.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            125 => Some(Self::Other),
            126 => Some(Self::NotExecutable),
            127 => Some(Self::NotFound),
            _ => None,
        }
    }
}

/// The first byte of the payload.
const BY_CODE: u8 = 0;
const BY_SIGNAL: u8 = 1;
const NOT_STARTED: u8 = 2;

impl Exit {
    /// Adds the payload.
    pub(crate) fn encode(&self, payload: &mut Vec<u8>) {
        let (how, value, reason) = match self {
            Self::Code(code) => (BY_CODE, *code, ""),
            Self::Signal(signal) => (BY_SIGNAL, signal.number(), ""),
            Self::NotStarted { code, reason } => (NOT_STARTED, code.code(), bounded(reason)),
        };
        payload.extend_from_slice(&[how, value, 0, 0]);
        payload.extend_from_slice(reason.as_bytes());
    }

    /// The length of the payload.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Code(_) | Self::Signal(_) => 4,
            Self::NotStarted { reason, .. } => 4 + bounded(reason).len(),
        }
    }

    /// Reads a payload.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        let ([how, value, 0, 0], reason) = payload.split_first_chunk()? else { return None };
        match *how {
            BY_CODE if reason.is_empty() => Some(Self::Code(*value)),
            BY_SIGNAL if reason.is_empty() => Signal::new(*value).map(Self::Signal),
            NOT_STARTED => {
                let reason = str::from_utf8(reason).ok()?.to_owned();
                Some(Self::NotStarted { code: NotStarted::from_code(*value)?, reason })
            }
            _ => None,
        }
    }
}

/// As much of a text as a frame takes.
pub(crate) fn bounded(text: &str) -> &str {
    let end = (0..=MAX_TEXT).rev().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or(text)
}
