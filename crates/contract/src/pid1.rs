//! Who is process 1 once a guest is up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who is process 1 once a guest is up, where the agent was it before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Pid1 {
    /// The agent, and the image's program is a child of it.
    #[default]
    Agent,
    /// The image's program: the agent makes the guest ready, and becomes it.
    Image,
}

impl Pid1 {
    /// Whether it is the agent.
    pub fn is_agent(&self) -> bool {
        *self == Self::Agent
    }
}

impl fmt::Display for Pid1 {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(match self {
            Self::Agent => "agent",
            Self::Image => "image",
        })
    }
}
