//! Setup scripts: run in the merged tree, and what they change becomes a layer on top of it.

mod apply;
mod bounds;
mod cached_run;
mod clean;
mod content;
mod fault;
mod feed;
pub mod fuzzing;
mod key;
mod lay_out;
mod mounted;
mod record;
mod report_builder;
mod result;

use std::fs::File;
use std::os::fd::AsRawFd;

use nex_cache::{Cache, Key};
use nex_cancel::{Cancel, Workspace};
use nex_contract::split_variable;
use nex_ext4::{Timestamp, Writer};
use nex_fault::{Fault, Note, Remedy, Setting, whole};
use nex_program::BadScript;
use nex_sandbox::{AbstractSockets, Changes, Laying, Network, Sandbox, abstract_sockets, only_one_id};
use nex_terminal::Terminal;
use thiserror::Error;

use crate::events::Events;
use crate::layer::PathError;
use crate::merge::{Merge, MergeError};
use crate::report::ScriptReport;
use apply::Apply;
pub use bounds::Bounds;
use bounds::TooMuch;
use cached_run::CachedRun;
use feed::Feed;

pub use clean::{CLEAN_GROUPS, Clean, CleanGroup};
pub use result::SNAPSHOT;

/// What to run in the image before it is dressed.
#[derive(Clone, Debug)]
pub struct ScriptOptions {
    /// The scripts, and the world in which they run.
    pub sandbox: nex_sandbox::Options,
    /// What of logs, caches and what differs each time is left out of the result.
    pub clean: Clean,
    /// The directory that is the result; else the whole tree, or [`SNAPSHOT`] if a script leaves that.
    pub snapshot: Option<Vec<u8>>,
    /// The latest time that anything of the scripts gets, in seconds since 1970.
    pub latest: Option<i64>,
}

impl ScriptOptions {
    /// Looks at the scripts' first lines, before any work is done.
    ///
    /// # Errors
    /// When the kernel, or the shell, would not run one as it was meant.
    pub(crate) fn check(&self) -> Result<(), ScriptError> {
        for script in &self.sandbox.world.scripts {
            let cause = match nex_program::Script::parse(&script.content) {
                Ok(None) => first_line_with_cr(&script.content).map(|line| BadScript::Crlf(line.to_vec())),
                Ok(Some(_)) => None,
                Err(cause) => Some(cause),
            };
            if let Some(cause) = cause {
                return Err(ScriptError::FirstLine { script: script.name.clone(), cause });
            }
        }
        Ok(())
    }

    /// The same with variables of the image, `NAME=value` each, below those that the user gives.
    pub(crate) fn above(&self, image: &[String]) -> Self {
        let mut options = self.clone();
        let image = image.iter().filter_map(|variable| split_variable(variable));
        options.sandbox.world.env.splice(0..0, image.map(|(name, value)| (name.to_owned(), value.to_owned())));
        options
    }

    /// Whether a path is left out of the result when a script made or changed it. In the directory that becomes the root, paths
    /// mean what they will there.
    fn leaves_out(&self, path: &[u8], is_directory: bool) -> bool {
        let snapshot = self.snapshot.as_deref().unwrap_or(SNAPSHOT);
        let snapshot: Vec<_> =
            snapshot.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
        let inside = path.strip_prefix(&*snapshot.join(&b'/')).and_then(|rest| rest.strip_prefix(b"/"));
        self.clean.leaves_out(inside.unwrap_or(path), is_directory)
    }
}

/// The first line of a text for the shell, if it ends as on Windows. Its commands would have a CR for a part of their last words.
fn first_line_with_cr(content: &[u8]) -> Option<&[u8]> {
    let end = content.iter().position(|&byte| byte == b'\n')?;
    content[..end].last().filter(|&&byte| byte == b'\r').map(|_| &content[..end])
}

/// Why the scripts' changes are not in the image.
#[derive(Debug, Error)]
pub enum ScriptError {
    /// The first line of one is not what was meant.
    #[error("the script {} would not run", nex_text::short_name(.script))]
    FirstLine {
        /// The script.
        script: String,
        /// What is wrong with the line.
        #[source]
        cause: BadScript,
    },
    /// They did not run, or not to the end.
    #[error(transparent)]
    Sandbox(#[from] nex_sandbox::Error),
    /// A name that they made.
    #[error("the setup script made '{path}': the name {cause}")]
    Path {
        /// The path, escaped.
        path: String,
        /// What is wrong with it.
        cause: PathError,
    },
    /// Attributes that ext4 cannot hold.
    #[error("the setup script made '{path}'")]
    Xattrs {
        /// The path, escaped.
        path: String,
        /// What is wrong with them.
        #[source]
        cause: nex_ext4::XattrError,
    },
    /// A change contradicts the tree.
    #[error("the setup script made '{path}': it {cause}")]
    Merge {
        /// The path, escaped.
        path: String,
        /// Why.
        cause: MergeError,
    },
    /// They made more than there may be.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The directory that is to be the result.
    #[error("the setup script left no directory {0} to become the root")]
    NoSnapshot(String),
    /// What the cache has kept of an earlier run ends before it should.
    #[error("its bytes cannot be read")]
    Record(#[source] std::io::Error),
    /// What the cache has kept of an earlier run makes no sense.
    #[error("the setup script's changes in the cache make no sense: {what}")]
    CachedRun {
        /// The key of the run.
        key: Key,
        /// What is wrong with them.
        what: String,
    },
    /// The image under way cannot be read back.
    #[error("cannot read the image back")]
    Source(#[source] std::io::Error),
    /// The output cannot take the content.
    #[error(transparent)]
    Output(#[from] nex_ext4::Error),
}

/// What scripts have done to the tree.
pub struct Ran {
    /// The run, if there was one: its tree is still on the disk.
    changes: Option<Changes>,
    /// What there is to say about it.
    pub report: ScriptReport,
    /// Blocks of content that it brought.
    pub blocks: u64,
}

impl Ran {
    /// Waits until the tree is removed, and gives the report. A tree that stays is no fault of the image.
    pub fn finish(self, notes: &mut Vec<Note>) -> ScriptReport {
        if let Some(Err(error)) = self.changes.map(Changes::finish) {
            let stays = "the setup script's tree stays until the next command, which removes it";
            notes.push(Note::new(whole(&error)).about(stays));
        }
        self.report
    }
}

/// What a run has around it.
pub struct Context<'a> {
    /// The file that the writer writes to.
    pub image: &'a File,
    /// Is told how far it is.
    pub events: &'a dyn Events,
    /// Whether it is still wanted.
    pub cancel: &'a Cancel,
    /// Where its tree and its processes are noted.
    pub workspace: &'a Workspace,
}

/// A cache, and what decides the tree that scripts begin with.
pub struct ScriptCache<'a> {
    /// The cache.
    pub cache: &'a Cache,
    /// The image's layers, and what else decides what is made of them.
    pub base: Vec<String>,
}

/// Runs the scripts in the tree that has been merged so far, and merges what they change; or merges what they changed in an
/// earlier run that began with the same.
///
/// # Errors
/// When a script cannot run or fails, or makes too much, or the output cannot take it.
pub fn run(
    options: &ScriptOptions,
    context: &Context,
    writer: &mut Writer,
    merge: &mut Merge,
    bounds: Bounds,
    cache: Option<&ScriptCache>,
) -> Result<Ran, ScriptError> {
    let events = context.events;
    let world = &options.sandbox.world;
    let only_one_id = only_one_id();
    let cached_run = cache.and_then(|cache| CachedRun::of(cache, world, only_one_id.is_some()));
    let names: Vec<_> = world.scripts.iter().map(|script| script.name.clone()).collect();
    let record = cached_run.as_ref().and_then(CachedRun::record);
    let cached = record.is_some();
    let mut feed = match record {
        Some(record) => {
            names.iter().for_each(|name| events.script_cached(name));
            Feed::Record(record)
        }
        None => {
            let laying = start(options, context, writer, merge)?;
            let changes = laying.run(&mut |line| events.script_output(line))?;
            Feed::Run(Box::new(changes), cached_run.as_ref().map(|run| run.begin(&names)))
        }
    };
    merge.start_layer();
    let applied = Apply::new(options, bounds, writer, merge).all(&mut feed);
    let (mut report, blocks) = applied.map_err(|error| match (error, &feed, &cached_run) {
        // A disk that fails and limits are none of the record's faults, and everything else is.
        (error @ (ScriptError::Output(nex_ext4::Error::Io { .. }) | ScriptError::TooMuch(_)), ..) => error,
        (error, Feed::Record(_), Some(run)) => ScriptError::CachedRun { key: run.key().clone(), what: whole(&error) },
        (error, ..) => error,
    })?;
    let changes = match feed {
        Feed::Record(_) => None,
        Feed::Run(changes, recorder) => {
            if let (Some(run), Some(recorder)) = (&cached_run, recorder) {
                run.publish(recorder, world);
            }
            Some(*changes)
        }
    };
    report.scripts = names;
    report.memory = changes.as_ref().map(Changes::memory_bound);
    report.cached = cached;
    report.snapshot = result::choose(options.snapshot.as_deref(), merge)?;
    let note = |why| {
        Note::new(format!("everything that the setup script made belongs to root, as there is only one user id: {why}"))
    };
    report.notes.extend(only_one_id.map(note));
    if !cached {
        report.notes.extend(network_note(world.network));
    }
    Ok(Ran { changes, report, blocks })
}

/// What else of the machine scripts reach by its network, and who there reaches them.
pub fn network_note(network: Network) -> Option<Note> {
    let what = match abstract_sockets(network) {
        AbstractSockets::Apart => return None,
        AbstractSockets::Inward => {
            "programs of this machine could connect to abstract Unix sockets of the setup script"
        }
        AbstractSockets::Open => {
            "the setup script could connect to abstract Unix sockets of this machine, and its programs to the script's, and \
             files that are open pass by them"
        }
    };
    let apart = Remedy::say("").set(Setting::ScriptNetwork, "none").and("keeps them apart");
    Some(Note::new(format!("{what}, as something supervises nex's system calls")).advising(apart))
}

/// Runs the scripts and then a shell on the terminal, in the tree that has been merged so far. Nothing is merged.
///
/// # Errors
/// When a script cannot run or fails, or there is no terminal or no shell.
pub fn shell(
    options: &ScriptOptions,
    context: &Context,
    writer: &mut Writer,
    merge: &Merge,
    terminal: &Terminal,
) -> Result<(), ScriptError> {
    let events = context.events;
    let laying = start(options, context, writer, merge)?;
    laying.shell(terminal, &mut |line| events.script_output(line), &mut |failure| {
        events.shell_started(failure.map(|failure| failure as &dyn Fault));
    })?;
    Ok(())
}

/// Lays the tree out.
fn start(
    options: &ScriptOptions,
    context: &Context,
    writer: &mut Writer,
    merge: &Merge,
) -> Result<Laying, ScriptError> {
    writer.flush()?;
    // A handle with a position of its own, with which nothing can be written.
    let source = File::open(format!("/proc/self/fd/{}", context.image.as_raw_fd())).map_err(ScriptError::Source)?;
    let mut laying = Sandbox::start(options.sandbox.clone(), &source, context.cancel, context.workspace)?;
    lay_out::lay_out(merge.tree(), &mut laying)?;
    for script in &options.sandbox.world.scripts {
        context.events.script_started(&script.name);
    }
    Ok(laying)
}

/// A time that is not later than the latest.
fn clamp(time: Timestamp, latest: Option<i64>) -> Timestamp {
    match latest {
        Some(latest) => time.min(Timestamp { seconds: latest, nanoseconds: 0 }),
        None => time,
    }
}
