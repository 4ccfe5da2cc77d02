//! A run that its caller waits for.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use nex_channel::{Flow, Signal};
use nex_client::{Caller, Detach, Talk, TalkError, Wish, talk, terminal_size};
use nex_contract::{Attach, Request, Stdin};
use nex_supervise::api::{self, Notice};
use serde::Deserialize;
use serde::de::IgnoredAny;
use signal_hook::consts::{SIGINT, SIGQUIT};

use super::args::RunArgs;
use super::connection::{Connection, Last, lost, refused};
use super::options::failed;
use super::sweep;
use super::unread_input::UnreadInput;
use crate::args::format::Format;
use crate::console::Console;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::{Interrupt, Process};
use crate::output::{self, tell, tell_lines};

/// Runs the program, and ends as it has ended.
///
/// # Errors
/// When there is no supervisor, it is killed, or the output is not taken.
pub fn run(args: &RunArgs, process: &Process, interrupt: Interrupt) -> Result<End, Diagnostic> {
    if args.interactive && args.tty && !std::io::stdin().is_terminal() {
        let refused = Diagnostic::usage("standard input is no terminal, which --interactive with --tty needs");
        return Err(failed(refused.hinting("leave --tty out")));
    }
    let (frames, theirs) = UnixStream::pair().map_err(|error| failed(Diagnostic::system(error)))?;
    let connection = Connection::start(OwnedFd::from(theirs).into(), Stdio::inherit())?;
    sweep::run();
    let mut starter = Starter {
        args,
        connection,
        interrupt,
        console: Console::to_look_at(),
        input: UnreadInput::default(),
        last: None,
        has_quit: false,
    };
    let attach = Attach {
        stdin: if args.interactive { Stdin::Stream } else { Stdin::Null },
        size: terminal_size().filter(|_| args.tty),
    };
    let terminal = (args.interactive && args.tty).then(|| process.terminal.clone());
    let talk_options = Talk { terminal, detach: Detach::Never };
    let talked = talk(frames, &Request::Attach(attach), &mut starter, &talk_options);
    let unwritten = match talked {
        Err(TalkError::Output(_, cause)) if cause.kind() == io::ErrorKind::BrokenPipe => Some(Diagnostic::enough()),
        Err(error @ TalkError::Output(..)) => Some(failed(Diagnostic::of(&error))),
        // Whatever has ended it, the supervisor says why there is no guest any more.
        Ok(_) | Err(_) => None,
    };
    if unwritten.is_some() || starter.has_quit {
        starter.connection.hang_up();
    }
    starter.wait_for_the_end();
    match unwritten {
        Some(unwritten) => {
            starter.connection.finish();
            Err(if starter.interrupt.came() == Some(SIGINT) { unwritten.by_signal(SIGINT) } else { unwritten })
        }
        None => starter.end(),
    }
}

/// Who has started the supervisor.
struct Starter<'a> {
    args: &'a RunArgs,
    connection: Connection,
    interrupt: Interrupt,
    console: Console,
    input: UnreadInput,
    last: Option<Last>,
    has_quit: bool,
}

impl Starter<'_> {
    fn take(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            match notice {
                Notice::Note { text } => tell_lines(&text),
                // Who does not take it has had enough of it.
                Notice::Console { text } => _ = writeln!(self.console, "{text}"),
                Notice::Started { .. } => self.look_at_the_input(),
                Notice::Created { .. } | Notice::Up {} | Notice::Restarted { .. } => {}
                Notice::Refused { error, exit_code, text } => {
                    self.last = Some(Last::Refused { error, exit_code, text });
                }
                Notice::Ended(ended) => self.last = Some(Last::Ended(ended)),
            }
        }
    }

    fn look_at_the_input(&mut self) {
        if !self.args.interactive {
            self.input.warn();
        }
    }

    fn wait_for_the_end(&mut self) {
        while self.last.is_none()
            && let Some(notices) = self.connection.wait(&mut self.interrupt)
        {
            self.take(notices);
        }
    }

    /// Says what the supervisor has said last, and ends so.
    fn end(mut self) -> Result<End, Diagnostic> {
        let signal = if self.has_quit { Some(SIGQUIT) } else { self.interrupt.came() };
        self.console.finish();
        let is_json = self.args.format == Format::Json;
        let last = self.last.take();
        if !matches!(last, Some(Last::Refused { .. })) {
            self.look_at_the_input();
        }
        self.connection.finish();
        match last {
            Some(Last::Ended(ended)) => {
                ended.text.iter().for_each(tell);
                if let Some(report) = ended.report.as_ref().filter(|_| is_json) {
                    tell_lines(report.get());
                }
                Ok(end(&ended, signal))
            }
            Some(Last::Refused { error, exit_code, text }) => Ok(refused(&error, exit_code, &text, is_json, signal)),
            None => Err(lost()),
        }
    }
}

impl Caller for Starter<'_> {
    fn signal(&mut self, signal: Signal) -> Wish {
        if i32::from(signal.number()) == SIGQUIT {
            self.has_quit = true;
            return Wish::Leave;
        }
        // The interrupt has caught it, too, and passes it on: one that came before the talk is heard, and none is heard twice.
        Wish::GoOn
    }

    fn interrupts(&self) -> Option<BorrowedFd<'_>> {
        Some(self.interrupt.file())
    }

    fn interrupted(&mut self) -> Wish {
        if let Ok(signal) = self.interrupt.take() {
            self.connection.order(signal);
        }
        Wish::GoOn
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        self.connection.file()
    }

    fn ready(&mut self) -> Wish {
        let notices = self.connection.receive();
        self.take(notices);
        Wish::GoOn
    }

    fn wrote(&mut self, flow: Flow, bytes: &[u8]) {
        if flow == Flow::Stderr {
            output::note_error_bytes(bytes);
        }
    }
}

/// The program's own end. But a shell stops its loop at Ctrl-C only if nex has died of it.
fn end(ended: &api::Ended, signal: Option<i32>) -> End {
    match signal {
        Some(signal @ (SIGINT | SIGQUIT)) => End::Signal(signal),
        Some(signal) if !has_program_ended(ended) => End::Signal(signal),
        _ => End::Code(ended.exit_code),
    }
}

/// Whether the program has come to an end of its own before the guest's.
fn has_program_ended(ended: &api::Ended) -> bool {
    #[derive(Deserialize)]
    struct Seen {
        end: Option<IgnoredAny>,
    }
    let seen = ended.report.as_ref().and_then(|report| serde_json::from_str::<Seen>(report.get()).ok());
    seen.is_some_and(|seen| seen.end.is_some())
}
