//! A service of the image's init that starts the agent.

use nex_contract::RUN_AGENT;
use nex_inspect::{View, end_of_links};

use super::AGENT;

/// What starts the agent.
pub(super) struct Service {
    /// The file that says so.
    pub(super) file: Vec<u8>,
    /// Whom it runs as, if that is said.
    pub(super) user: Option<Vec<u8>>,
    /// The group, if that is said.
    pub(super) group: Option<Vec<u8>>,
}

/// Whether a service that starts this starts the agent: its file, a link to it, or the script in front of it.
pub(super) fn is_agent(view: &dyn View, command: &[u8]) -> bool {
    [AGENT, RUN_AGENT.as_bytes()].contains(&command)
        || command.starts_with(b"/") && end_of_links(view, command) == AGENT
}
