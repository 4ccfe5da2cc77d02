//! The agent's file on the host: inspected, hashed, and ready to be placed.

use std::fs::File;
use std::path::Path;

use nex_image::Platform;

use crate::agent::Agent;
use crate::error::Error;
use crate::output::sha256;
use crate::report::AgentReport;

/// An agent that fits the platform.
pub struct AgentFile {
    /// What it is and what it needs.
    pub program: Agent,
    /// Its bytes.
    pub file: File,
    /// What is said about it in the report.
    pub report: AgentReport,
}

impl AgentFile {
    /// Opens the agent and inspects it as far as that goes without the image.
    ///
    /// # Errors
    /// When it cannot be read, is no program, or not one for `platform`.
    pub fn open(path: &Path, platform: &Platform) -> Result<Self, Error> {
        let program = Agent::open(path)?;
        program.check_platform(platform.architecture())?;
        let open_agent = |cause| Error::OpenAgent { path: path.into(), cause };
        let mut file = File::open(path).map_err(open_agent)?;
        let hashed = sha256(&mut file).map_err(open_agent)?;
        let linkage = program.linkage().to_string();
        let report =
            AgentReport { path: path.display().to_string(), sha256: hashed.sha256, bytes: hashed.bytes, linkage };
        Ok(Self { program, file, report })
    }
}
