//! The agent's file on the host: inspected, hashed, and ready to be placed.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::path::Path;

use nex_program::Speech;

use crate::agent::Agent;
use crate::error::Error;
use crate::output::sha256;
use crate::report::AgentReport;

/// An agent.
pub struct AgentFile {
    /// What it is and what it needs.
    pub program: Agent,
    /// Its bytes.
    pub file: File,
    /// How it speaks to the host.
    pub speech: Speech,
    /// What is said about it in the report.
    pub report: AgentReport,
}

impl AgentFile {
    /// Opens the agent and inspects it as far as that goes without the image.
    ///
    /// # Errors
    /// When it cannot be read, or is no program.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open_agent = |cause| Error::OpenAgent { path: path.into(), cause };
        let mut file = nex_file::open_regular(path).map_err(|cause| match cause.kind() {
            ErrorKind::IsADirectory | ErrorKind::InvalidInput => Error::AgentNotAFile(path.into()),
            _ => open_agent(cause),
        })?;
        let program = Agent::inspect(path.display().to_string(), &file)?;
        file.rewind().map_err(open_agent)?;
        let (sha256, bytes) = sha256(&mut file).map_err(open_agent)?;
        let linkage = program.linkage().to_string();
        file.rewind().map_err(open_agent)?;
        let speech = Speech::read(&file).map_err(open_agent)?;
        let (version, protocol) = match &speech {
            Speech::Own(mark) => (Some(mark.version.clone()), Some(mark.protocol)),
            Speech::Lines | Speech::None => (None, None),
        };
        let report = AgentReport { path: path.display().to_string(), sha256, bytes, linkage, version, protocol };
        Ok(Self { program, file, speech, report })
    }
}

impl AgentFile {
    /// Whether a text stands anywhere in the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn mentions(&self, text: &str) -> Result<bool, Error> {
        const CHUNK: usize = 1 << 20;
        let failed = |cause| Error::OpenAgent { path: self.report.path.clone().into(), cause };
        let mut file = &self.file;
        file.rewind().map_err(failed)?;
        let mut seen = Vec::new();
        loop {
            // What may be the beginning of the text stays before the next part.
            seen.drain(..seen.len().saturating_sub(text.len()));
            if file.take(CHUNK as u64).read_to_end(&mut seen).map_err(failed)? == 0 {
                return Ok(false);
            }
            if seen.windows(text.len()).any(|window| window == text.as_bytes()) {
                return Ok(true);
            }
        }
    }
}
