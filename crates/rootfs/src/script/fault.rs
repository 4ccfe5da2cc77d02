//! The codes of a script's errors, and what to do about them.

use nex_fault::{Code, Fault, Remedy, Setting};

use super::ScriptError;
use crate::codes;

impl Fault for ScriptError {
    fn code(&self) -> Code {
        match self {
            Self::FirstLine { .. } => codes::SCRIPT_FIRST_LINE,
            Self::Sandbox(error) => error.code(),
            Self::Path { .. } | Self::Merge { .. } => codes::SCRIPT_RESULT,
            Self::Xattrs { cause, .. } => cause.code(),
            Self::TooMuch(error) => error.code(),
            Self::NoSnapshot(_) => codes::SCRIPT_SNAPSHOT,
            Self::Record(_) | Self::CachedRun { .. } => codes::CACHED,
            Self::Source(_) => codes::READ_BACK,
            Self::Output(error) => error.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::FirstLine { cause, .. } => cause.remedy(),
            Self::Sandbox(error) => error.remedy(),
            Self::Xattrs { cause, .. } => cause.remedy(),
            Self::TooMuch(error) => error.remedy(),
            Self::NoSnapshot(_) => Some(Remedy::say("name one that it leaves with").choose(Setting::Snapshot)),
            Self::CachedRun { .. } => Some(Remedy::say("build with").allow(Setting::NoCache)),
            Self::Output(error) => error.remedy(),
            Self::Path { .. } | Self::Merge { .. } | Self::Record(_) | Self::Source(_) => None,
        }
    }
}
