//! Why a step of the inner processes failed, as they tell it to the process above.

use std::io;

use nex_fault::{Remedy, Setting};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A step that failed. Nothing comes after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step, and why it failed.
    pub what: String,
    /// What to do about it, if that is known.
    pub advice: Option<Advice>,
}

/// What to do about a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Advice {
    /// The work directory has no room.
    Room,
    /// There are more names than there may be.
    Names,
    /// What is shown to scripts has other file systems mounted below it.
    MountedBelow,
    /// What is shown to scripts does not answer.
    Hangs,
    /// In words.
    Words(String),
}

impl Failure {
    /// A failure with advice.
    pub fn advised(what: impl Into<String>, advice: Advice) -> Self {
        Self { what: what.into(), advice: Some(advice) }
    }

    /// The same, with the step above it.
    pub fn within(self, step: &str) -> Self {
        Self { what: format!("{step}: {}", self.what), ..self }
    }
}

impl Advice {
    /// The same, for the caller's user.
    pub fn remedy(self) -> Remedy {
        match self {
            Self::Room => {
                Remedy::say("free space in the work directory, or choose another with").choose(Setting::WorkDir)
            }
            Self::Names => Remedy::say("allow more with").raise(Setting::MaxEntries),
            Self::MountedBelow => {
                Remedy::say("give").choose(Setting::Mount).and("directories that have nothing mounted below them")
            }
            Self::Hangs => Remedy::say("does a file system of").omit(Setting::Mount).and("hang?"),
            Self::Words(words) => Remedy::say(words),
        }
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self { what, advice: None }
    }
}

impl From<&str> for Failure {
    fn from(what: &str) -> Self {
        what.to_owned().into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        nex_fault::whole(&error).into()
    }
}

impl From<Errno> for Failure {
    fn from(error: Errno) -> Self {
        io::Error::from(error).into()
    }
}
