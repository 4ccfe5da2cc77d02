//! The client's end of the control connection, and the supervisor at the other one.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use nex_fault::Code;
use nex_process::Role;
use nex_supervise::api::{self, Failure, LineBuffer, Notice, Order};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;

use super::options::failed;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::Interrupt;
use crate::{json, output};

/// The most that is read at once.
const CHUNK: usize = 16 << 10;

/// The supervisor that this process has started.
pub struct Connection {
    control: UnixStream,
    lines: LineBuffer,
    supervisor: Child,
    /// Whether it says nothing more.
    has_ended: bool,
}

impl Connection {
    /// Starts a supervisor with the arguments of this process.
    ///
    /// # Errors
    /// When the system starts none.
    pub fn start(stdout: Stdio, stderr: Stdio) -> Result<Self, Diagnostic> {
        let start = || {
            let (control, theirs) = UnixStream::pair()?;
            let mut command = Role::Supervisor.command();
            command.args(std::env::args_os().skip(1));
            let supervisor = command.stdin(OwnedFd::from(theirs)).stdout(stdout).stderr(stderr).spawn()?;
            Ok(Self { control, lines: LineBuffer::default(), supervisor, has_ended: false })
        };
        start().map_err(|error: io::Error| {
            failed(Diagnostic::new(api::codes::GONE, "cannot start the guest's supervisor").caused(&error))
        })
    }

    /// Readable when the supervisor has said something, or has ended; `None` when nothing more comes.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        (!self.has_ended).then(|| self.control.as_fd())
    }

    /// What the supervisor has said. Waits for something.
    pub fn receive(&mut self) -> Vec<Notice> {
        let mut buffer = vec![0; CHUNK];
        match self.control.read(&mut buffer) {
            Ok(count @ 1..) => self.lines.push(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => self.has_ended = true,
        }
        let mut notices = Vec::new();
        loop {
            match self.lines.next_line() {
                // What a later nex says beside is not for this one.
                Ok(Some(line)) => notices.extend(api::decode(&line).ok()),
                Ok(None) => return notices,
                Err(_) => {
                    self.has_ended = true;
                    return notices;
                }
            }
        }
    }

    /// Waits for the supervisor or a signal, and passes signals on. Gives what the supervisor has said; `None` when it says nothing more.
    pub fn wait(&mut self, interrupt: &mut Interrupt) -> Option<Vec<Notice>> {
        let (is_there, has_signal) = {
            let control = self.file()?;
            let interrupt = interrupt.file();
            let mut files = [&control, &interrupt].map(|file| PollFd::new(file, PollFlags::IN));
            // A signal interrupts it, which the second file tells of.
            let _ = poll(&mut files, None);
            let [control, interrupt] = files.map(|file| !file.revents().is_empty());
            (control, interrupt)
        };
        if has_signal && let Ok(signal) = interrupt.take() {
            self.order(signal);
        }
        Some(if is_there { self.receive() } else { Vec::new() })
    }

    /// Passes a signal on.
    pub fn order(&mut self, number: u8) {
        // A supervisor that is gone needs none.
        if let Ok(line) = api::encode(&Order::Signal { number }) {
            let _ = self.control.write_all(&line);
        }
    }

    /// Lets the supervisor know that nobody wants the guest any more.
    pub fn hang_up(&self) {
        let _ = self.control.shutdown(Shutdown::Write);
    }

    /// Waits until the supervisor is no more, which has said its last word.
    pub fn finish(mut self) {
        let _ = self.supervisor.wait();
    }
}

/// What the supervisor has said last.
pub enum Last {
    /// There is no guest.
    Refused {
        /// Why.
        error: Failure,
        /// The exit code that stands for it.
        exit_code: u8,
        /// The same for people.
        text: String,
    },
    /// The guest has ended.
    Ended(api::Ended),
}

/// Says why there is no guest, and ends as a run does then: by the signal that has come, where that is why.
pub fn refused(error: &Failure, exit_code: u8, text: &str, is_json: bool, signal: Option<i32>) -> End {
    if !text.is_empty() {
        output::tell_lines(text);
    }
    if is_json {
        let version = nex_contract::Document::Error.schema_version();
        let object = json!({ "schemaVersion": version, "error": error });
        output::tell_lines(&json::line(&object).unwrap_or_default());
    }
    let is_stopped = error.code == nex_run::codes::STOPPED.id();
    match signal {
        // Ctrl-C at a terminal ends who reads the output, too.
        Some(signal) if is_stopped || signal == signal_hook::consts::SIGINT => End::Signal(signal),
        _ => End::Code(exit_code),
    }
}

/// The supervisor has ended without a last word.
pub fn lost() -> Diagnostic {
    /// What programs know it by.
    const CODE: Code = api::codes::GONE;
    failed(Diagnostic::new(CODE, "the guest's supervisor was killed, and the guest with it"))
}
