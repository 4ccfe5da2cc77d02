//! The caller's side of a run.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nex_cancel::{Cancel, Workspace};
use nex_terminal::Terminal;
use nex_text::Lines;

use crate::error::Error;
use crate::ids::{Ids, WayOut};
use crate::incoming::{Incoming, unexpected};
use crate::keep::keep;
use crate::memory_group::MemoryGroup;
use crate::monitor_process::Monitor;
use crate::node::{Change, Node};
use crate::options::{MemoryBound, Network, Options};
use crate::output::{Output, read_lines, short_line};
use crate::protocol::{Answer, Ending, Limit, Order, Outcome, Setup};
use crate::resolver;
use crate::terminal;
use crate::uplink::Uplink;
use crate::work_dir::RunDir;

/// A run, from the start of its monitor to the removal of its tree.
pub struct Sandbox {
    monitor: Monitor,
    /// It is removed after the monitor has ended, and with it all that is in it.
    _memory_group: Option<MemoryGroup>,
    run: RunDir,
    options: Options,
    ids: Ids,
}

/// A run whose tree is being laid out.
pub struct Laying {
    sandbox: Sandbox,
    /// Where files come from that are made inside: the scripts' output, and then the terminal of a shell.
    passage: UnixStream,
}

/// A run whose scripts are done.
pub struct Changes {
    sandbox: Sandbox,
    incoming: Incoming,
    memory: MemoryBound,
}

/// How the scripts have ended.
struct Ended {
    ending: Ending,
    /// Of their output, fit for a message.
    last_lines: Vec<String>,
    /// Whether a shell begins now.
    shell: bool,
}

impl Sandbox {
    /// Starts a run. Pieces of files name places in `source`. What killed runs have left stays where it is until
    /// [`remove_abandoned`](crate::remove_abandoned) is called.
    ///
    /// Once it is cancelled, whatever waits for it fails with [`Error::Cancelled`], and its tree is removed as it is dropped. The
    /// workspace ends it in the same way.
    ///
    /// # Errors
    /// When the machine does not allow it.
    pub fn start(options: Options, source: &File, cancel: &Cancel, workspace: &Workspace) -> Result<Laying, Error> {
        let run = RunDir::create(&options.work_dir)?;
        let ids = Ids::choose();
        let (passage, other_side) = UnixStream::pair().map_err(Error::Monitor)?;
        let memory_group = MemoryGroup::make(options.world.limits.memory);
        let mut files = vec![source.as_fd(), other_side.as_fd()];
        files.extend(memory_group.iter().flat_map(|group| [group.processes.as_fd(), group.events.as_fd()]));
        let mut monitor = Monitor::spawn(&run, &files, &ids, cancel, workspace)?;
        let setup = Setup {
            place: std::path::absolute(&run.path).map_err(Error::Monitor)?,
            ids: ids.in_tree(),
            groups: ids.only_one().is_none(),
            world: options.world.clone(),
            uplink: Uplink::choose(options.world.network),
            keep_failed: options.keep_failed.is_some(),
            has_memory_group: memory_group.is_some(),
            resolver: (options.world.network == Network::Host).then(resolver::lent),
        };
        monitor.order(&Order::Start(Box::new(setup)))?;
        let sandbox = Self { monitor, _memory_group: memory_group, run, options, ids };
        Ok(Laying { sandbox, passage })
    }

    /// The name of a script; behind the last one comes the shell.
    fn script(&self, number: usize) -> String {
        self.options.world.scripts.get(number).map_or_else(|| "shell".into(), |script| script.name.clone())
    }

    /// The line that the shell of a script had come to: of a loop or the call of a function, the last one.
    fn reached(&self, script: usize, line: Option<u64>) -> String {
        let text = |line: u64| {
            let content = &self.options.world.scripts.get(script)?.content;
            let line = usize::try_from(line).ok()?.checked_sub(1)?;
            Some(short_line(content.split(|byte| *byte == b'\n').nth(line)?).trim().to_owned())
        };
        match line.and_then(|line| Some((line, text(line)?))) {
            Some((line, text)) => format!(", having come to line {line}, '{text}'"),
            None => String::new(),
        }
    }

    /// Passes the scripts' output on until they have ended.
    fn until_ended(&mut self, passage: &UnixStream, line: &mut (dyn FnMut(&[u8]) + Send)) -> Result<Ended, Error> {
        let output = File::from(self.monitor.passed(passage)?);
        let (running, ends) = io::pipe().map_err(Error::Monitor)?;
        let output = Output::new(output, running).map_err(Error::Monitor)?;
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_lines(output, line));
            let answer = self.monitor.answer();
            drop(ends);
            let (ending, shell) = match answer? {
                Answer::Shell(ending) => (ending, true),
                Answer::Ended(ending) => (ending, false),
                answer => return Err(unexpected(&answer)),
            };
            Ok(Ended { ending, last_lines: reader.join().unwrap_or_default(), shell })
        })
    }

    /// Why the scripts failed, if they did.
    fn check(&self, ending: &Ending, last_lines: &[String]) -> Result<(), Error> {
        let (mut hint, remedy) = match (&ending.refused, self.ids.only_one()) {
            (Some(refused), Some(WayOut { why, remedy })) => {
                (format!("; {refused}, as there is only one user id here: {why}"), Some(remedy.clone()))
            }
            _ => (String::new(), None),
        };
        if let Some(directory) = &self.options.keep_failed {
            hint += &format!("; what it left is in '{}'", directory.display());
        }
        let heading = last_lines.first().map(|_| "its last lines were:".to_owned());
        let last_lines = Lines::new(heading.into_iter().chain(last_lines.iter().cloned()));
        let reached = |script| self.reached(script, ending.line);
        Err(match ending.outcome {
            Outcome::Done => return Ok(()),
            Outcome::Exit { script, code } => {
                Error::Failed { name: self.script(script), code, hint: reached(script) + &hint, remedy, last_lines }
            }
            Outcome::Signal { script, signal } => {
                Error::Killed { name: self.script(script), signal, hint: reached(script) + &hint, remedy, last_lines }
            }
            Outcome::Limit { script, limit: Limit::Time } => Error::Time {
                name: self.script(script),
                reached: reached(script),
                limit: self.options.world.limits.time,
            },
            Outcome::Limit { script, limit: Limit::Memory } => {
                Error::Memory { name: self.script(script), limit: self.options.world.limits.memory }
            }
            Outcome::Limit { script, limit: Limit::Disk(reserve) } => {
                Error::Disk { name: self.script(script), path: self.options.work_dir.clone(), reserve }
            }
            Outcome::Limit { script, limit: Limit::Files(reserve) } => {
                Error::Files { name: self.script(script), path: self.options.work_dir.clone(), reserve }
            }
            Outcome::Limit { script, limit: Limit::Devices(limit) } => {
                Error::Devices { name: self.script(script), limit }
            }
            Outcome::Limit { script, limit: Limit::Sight } => Error::Unseen { name: self.script(script) },
        })
    }

    /// Why something failed, unless it is that the tree was taken away meanwhile.
    fn or_gone(&self, error: Error) -> Error {
        match self.run.is_in_place() {
            Ok(false) if !matches!(error, Error::Cancelled(_)) => self.gone(),
            _ => error,
        }
    }

    fn gone(&self) -> Error {
        Error::Gone { path: self.run.path.clone() }
    }

    /// Waits until the tree is removed.
    fn finish(mut self) -> Result<(), Error> {
        match self.monitor.answer()? {
            Answer::Removed => {}
            answer => return Err(unexpected(&answer)),
        }
        self.run.remove().map_err(Error::work_dir(&self.run.path))
    }
}

impl Laying {
    /// Adds the next node to the tree: a directory before what is in it.
    ///
    /// # Errors
    /// When the tree cannot take it.
    pub fn place(&mut self, node: Node) -> Result<(), Error> {
        self.sandbox.monitor.send(&Order::Place(node))
    }

    /// Runs the scripts. Each line of their output is given to `line` as it comes, without its end.
    ///
    /// # Errors
    /// When the tree cannot be laid out, or a script fails.
    pub fn run(self, line: &mut (dyn FnMut(&[u8]) + Send)) -> Result<Changes, Error> {
        let Self { mut sandbox, passage } = self;
        sandbox.monitor.order(&Order::Run { shell: None })?;
        let Ended { ending, last_lines, .. } = sandbox.until_ended(&passage, line)?;
        let memory = ending.memory;
        match sandbox.check(&ending, &last_lines) {
            Ok(()) => Ok(Changes { sandbox, incoming: Incoming::default(), memory }),
            Err(error) => {
                let error = sandbox.or_gone(error);
                let mut changes = Changes { sandbox, incoming: Incoming::default(), memory };
                if let Some(directory) = changes.sandbox.options.keep_failed.clone() {
                    let monitor = &mut changes.sandbox.monitor.channel;
                    keep(&mut changes.incoming, monitor, &directory)
                        .map_err(|cause| Error::Keep { directory, cause })?;
                }
                // A tree that stays is told by the next command; this one has something better to say.
                changes.finish().ok();
                Err(error)
            }
        }
    }

    /// Runs the scripts, and then an interactive shell on the terminal, which must be standard output too, in the state that
    /// the last script has left, or the first that has failed. `begins` is told why that one has. Nothing of the tree is
    /// kept.
    ///
    /// # Errors
    /// When the tree cannot be laid out, a script fails, or there is no terminal or no shell.
    pub fn shell(
        self,
        terminal: &Terminal,
        line: &mut (dyn FnMut(&[u8]) + Send),
        begins: &mut dyn FnMut(Option<&Error>),
    ) -> Result<(), Error> {
        let Self { mut sandbox, passage } = self;
        sandbox.options.keep_failed = None;
        let kind = std::env::var("TERM").unwrap_or_else(|_| "dumb".into());
        sandbox.monitor.order(&Order::Run { shell: Some(kind) })?;
        let Ended { mut ending, last_lines, shell } = sandbox.until_ended(&passage, line)?;
        if shell {
            begins(sandbox.check(&ending, &last_lines).err().as_ref());
            let shell = sandbox.monitor.passed(&passage)?;
            terminal::lend(terminal, shell, &sandbox.monitor.channel)
                .map_err(Error::unless_cancelled(Error::Terminal))?;
            ending = match sandbox.monitor.answer()? {
                Answer::Ended(ending) => ending,
                answer => return Err(unexpected(&answer)),
            };
        }
        sandbox.check(&ending, &last_lines)?;
        sandbox.finish()
    }
}

impl Changes {
    /// What held the memory of the scripts.
    pub fn memory_bound(&self) -> MemoryBound {
        self.memory
    }

    /// The next change, in the order of the paths; removals come last. `None` when there are no more, and nobody has begun to remove the
    /// tree by then: what was told before may have missed what such a removal took.
    ///
    /// # Errors
    /// When the tree cannot be read, or was taken away.
    pub fn next_change(&mut self) -> Result<Option<Change>, Error> {
        let change = self.incoming.next_change(&mut self.sandbox.monitor.channel);
        match self.sandbox.monitor.noting(change) {
            Ok(None) => match self.sandbox.run.is_in_place().map_err(Error::work_dir(&self.sandbox.run.path))? {
                true => Ok(None),
                false => Err(self.sandbox.gone()),
            },
            Err(error) => Err(self.sandbox.or_gone(error)),
            change => change,
        }
    }

    /// The next bytes of the file that the last change was about: of all its pieces, one after the other.
    ///
    /// # Errors
    /// When the monitor is gone.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.incoming.read(&mut self.sandbox.monitor.channel, buffer)
    }

    /// Waits until the tree is removed. Not called, the monitor removes it all the same, and nobody learns whether it could.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn finish(self) -> Result<(), Error> {
        self.sandbox.finish()
    }
}
