//! Dresses the merged tree for the guest: the wiring's changes, as one more layer on top.

use nex_ext4::{Content, Metadata, Timestamp, Writer};
use nex_fault::{Code, Fault, Remedy};

use crate::agent_file::{AgentFile, AgentFileError};
use crate::codes;
use crate::guest::{Change, FileContent};
use crate::layer::{Entry, EntryKind, LayerPath, Node, NodeKind, PathError};
use crate::merge::{Merge, MergeError};

/// Why the guest's layer could not be added.
#[derive(Debug, thiserror::Error)]
pub enum DressError {
    /// The path of a change is none.
    #[error("cannot add '{path}' to the image: the name {cause}")]
    Path {
        /// The path, escaped.
        path: String,
        /// What is wrong with it.
        cause: PathError,
    },
    /// A change contradicts the image.
    #[error("cannot add '{path}' to the image: it {cause}")]
    Merge {
        /// The path of the change, escaped.
        path: String,
        /// Why.
        cause: MergeError,
    },
    /// The agent cannot be copied.
    #[error(transparent)]
    Agent(#[from] AgentFileError),
    /// The output cannot take the content.
    #[error(transparent)]
    Output(#[from] nex_ext4::Error),
}

impl Fault for DressError {
    fn code(&self) -> Code {
        match self {
            Self::Path { .. } | Self::Merge { .. } => codes::DRESS,
            Self::Agent(error) => error.code(),
            Self::Output(error) => error.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Path { .. } | Self::Merge { .. } => None,
            Self::Agent(error) => error.remedy(),
            Self::Output(error) => error.remedy(),
        }
    }
}

/// Applies changes in order, and says how many blocks of content they brought; everything new gets `time`.
///
/// # Errors
/// When a change contradicts the image, the agent cannot be read or the output cannot be written.
pub fn dress(
    changes: Vec<Change>,
    agent: &AgentFile,
    time: Timestamp,
    writer: &mut Writer,
    merge: &mut Merge,
) -> Result<u64, DressError> {
    let mut blocks = 0;
    merge.start_layer();
    for change in changes {
        let (path, (mode, uid, gid), kind) = match change {
            Change::Directory { path, mode, uid, gid } => (path, (mode, uid, gid), NodeKind::Directory),
            Change::Symlink { path, target } => (path, (0o777, 0, 0), NodeKind::Symlink(target.into())),
            Change::File { path, mode, uid, gid, content } => {
                let content = match content {
                    FileContent::Bytes(bytes) => place_bytes(&bytes, writer)?,
                    FileContent::Agent => place_agent(agent, writer)?,
                };
                blocks += content.blocks();
                (path, (mode, uid, gid), NodeKind::File(content))
            }
        };
        let node = Node { metadata: Metadata { mode, uid, gid, time }, xattrs: Box::default(), kind };
        let shown = || nex_text::short_name(&path);
        let clean = LayerPath::new(&path).map_err(|cause| DressError::Path { path: shown(), cause })?;
        let entry = Entry { path: clean, kind: EntryKind::Node(node) };
        merge.apply(entry).map_err(|cause| DressError::Merge { path: shown(), cause })?;
    }
    Ok(blocks)
}

fn place_agent(agent: &AgentFile, writer: &mut Writer) -> Result<Content, DressError> {
    let mut output = writer.file();
    agent.copy_to(|bytes| Ok::<_, DressError>(output.write(bytes)?))?;
    Ok(output.finish()?)
}

fn place_bytes(bytes: &[u8], writer: &mut Writer) -> Result<Content, DressError> {
    let mut output = writer.file();
    output.write(bytes)?;
    Ok(output.finish()?)
}
