//! The agent's file on the host: inspected, hashed, and ready to be placed.
//!
//! The file is read once, by one descriptor: its first part stays in memory from the look at it to the copy, and most agents have no
//! more. Of longer ones the rest is read twice, to be hashed and to be copied, and must be the same both times.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy};
use nex_file::to_read::ToRead;
use nex_program::Speech;
use nex_text::hex;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::agent::{self, Agent};
use crate::codes;
use crate::report::AgentReport;

/// How much of the file stays in memory, in bytes: as much as [`Speech`] looks at.
const HELD: u64 = Speech::LONGEST;

/// How much of the rest is read at once.
const CHUNK: usize = 1 << 20;

/// An agent.
pub struct AgentFile {
    /// What it is and what it needs.
    pub program: Agent,
    /// How it speaks to the host.
    pub speech: Speech,
    /// What is said about it in the report.
    pub report: AgentReport,
    path: PathBuf,
    /// Its first bytes, [`HELD`] at the most.
    start: Vec<u8>,
    /// Where the rest is read from.
    file: File,
    /// What is hashed of the start.
    hashed_start: Sha256,
}

/// Why there is no agent to be placed.
#[derive(Debug, Error)]
pub enum AgentFileError {
    /// It cannot be opened or read.
    #[error("cannot open the agent '{}'", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// It is a directory, a device or a pipe.
    #[error("the agent '{}' is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// It is no program that could run anywhere.
    #[error(transparent)]
    Program(#[from] agent::Error),
    /// It is not what was inspected any more.
    #[error("the agent changed while it was copied")]
    Changed,
}

impl Fault for AgentFileError {
    fn code(&self) -> Code {
        match self {
            Self::Open { .. } => codes::AGENT_UNREADABLE,
            Self::NotAFile(_) => codes::AGENT_NO_PROGRAM,
            Self::Program(error) => error.code(),
            Self::Changed => codes::AGENT_CHANGED,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Open { .. } | Self::NotAFile(_) => Some(Remedy::say("name a program for the guest")),
            Self::Program(error) => error.remedy(),
            Self::Changed => Some(Remedy::say("run the command again")),
        }
    }
}

impl AgentFile {
    /// Opens the agent and inspects it as far as that goes without the image.
    ///
    /// # Errors
    /// When it cannot be read, or is no program.
    pub fn open(agent: &ToRead) -> Result<Self, AgentFileError> {
        let path = agent.path();
        let failed = |cause| AgentFileError::Open { path: path.into(), cause };
        let mut file = agent.open().map_err(|cause| match cause.kind() {
            ErrorKind::IsADirectory | ErrorKind::InvalidInput => AgentFileError::NotAFile(path.into()),
            _ => failed(cause),
        })?;
        let mut start = Vec::new();
        file.by_ref().take(HELD).read_to_end(&mut start).map_err(failed)?;
        let name = path.display().to_string();
        let program = if (start.len() as u64) < HELD {
            Agent::inspect(name, Cursor::new(&start))?
        } else {
            file.rewind().map_err(failed)?;
            Agent::inspect(name, &file)?
        };
        let speech = Speech::of_file(&start);
        let hashed_start = Sha256::new_with_prefix(&start);
        let (version, protocol) = match &speech {
            Speech::Own(mark) => (Some(mark.version.clone()), Some(mark.protocol)),
            Speech::Lines | Speech::None => (None, None),
        };
        let report = AgentReport {
            path: path.display().to_string(),
            sha256: String::new(),
            bytes: 0,
            linkage: program.linkage().to_string(),
            version,
            protocol,
        };
        let mut agent = Self { program, speech, report, path: path.into(), start, file, hashed_start };
        (agent.report.sha256, agent.report.bytes) = agent.read_rest(|_| Ok::<_, AgentFileError>(()))?;
        Ok(agent)
    }

    /// Gives all of its bytes to somebody, in order.
    ///
    /// # Errors
    /// What `write` says; and when the rest cannot be read, or is not what was inspected any more.
    pub fn copy_to<E: From<AgentFileError>>(&self, mut write: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        write(&self.start)?;
        let (sha256, _) = self.read_rest(write)?;
        if sha256 == self.report.sha256 { Ok(()) } else { Err(AgentFileError::Changed.into()) }
    }

    /// Whether a text stands anywhere in the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn mentions(&self, text: &str) -> Result<bool, AgentFileError> {
        let finder = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if finder(&self.start) {
            return Ok(true);
        }
        // What may be the beginning of the text stays before the next part.
        let last = |bytes: &[u8]| bytes[bytes.len().saturating_sub(text.len())..].to_vec();
        let (mut seen, mut is_found) = (last(&self.start), false);
        self.read_rest(|bytes| {
            seen.extend_from_slice(bytes);
            is_found |= finder(&seen);
            seen = last(&seen);
            Ok::<_, AgentFileError>(())
        })?;
        Ok(is_found)
    }

    /// Reads what is behind the start; gives the digest of the whole file, in hex, and its length.
    fn read_rest<E: From<AgentFileError>>(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(String, u64), E> {
        let (mut hasher, mut length) = (self.hashed_start.clone(), self.start.len() as u64);
        if length == HELD {
            let failed = |cause| AgentFileError::Open { path: self.path.clone(), cause };
            let mut file = &self.file;
            file.seek(SeekFrom::Start(HELD)).map_err(failed)?;
            let mut buffer = vec![0; CHUNK];
            loop {
                let count = match file.read(&mut buffer) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    read => read.map_err(failed)?,
                };
                if count == 0 {
                    break;
                }
                hasher.update(&buffer[..count]);
                length += count as u64;
                take(&buffer[..count])?;
            }
        }
        Ok((hex(hasher.finalize()), length))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::FileExt;
    use std::path::Path;

    use super::*;

    /// A script of this length, with a word at its end.
    fn agent(path: &Path, length: u64) -> File {
        let file = File::create(path).unwrap();
        file.write_all_at(b"#!/bin/sh\n", 0).unwrap();
        file.write_all_at(b"word", length - 4).unwrap();
        file
    }

    fn copied(agent: &AgentFile) -> Result<Vec<u8>, AgentFileError> {
        let mut bytes = Vec::new();
        agent.copy_to(|part| {
            bytes.extend_from_slice(part);
            Ok::<_, AgentFileError>(())
        })?;
        Ok(bytes)
    }

    #[test]
    fn all_of_an_agent_is_copied_as_it_was_inspected() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("agent");
        for length in [100, HELD, HELD + 2, HELD + CHUNK as u64 + 3] {
            let file = agent(&path, length);
            let agent = AgentFile::open(&path.as_path().into()).unwrap();
            let whole = fs::read(&path).unwrap();
            assert_eq!((agent.report.bytes, &agent.report.sha256), (length, &hex(Sha256::digest(&whole))));
            assert!(copied(&agent).unwrap() == whole);
            assert!(agent.mentions("word").unwrap() && !agent.mentions("other").unwrap());
            // What is in memory is copied whatever becomes of the file; what is not must be the same.
            file.write_all_at(b"x", length - 1).unwrap();
            match copied(&agent) {
                Ok(bytes) => assert!(length <= HELD && bytes == whole),
                Err(AgentFileError::Changed) => assert!(length > HELD),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn what_is_no_file_is_no_agent() {
        let place = tempfile::tempdir().unwrap();
        assert!(matches!(AgentFile::open(&place.path().into()), Err(AgentFileError::NotAFile(_))));
        assert!(matches!(AgentFile::open(&place.path().join("none").into()), Err(AgentFileError::Open { .. })));
    }
}
