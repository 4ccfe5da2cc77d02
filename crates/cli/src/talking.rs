//! What commands have in common that talk with a program in a guest.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;

use nex_channel::{Exit, Flow, Signal};
use nex_client::{Caller, Detach, Talk, TalkError, Talked, Wish};
use nex_contract::{ByteString, Request, TerminalSize};
use signal_hook::consts::SIGINT;

use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::Process;
use crate::output;

/// What goes between the caller and the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Output alone.
    Output,
    /// Output alone, and no signals.
    LookOn,
    /// Input and output.
    InputAndOutput,
    /// The output of a terminal, to which no keys go.
    Screen,
    /// A terminal, with every key.
    Terminal,
}

impl Streams {
    /// Those that two flags ask for.
    pub fn of(interactive: bool, tty: bool) -> Self {
        match (interactive, tty) {
            (false, false) => Self::Output,
            (true, false) => Self::InputAndOutput,
            (false, true) => Self::Screen,
            (true, true) => Self::Terminal,
        }
    }

    /// Whether standard input goes to the program.
    pub fn has_input(self) -> bool {
        matches!(self, Self::InputAndOutput | Self::Terminal)
    }

    /// Whether the program has a terminal.
    pub fn has_terminal(self) -> bool {
        matches!(self, Self::Screen | Self::Terminal)
    }
}

/// The size of the caller's terminal; 0 where there is no terminal.
pub fn size() -> TerminalSize {
    nex_client::terminal_size().unwrap_or_default()
}

/// The type of the caller's terminal, where it can be passed on.
pub fn term() -> String {
    let term = std::env::var("TERM").unwrap_or_default();
    let is_type = term.len() <= nex_contract::MAX_NAME && term.bytes().all(|byte| byte.is_ascii_graphic());
    if is_type { term } else { String::new() }
}

/// A text for the guest.
///
/// # Errors
/// When it has a zero byte, which no argument of a process has.
pub fn bytes(text: impl AsRef<OsStr>) -> Result<ByteString, Diagnostic> {
    ByteString::try_from(text.as_ref().to_owned()).map_err(|error| Diagnostic::usage(error.to_string()))
}

/// Talks until the program has ended, and says how nex ends then.
///
/// # Errors
/// When the guest does not do what was asked for, or the program cannot be started.
pub fn talk(
    connection: UnixStream,
    request: &Request,
    streams: Streams,
    detach: Detach,
    process: &Process,
) -> Result<End, Diagnostic> {
    let terminal = (streams == Streams::Terminal).then(|| process.terminal.clone());
    let mut user = User { streams, came: None };
    let talked = nex_client::talk(connection, request, &mut user, &Talk { terminal, detach });
    match talked.map_err(failure)? {
        Talked::Exit(exit) => end(exit, user.came),
        Talked::Detached => Ok(End::DONE),
        Talked::Left => Ok(user.came.map_or(End::Code(nex_run::FAILED), |signal| End::Signal(signal.number().into()))),
    }
}

/// How nex ends when the program has. A shell ends a loop at Ctrl-C only if what ran in it has died of that.
fn end(exit: Exit, came: Option<Signal>) -> Result<End, Diagnostic> {
    match exit {
        Exit::Code(code) => Ok(End::Code(code)),
        Exit::Signal(signal) if came == Some(signal) && i32::from(signal.number()) == SIGINT => Ok(End::Signal(SIGINT)),
        Exit::Signal(signal) => Ok(End::Code(End::Signal(signal.number().into()).exit_code())),
        Exit::NotStarted { code, reason } => {
            let unstarted = Diagnostic::new(nex_contract::codes::NOT_STARTED, "the guest does not start the program");
            Err(unstarted.because(nex_text::in_one_line(reason)).with_exit_code(code.code()))
        }
    }
}

fn failure(error: TalkError) -> Diagnostic {
    match &error {
        TalkError::Output(_, cause) if cause.kind() == ErrorKind::BrokenPipe => Diagnostic::enough(),
        _ => Diagnostic::of(&error).with_exit_code(nex_run::FAILED),
    }
}

/// Who sits before it.
struct User {
    streams: Streams,
    /// The last signal that came to nex.
    came: Option<Signal>,
}

impl Caller for User {
    fn signal(&mut self, signal: Signal) -> Wish {
        self.came = Some(signal);
        match self.streams {
            // Keys do all that, so that it is nex alone that is to end.
            Streams::Terminal | Streams::LookOn => Wish::Leave,
            Streams::Output | Streams::InputAndOutput | Streams::Screen => Wish::Send(signal),
        }
    }

    fn wrote(&mut self, flow: Flow, bytes: &[u8]) {
        if flow == Flow::Stderr {
            output::note_error_bytes(bytes);
        }
    }
}
