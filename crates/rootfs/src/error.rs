//! Why a build fails, in the user's terms.

use nex_cache::{Key, Shelf};
use nex_cancel::Cancelled;
use nex_fault::{Code, Fault, Remedy, Setting};
use nex_text::{Lines, human};
use thiserror::Error;

use crate::agent_file::AgentFileError;
use crate::dress::DressError;
use crate::existing_file::ExistingFileError;
use crate::foreign::ForeignError;
use crate::links::LinkError;
use crate::output::OutputError;
use crate::place::{EntryName, PlaceCause};
use crate::script::ScriptError;
use crate::set_agent::SetAgentError;
use crate::usage::DirectoryUsage;
use crate::{agent, codes, guest};

/// Why there is no root filesystem.
#[derive(Debug, Error)]
pub enum Error {
    /// The build was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The image cannot be had.
    #[error(transparent)]
    Image(Box<nex_image::Error>),
    /// An entry of a layer cannot be taken.
    #[error("layer {number}{digest}, {entry}")]
    Layer {
        /// The layer's number, from 1 on.
        number: usize,
        /// What it is known by, in brackets, as far as it is.
        digest: String,
        /// The entry.
        entry: EntryName,
        /// What is wrong with it.
        #[source]
        cause: PlaceCause,
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
    #[error("an entry of the cache makes no sense: {what}")]
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
    #[error(transparent)]
    FileSystem(nex_ext4::Error),
    /// The file system cannot hold the tree.
    #[error("the image does not fit into an ext4 file system")]
    Ext4(#[source] nex_ext4::Error),
}

impl From<nex_image::Error> for Error {
    fn from(error: nex_image::Error) -> Self {
        Self::Image(Box::new(error))
    }
}

impl Error {
    /// What the writer says of a part that the user asked for is no fault of the content.
    pub(crate) fn of_ext4(cause: nex_ext4::Error) -> Self {
        match cause {
            nex_ext4::Error::InodeCount { .. }
            | nex_ext4::Error::JournalSize { .. }
            | nex_ext4::Error::ReservedTooLarge { .. }
            | nex_ext4::Error::GrowthTooLarge { .. }
            | nex_ext4::Error::TooLarge { .. } => Self::FileSystem(cause),
            cause => Self::Ext4(cause),
        }
    }

    /// The error of a part, which knows the rest.
    fn part(&self) -> Option<&dyn Fault> {
        Some(match self {
            Self::Cancelled(error) => error,
            Self::Image(error) => &**error,
            Self::Layer { cause, .. } => cause,
            Self::Foreign(error) => error,
            Self::AgentFile(error) => error,
            Self::Agent(error) => error,
            Self::Guest(error) => error,
            Self::Dress(error) => error,
            Self::Links(error) => error,
            Self::Existing(error) => error,
            Self::SetAgent(error) => error,
            Self::Script(error) => error,
            Self::Output(error) => error,
            Self::TooSmall(error) => &**error,
            Self::FileSystem(error) | Self::Ext4(error) => error,
            Self::Cached { .. } => return None,
        })
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        self.part().map_or(codes::CACHED, Fault::code)
    }

    fn remedy(&self) -> Option<Remedy> {
        match self.part() {
            Some(part) => part.remedy(),
            None => Some(Remedy::say("build with").allow(Setting::NoCache)),
        }
    }
}

/// A size that the content does not fit into.
#[derive(Debug, Error)]
#[error(
    "the content does not fit: {} in {inodes} inodes{}{} need {needed} bytes, but the size is {size}",
    human(*.content), and_deleted(*.deleted), and_journal(*.journal)
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

impl Fault for TooSmall {
    fn code(&self) -> Code {
        codes::TOO_SMALL
    }

    fn remedy(&self) -> Option<Remedy> {
        let enough = Remedy::say("ask for").set(Setting::Size, in_mebibytes(self.needed));
        Some(enough.and("or more, or for").set(Setting::Size, "auto"))
    }
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
    let mut named = named.map(|(name, bytes)| format!("{:>10}  {name}", human(bytes))).peekable();
    let heading = named.peek().map(|_| "the largest are:".to_owned());
    Lines::new(heading.into_iter().chain(named))
}
