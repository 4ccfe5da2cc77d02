//! What a supervisor answers at a guest's socket.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::api::failure::Failure;
use crate::api::inspection::Inspection;
use crate::reason::Reason;

/// The supervisor's first line of a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// How it stands with the guest.
    Guest(Box<Inspection>),
    /// The journal's lines come next.
    Events {},
    /// The guest has ended.
    Ended(Ended),
    /// The signal is on its way.
    Killed {},
    /// Frames come next.
    Channel {},
    /// Nothing was done.
    Error(Failure),
}

/// How a guest has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
    /// The exit code that stands for it.
    pub exit_code: u8,
    /// What `nex run --format json` shows. Only who has started the supervisor gets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<RawValue>>,
    /// What there is to say to people about the end, a line each. Only who has started the supervisor gets it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text: Vec<String>,
}

impl Ended {
    /// An end of which the reason is said, and no more.
    pub fn because_of(reason: Reason) -> Self {
        Self { reason, exit_code: reason.exit_code(), report: None, text: Vec::new() }
    }
}
