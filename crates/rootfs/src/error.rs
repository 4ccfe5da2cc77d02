//! Why a build fails, in the user's terms.

use nex_cache::{Key, Shelf};
use nex_cancel::Cancelled;
use nex_text::Lines;
use thiserror::Error;

use crate::agent_file::AgentFileError;
use crate::dress::DressError;
use crate::existing_file::ExistingFileError;
use crate::foreign::ForeignError;
use crate::links::LinkError;
use crate::output::OutputError;
use crate::place::PlaceError;
use crate::script::ScriptError;
use crate::set_agent::SetAgentError;
use crate::usage::DirectoryUsage;
use crate::{agent, guest};
use nex_text::human;

/// Why there is no root filesystem.
#[derive(Debug, Error)]
pub enum Error {
    /// The build was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The image cannot be had.
    #[error(transparent)]
    Image(#[from] nex_image::Error),
    /// An entry of a layer cannot be taken.
    #[error("layer {number}{digest}, {cause}")]
    Layer {
        /// The layer's number, from 1 on.
        number: usize,
        /// What it is known by, in brackets, as far as it is.
        digest: String,
        /// The entry and what is wrong with it.
        cause: PlaceError,
    },
    /// What was named as a root filesystem is something else.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// The agent's file cannot be placed.
    #[error(transparent)]
    AgentFile(#[from] AgentFileError),
    /// The agent would not run in the image.
    #[error(transparent)]
    Agent(#[from] agent::Error),
    /// The guest's files cannot be made.
    #[error(transparent)]
    Guest(#[from] guest::Error),
    /// The guest's files cannot be added.
    #[error(transparent)]
    Dress(DressError),
    /// A file has too many names.
    #[error(transparent)]
    Links(LinkError),
    /// An entry of the cache makes no sense, and that shows only after parts of it were taken. [`build`](crate::build) never ends
    /// with it: it removes the entry and begins again.
    #[error("an entry of the cache makes no sense: {what}; build with --no-cache")]
    Cached {
        /// The entry's shelf.
        shelf: Shelf,
        /// Its key.
        key: Key,
        /// What is wrong with it.
        what: String,
    },
    /// The file to be changed cannot be.
    #[error(transparent)]
    Existing(#[from] ExistingFileError),
    /// The agent in a root filesystem that exists stays as it was.
    #[error(transparent)]
    SetAgent(#[from] SetAgentError),
    /// A setup script fails.
    #[error(transparent)]
    Script(ScriptError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The content does not fit.
    #[error(transparent)]
    TooSmall(Box<TooSmall>),
    /// The file system cannot have the parts that were asked for.
    #[error("{cause} ({flag})")]
    FileSystem {
        /// Why not, with the bounds.
        cause: nex_ext4::Error,
        /// The flag that asks for the part.
        flag: &'static str,
    },
    /// The file system cannot hold the tree.
    #[error("the image does not fit into an ext4 file system: {0}")]
    Ext4(nex_ext4::Error),
}

impl Error {
    /// What the writer says of a part that the user asked for is told with the flag.
    pub(crate) fn of_ext4(cause: nex_ext4::Error) -> Self {
        let flag = match cause {
            nex_ext4::Error::InodeCount { .. } => "--inodes",
            nex_ext4::Error::JournalSize { .. } => "--journal-size",
            nex_ext4::Error::ReservedTooLarge { .. } => "--reserved",
            nex_ext4::Error::GrowthTooLarge { .. } | nex_ext4::Error::TooLarge { .. } => "--max-size",
            cause => return Self::Ext4(cause),
        };
        Self::FileSystem { cause, flag }
    }
}

/// A size that the content does not fit into.
#[derive(Debug, Error)]
#[error(
    "the content does not fit: {} in {inodes} inodes{}{} need {needed} bytes, but the size is {size}; \
     ask for --size {} or more, or for --size auto{}",
    human(*.content), and_deleted(*.deleted), and_journal(*.journal), in_mebibytes(*.needed), if largest.is_some() { "; the largest are:" } else { "" }
)]
pub struct TooSmall {
    /// The smallest size in bytes that holds everything.
    pub needed: u64,
    /// The size in bytes that was asked for.
    pub size: u64,
    /// Bytes of the files' blocks.
    pub content: u64,
    /// Inodes of all names, or as many as were asked for.
    pub inodes: u64,
    /// The journal in bytes, when its size was asked for.
    pub journal: Option<u64>,
    /// Bytes of blocks whose files later layers delete or replace; they are free in the image, but take their place.
    pub deleted: u64,
    /// The largest directories and layers of the image.
    #[source]
    pub largest: Option<Lines>,
}

/// The next size that people would write.
fn in_mebibytes(bytes: u64) -> String {
    format!("{}MiB", bytes.div_ceil(1 << 20))
}

fn and_deleted(bytes: u64) -> String {
    if bytes == 0 { String::new() } else { format!(", and {} that later layers delete or replace,", human(bytes)) }
}

fn and_journal(bytes: Option<u64>) -> String {
    bytes.map_or_else(String::new, |bytes| format!(", and a journal of {},", human(bytes)))
}

/// The largest directories, and the largest layers: what each is, and how many bytes it takes.
pub(crate) fn largest(directories: &[DirectoryUsage], layers: &[(String, u64)]) -> Option<Lines> {
    let directories = directories.iter().map(|usage| (&usage.path, usage.bytes));
    let named = directories.chain(layers.iter().map(|(name, bytes)| (name, *bytes))).filter(|(_, bytes)| *bytes > 0);
    Lines::new(named.map(|(name, bytes)| format!("{:>10}  {name}", human(bytes))))
}
