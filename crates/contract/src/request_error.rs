//! Why a request is refused before anything is done for it.

use std::error::Error;
use std::fmt;

use nex_fault::{Code, Fault};

use crate::ByteString;
use crate::codes;
use crate::request_limits::{MAX_NAME, MAX_PATH, MAX_REQUEST, MAX_STRING, MAX_STRINGS};

/// Why a request is refused.
#[derive(Debug)]
pub enum RequestError {
    /// It is no JSON of a request that this version knows.
    Json(serde_json::Error),
    /// It has this many bytes.
    TooLong(usize),
    /// It names no program.
    NoProgram,
    /// It has this many arguments, or this many variables.
    TooManyStrings(usize),
    /// An argument or a variable is too long.
    LongString(ByteString),
    /// A variable has no name, or no value.
    Variable(ByteString),
    /// A path is not absolute, or too long.
    Path(ByteString),
    /// A text is no user.
    User(String),
    /// A text is no type of a terminal.
    Term(String),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let shown = |text: &ByteString| nex_text::short_name(text.as_bytes());
        match self {
            // Its words repeat names of fields that others have written.
            Self::Json(error) => write!(f, "the request is not understood: {}", nex_text::excerpt(error.to_string())),
            Self::TooLong(length) => write!(f, "the request has {length} bytes; the limit is {MAX_REQUEST}"),
            Self::NoProgram => f.write_str("the request names no program"),
            Self::TooManyStrings(count) => {
                write!(f, "the request has {count} arguments or variables; the limit is {MAX_STRINGS} of each")
            }
            Self::LongString(text) => {
                let length = text.as_bytes().len();
                write!(f, "'{}' has {length} bytes; an argument or a variable has at most {MAX_STRING}", shown(text))
            }
            Self::Variable(text) => write!(f, "'{}' is no variable; it has to be NAME=value", shown(text)),
            Self::Path(text) => {
                write!(f, "the path '{}' has to begin with / and to have at most {MAX_PATH} bytes", shown(text))
            }
            Self::User(text) => {
                write!(f, "the user '{}' has a name over {MAX_NAME} bytes, or a zero byte", short(text))
            }
            Self::Term(text) => write!(
                f,
                "'{}' is no type of a terminal; that has at most {MAX_NAME} printable characters of ASCII, and no space",
                short(text)
            ),
        }
    }
}

fn short(text: &str) -> String {
    nex_text::short_name(text)
}

/// The words of the JSON's reader are in the message, escaped.
impl Error for RequestError {}

impl Fault for RequestError {
    fn code(&self) -> Code {
        codes::REQUEST
    }
}
