//! SIGINT, SIGTERM and SIGHUP: clean up, say so, and end by that signal. SIGXFSZ: the write that it comes with fails, and says so
//! itself.
//!
//! Whatever a command waits for, these signals end it: each command that catches them has a [`Grace`], and when that is over, or
//! another signal comes, the signal does what it does to programs that do not catch it. So a hung file system, a pipe
//! that nobody reads and a program that does not answer keep nobody waiting. Commands that do not catch them end at once.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nex_cancel::{Cancel, Workspace};
use nex_process::IgnoredSignals;
use nex_terminal::Terminal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::args::format::Stream;
use crate::codes::INTERRUPTED;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::output;

/// The signals that end nex, but for those that its caller has it ignore.
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// How long the disk may take at a forced end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What nex gives back when it ends, however it ends. `main` makes one, and commands lend clones of its parts to what they do.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// What would be left behind.
    pub workspace: Workspace,
    /// The user's terminal.
    pub terminal: Terminal,
}

/// The signals that end nex. What was ignored when nex was started stays so, as with all programs.
fn signals() -> impl Iterator<Item = i32> {
    let ignored = IgnoredSignals::now();
    SIGNALS.into_iter().filter(move |signal| !ignored.has(*signal))
}

/// Lets a write past the limit on file sizes fail with EFBIG: uncaught, SIGXFSZ ends the process without a word.
///
/// # Errors
/// When the signal cannot be caught.
pub fn survive_file_size_limits() -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// A build that a signal ends: a thread of its own cancels it, cleans up what it has begun, and ends nex. It waits for nothing that the
/// build waits for.
///
/// When this is dropped, the build is over, one way or the other, and there is nothing to clean up any more.
pub struct CleanUp {
    is_over: Arc<Mutex<bool>>,
    /// Cancels the build.
    pub cancel: Cancel,
}

impl CleanUp {
    /// Waits for the signals from now on. A program that reads JSON looks for the report there.
    ///
    /// # Errors
    /// When they cannot be caught.
    pub fn when_interrupted(process: &Process, report: Option<Stream>) -> io::Result<Self> {
        let (is_over, cancel) = (Arc::new(Mutex::new(false)), Cancel::new()?);
        // First, so that none comes to the other alone, which waits.
        let (shared, mut signals) = (Arc::clone(&is_over), Signals::new(signals())?);
        end_when_overdue(Grace::CLEAN_UP, process)?;
        let (token, process) = (cancel.clone(), process.clone());
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            let Some(signal) = signals.forever().next() else { return };
            // Kept for ever: a thread that ends the build now waits for the end of nex.
            let is_over = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if !*is_over {
                token.cancel();
                process.terminal.give_back();
                process.workspace.clean_up();
                let words = format!("interrupted by {}; nothing was written", name(signal));
                let ended = Diagnostic::new(INTERRUPTED, words);
                output::tell_lines(&ended.text());
                output::tell_program(&ended, report);
            }
            end_by(signal, &process);
        })?;
        Ok(Self { is_over, cancel })
    }
}

impl Drop for CleanUp {
    fn drop(&mut self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// Lets the signals end nex at once, for commands that leave nothing to clean up. The kernel does it by itself, but for the first
/// process of a container: that one gets no signal that it does not catch.
///
/// # Errors
/// When they cannot be caught.
pub fn end_at_once(process: &Process) -> io::Result<()> {
    if is_first_process() { end_when_overdue(Grace::NONE, process) } else { Ok(()) }
}

/// How long a command may take to end itself.
#[derive(Clone, Copy, Debug)]
pub struct Grace {
    /// From the first signal on.
    pub first: Duration,
    /// From the second one on; without it, that ends the command. The third always does.
    pub second: Option<Duration>,
}

impl Grace {
    /// For commands that have nothing to do at their end.
    const NONE: Self = Self { first: Duration::ZERO, second: None };

    /// For commands that only have to clean up.
    pub const CLEAN_UP: Self = Self { first: Duration::from_secs(10), second: None };
}

/// Lets the signals end nex that has not ended by itself in time. What holds the program's threads does not matter: this one
/// waits for nothing but signals and time. Guests and setup scripts end with nex, and what they leave that cannot be removed at
/// once is removed by the next command.
///
/// # Errors
/// When the signals cannot be caught.
pub fn end_when_overdue(grace: Grace, process: &Process) -> io::Result<()> {
    let mut signals = Signals::new(signals())?;
    let process = process.clone();
    std::thread::Builder::new().name("overdue".into()).spawn(move || {
        let mut graces = [Some(grace.first), grace.second].into_iter();
        for signal in signals.forever() {
            let Some(patience) = graces.next().flatten() else { end_by(signal, &process) };
            let overdue = process.clone();
            let clock = std::thread::Builder::new().name("grace".into()).spawn(move || {
                std::thread::sleep(patience);
                end_by(signal, &overdue)
            });
            if clock.is_err() {
                end_by(signal, &process);
            }
        }
    })?;
    Ok(())
}

/// Ends nex as if it had not caught the signal: who waits for it sees that signal. Nothing is dropped any more.
pub fn end_by(signal: i32, process: &Process) -> ! {
    process.terminal.give_back_at_once();
    process.workspace.clean_up_within(LAST_WORDS);
    if is_first_process() {
        // The kernel lets no signal end it by default.
        signal_hook::low_level::exit(End::Signal(signal).exit_code().into());
    }
    // It returns for signals that are ignored without a handler, and these have no such default.
    drop(signal_hook::low_level::emulate_default_handler(signal));
    std::process::abort()
}

/// Whether nex is what a container, or a machine, has started first.
fn is_first_process() -> bool {
    std::process::id() == 1
}

/// The signals as something to wait for beside other things. The caller that waits cleans up.
pub struct Interrupt {
    file: UnixStream,
    signal: Arc<AtomicUsize>,
    // Where all signals are ignored, nobody else keeps the other end open.
    _write: UnixStream,
}

impl Interrupt {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// When they cannot be caught.
    pub fn catch() -> io::Result<Self> {
        let (file, write) = UnixStream::pair()?;
        let signal = Arc::new(AtomicUsize::new(0));
        for number in signals() {
            // In this order: who wakes up finds the number.
            signal_hook::flag::register_usize(
                number,
                Arc::clone(&signal),
                usize::try_from(number).unwrap_or_default(),
            )?;
            signal_hook::low_level::pipe::register(number, write.try_clone()?)?;
        }
        Ok(Self { file, signal, _write: write })
    }

    /// Readable when one has come.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Takes note of the one that has come, and gives its number: the file is readable again when the next one comes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn take(&mut self) -> io::Result<u8> {
        self.file.read_exact(&mut [0])?;
        Ok(u8::try_from(self.signal.load(Ordering::SeqCst)).unwrap_or_default())
    }

    /// The one that has come last, taken note of or not.
    pub fn came(&self) -> Option<i32> {
        i32::try_from(self.signal.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }

    /// A failure, as the signal's doing if one has come.
    pub fn blamed_for(&self, failure: Diagnostic) -> Diagnostic {
        match self.came() {
            Some(signal) => failure.by_signal(signal),
            None => failure,
        }
    }
}

/// The name of a signal that ends nex.
pub fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}
