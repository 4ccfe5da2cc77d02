//! Puts another agent into a root filesystem that exists, in place and in milliseconds.
//!
//! The agent is looked at as a build looks at it, by what the file system has now. Name, links and extended attributes of the
//! file stay, and nothing else of the root filesystem names the agent's content. Owner and mode stay, too, unless the agent
//! runs as root and somebody else could write it: then it becomes root's, as a build would make it.

use std::io;
use std::path::PathBuf;

use nex_contract::Document;
use nex_ext4::reader::Inode;
use nex_ext4::{EditError, Editor, FileType, Replaced, Timestamp};
use nex_fault::{Code, Fault, Note, Remedy};
use nex_inspect::{ReaderView, Trouble};
use nex_text::human;
use serde::Serialize;
use thiserror::Error;

use crate::agent::{self, native};
use crate::agent_file::{AgentFile, AgentFileError};
use crate::codes;
use crate::error::Error;
use crate::existing_file::ExistingFile;
use crate::guest::{AGENT, AgentUser};
use crate::phases::Phases;
use crate::report::{AgentReport, PhaseReport};

/// What to change.
#[derive(Clone, Debug)]
pub struct SetAgentOptions {
    /// The root filesystem.
    pub file: PathBuf,
    /// The program that becomes the agent.
    pub agent: PathBuf,
    /// The time that the agent's file gets, in seconds since 1970; else it keeps the times that it has.
    pub source_date_epoch: Option<i64>,
}

/// What was changed. Sizes are in bytes unless the name says otherwise.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAgentReport {
    /// That of [`Document::SetAgent`].
    pub schema_version: u32,
    /// The root filesystem.
    pub file: String,
    /// The new agent.
    pub agent: AgentReport,
    /// The blocks of 4,096 bytes that the agent before took.
    pub blocks_before: u64,
    /// The blocks that the new one takes.
    pub blocks: u64,
    /// The pieces that they are in.
    pub pieces: usize,
    /// What is free now.
    pub free: u64,
    /// What the user may want to know.
    pub notes: Vec<Note>,
    /// How long each phase took, in order.
    pub phases: Vec<PhaseReport>,
}

/// Why the agent stays as it was.
#[derive(Debug, Error)]
pub enum SetAgentError {
    /// There is no agent to replace.
    #[error("'{}' has no agent at {}", .0.display(), AGENT.escape_ascii())]
    NoAgent(PathBuf),
    /// What stands in the agent's place is no regular file.
    #[error("'{}' has {what} at {} in place of the agent", .file.display(), AGENT.escape_ascii())]
    NotAFile {
        /// The root filesystem.
        file: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The agent would not run in the root filesystem.
    #[error("the agent does not suit '{}'", .file.display())]
    Unfit {
        /// The root filesystem.
        file: PathBuf,
        /// Why.
        #[source]
        cause: agent::Error,
    },
    /// The agent does not fit beside the one that is there.
    #[error(
        "'{}' has no room for the agent: it takes {} beside the present one, and {} are free; \
         {} are missing",
        .file.display(), human(*.needed), human(*.free), human(.needed.saturating_sub(*.free))
    )]
    NoRoom {
        /// The root filesystem.
        file: PathBuf,
        /// What the agent takes, in bytes.
        needed: u64,
        /// What is free, in bytes.
        free: u64,
    },
    /// What the file system has cannot be read.
    #[error("cannot read the file system")]
    Read(#[source] io::Error),
}

impl Fault for SetAgentError {
    fn code(&self) -> Code {
        match self {
            Self::NoAgent(_) | Self::NotAFile { .. } => codes::CHANGE_NO_AGENT,
            Self::Unfit { cause, .. } => cause.code(),
            Self::NoRoom { .. } => codes::CHANGE_NO_ROOM,
            Self::Read(_) => codes::CHANGE_UNREADABLE,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say(match self {
            Self::NoAgent(_) | Self::NotAFile { .. } => "make it anew with nex rootfs".to_owned(),
            Self::NoRoom { file, needed, free } => {
                let (file, more) = (nex_text::shell_word(file), growth(*needed, *free));
                format!("make room with: nex rootfs grow {file} +{more}MiB")
            }
            Self::Unfit { cause, .. } => return cause.remedy(),
            Self::Read(_) => return None,
        }))
    }
}

/// What is missing in MiB, and something for the metadata of what grows.
fn growth(needed: u64, free: u64) -> u64 {
    const METADATA: u64 = 4;
    let missing = needed.saturating_sub(free).div_ceil(1 << 20);
    missing + missing / 32 + METADATA
}

/// Replaces the agent.
///
/// # Errors
/// When the agent would not run, or the file cannot be changed. The agent before stays then, unless the message says that
/// the file asks for recovery.
pub fn set_agent(options: &SetAgentOptions) -> Result<SetAgentReport, Error> {
    let mut phases = Phases::start("open");
    let agent = AgentFile::open(&options.agent.as_path().into())?;
    let file = ExistingFile::open(&options.file)?;
    let mut editor = file.editor()?;
    let found = find_agent(options, &file, &editor)?;

    phases.next("check");
    check(options, &agent, &file, &editor)?;

    phases.next("write");
    let becomes_roots = others_may_write(&found) && runs_as_root(&file, &editor)?;
    let change = Change {
        owner: becomes_roots.then_some(AgentUser::Root),
        time: options.source_date_epoch.map(|seconds| Timestamp { seconds, nanoseconds: 0 }),
    };
    let replaced = replace(options, &agent, &file, &mut editor, change)?;
    Ok(SetAgentReport {
        schema_version: Document::SetAgent.schema_version(),
        file: options.file.display().to_string(),
        agent: agent.report,
        blocks_before: replaced.old_blocks,
        blocks: replaced.new_blocks,
        pieces: replaced.extents,
        free: replaced.free_blocks * nex_ext4::BLOCK_SIZE,
        notes: notes(&found, becomes_roots),
        phases: phases.finish(),
    })
}

fn find_agent(options: &SetAgentOptions, file: &ExistingFile, editor: &Editor) -> Result<Inode, Error> {
    let found = editor.reader().lstat(AGENT).map_err(|cause| file.error(cause.into()))?;
    let found = found.ok_or_else(|| SetAgentError::NoAgent(options.file.clone()))?;
    let what = match found.file_type {
        FileType::Regular => return Ok(found),
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        _ => "a special file",
    };
    Err(SetAgentError::NotAFile { file: options.file.clone(), what }.into())
}

/// What else becomes of the agent's file.
struct Change {
    owner: Option<AgentUser>,
    time: Option<Timestamp>,
}

/// Whether anybody but root may write a file.
fn others_may_write(found: &Inode) -> bool {
    const OTHERS: u16 = 0o022;
    found.uid != 0 || found.mode & OTHERS != 0
}

fn runs_as_root(file: &ExistingFile, editor: &Editor) -> Result<bool, Error> {
    let trouble = Trouble::default();
    let user = AgentUser::of(&ReaderView::new(editor.reader(), &trouble));
    match trouble.take() {
        Some(cause) => Err(file.error(cause.into()).into()),
        None => Ok(user? == AgentUser::Root),
    }
}

/// The agent is for this kind of processor, and everything that it needs is there.
fn check(options: &SetAgentOptions, agent: &AgentFile, file: &ExistingFile, editor: &Editor) -> Result<(), Error> {
    let trouble = Trouble::default();
    let view = ReaderView::new(editor.reader(), &trouble);
    let processor = native::processor(&view);
    let fitting =
        processor.map(|processor| processor.map_or(Ok(()), |processor| agent.program.check_processor(processor)));
    let runnable = agent.program.check_in(&view);
    // What looks as if something was missing may be damage.
    if let Some(cause) = trouble.take() {
        return Err(file.error(cause.into()).into());
    }
    let unfit = |cause| SetAgentError::Unfit { file: options.file.clone(), cause };
    fitting.map_err(SetAgentError::Read)?.map_err(unfit)?;
    Ok(runnable.map_err(unfit)?)
}

/// Copies the agent, as long as it is still the one that was inspected.
fn replace(
    options: &SetAgentOptions,
    agent: &AgentFile,
    file: &ExistingFile,
    editor: &mut Editor,
    change: Change,
) -> Result<Replaced, Error> {
    let edit_error = |cause| edit_error(options, file, cause);
    let mut replacement = editor.replace(AGENT, agent.report.bytes).map_err(edit_error)?;
    if let Some(user) = change.owner {
        let (uid, gid) = user.owner();
        replacement.set_owner(uid, gid, user.mode());
    }
    agent.copy_to(|bytes| replacement.write(bytes).map_err(edit_error))?;
    replacement.commit(change.time).map_err(edit_error)
}

fn edit_error(options: &SetAgentOptions, file: &ExistingFile, cause: EditError) -> Error {
    let bytes = |blocks: u64| blocks * nex_ext4::BLOCK_SIZE;
    match cause {
        EditError::NoRoom { needed, free } => {
            SetAgentError::NoRoom { file: options.file.clone(), needed: bytes(needed), free: bytes(free) }.into()
        }
        EditError::LengthChanged { .. } => AgentFileError::Changed.into(),
        cause => file.error(cause).into(),
    }
}

fn notes(found: &Inode, becomes_roots: bool) -> Vec<Note> {
    const ANY_EXECUTE: u16 = 0o111;
    let mut notes = Vec::new();
    if becomes_roots {
        let (mode, uid, gid) = (found.mode & 0o7777, found.uid, found.gid);
        notes.push(Note::new(format!(
            "the agent runs as root, but others could write it (mode {mode:o}, owner {uid}:{gid}); now only root can"
        )));
    }
    if found.links > 1 {
        let names = found.links;
        notes.push(Note::new(format!("the agent's file has {names} names, and all of them are the new agent now")));
    }
    if found.mode & ANY_EXECUTE == 0 && !becomes_roots {
        let mode = found.mode;
        notes.push(Note::new(format!("nobody may execute the agent: its mode in the file system is {mode:o}")));
    }
    notes
}
