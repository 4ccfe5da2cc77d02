//! The agent that comes with nex.

use std::path::PathBuf;

/// The program's name; it stands beside `nex`.
pub const NAME: &str = "nex-agent";

/// The agent that came with nex, if it is there.
pub fn own_agent() -> Option<PathBuf> {
    let agent = std::env::current_exe().ok()?.with_file_name(NAME);
    agent.exists().then_some(agent)
}
