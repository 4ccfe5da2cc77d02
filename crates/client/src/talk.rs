//! The caller's standard streams and terminal, joined with those of a program in a guest.
//!
//! ```text
//! keys, pipe ──> Input ──> ┌──────────┐
//! signals ───> Caller ───> │ Link     │ <──> the connection, a session of the channel
//! stdout, stderr <─ Sink ─ │ (a Host) │
//!                          └──────────┘
//! ```
//!
//! One thread waits for all of it at once, and for nothing else: whatever does not move, a standard input on which nothing comes or a
//! reader that has stopped, a signal is heard and the program's end is seen. Where the reader has stopped, a window of output is
//! held, and then the program waits.

mod caller;
mod detach;
mod error;
mod input;
mod link;
mod signals;
mod sink;
mod size;

use std::os::unix::net::UnixStream;

use nex_channel::{Exit, Flow, HostEvent, StreamId};
use nex_contract::{Request, Stdin};
use nex_terminal::{Lent, Terminal};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

pub use self::caller::{Caller, Wish};
pub use self::detach::Detach;
pub use self::error::TalkError;
use self::input::{Input, Read};
use self::link::Link;
use self::signals::{Came, Signals, suspend};
use self::sink::{Sinks, Turn};
pub use self::size::terminal_size;

/// How to talk.
#[derive(Clone, Debug, Default)]
pub struct Talk {
    /// The terminal on standard input, which then passes every key on, be it Ctrl-C, from when the request is taken until the end.
    /// Without one, standard input is left as it is.
    pub terminal: Option<Terminal>,
    /// Which keys end the talk alone.
    pub detach: Detach,
}

/// How a talk has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Talked {
    /// What was asked for has ended, so, and all of its output is written.
    Exit(Exit),
    /// The keys were typed that end the talk alone.
    Detached,
    /// The caller wants it to end, or a signal could not be passed on.
    Left,
}

/// Asks for something on a connection that is a session of the channel, and passes standard streams, signals and the size of the
/// terminal on until that has ended. The connection ends with it, and the other end of one that is left gives up what it does.
///
/// # Errors
/// When the request is refused or given up, the connection ends or makes no sense, the output cannot be written, or the system
/// refuses.
pub fn talk(
    connection: UnixStream,
    request: &Request,
    caller: &mut dyn Caller,
    options: &Talk,
) -> Result<Talked, TalkError> {
    let signals = Signals::catch().map_err(TalkError::Signals)?;
    let link = Link::new(connection).map_err(TalkError::Connection)?;
    let input = Input::new(options.detach);
    let talking = Talking {
        link,
        signals,
        input,
        sinks: Sinks::new(),
        request,
        options,
        stream: None,
        is_taken: false,
        end: None,
        lent: None,
    };
    talking.run(caller)
}

struct Talking<'a> {
    link: Link,
    signals: Signals,
    input: Input,
    sinks: Sinks,
    request: &'a Request,
    options: &'a Talk,
    stream: Option<StreamId>,
    /// Whether the other end has taken the request.
    is_taken: bool,
    /// How it ends, once what is held of the output is written.
    end: Option<Result<Exit, TalkError>>,
    /// The terminal, until this is dropped.
    lent: Option<Lent>,
}

/// What can be gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Link,
    Signals,
    Caller,
    Interrupts,
    Input,
    Sink(Flow),
}

impl Talking<'_> {
    fn run(mut self, caller: &mut dyn Caller) -> Result<Talked, TalkError> {
        loop {
            self.take_events()?;
            self.link.send();
            if Flow::ALL.into_iter().all(|flow| self.held(flow).is_empty())
                && let Some(end) = self.end.take()
            {
                return end.map(Talked::Exit);
            }
            for ready in self.wait(caller)? {
                let left = match ready {
                    Ready::Link => self.link.receive().map(|()| None).map_err(TalkError::Connection)?,
                    Ready::Signals => self.take_signals(caller)?,
                    Ready::Caller => self.obey(caller.ready()),
                    Ready::Interrupts => self.obey(caller.interrupted()),
                    Ready::Input => self.read_input()?,
                    Ready::Sink(flow) => self.write(flow, caller)?,
                };
                if let Some(left) = left {
                    return Ok(left);
                }
            }
        }
    }

    /// What is held of an output.
    fn held(&self, flow: Flow) -> &[u8] {
        self.stream.map_or(&[], |stream| self.link.host.held(stream, flow))
    }

    /// Waits until something can be gone on with.
    fn wait(&self, caller: &dyn Caller) -> Result<Vec<Ready>, TalkError> {
        let link = self.link.file().map(|(file, flags)| (Ready::Link, file, flags));
        let read = |what, file| (what, file, PollFlags::IN);
        let others = [
            Some(read(Ready::Signals, self.signals.file())),
            caller.file().map(|file| read(Ready::Caller, file)),
            caller.interrupts().map(|file| read(Ready::Interrupts, file)),
            self.input.file(self.room()).map(|file| read(Ready::Input, file)),
        ];
        let sinks = self.sinks.in_turn().filter(|sink| !self.held(sink.flow()).is_empty());
        let sinks = sinks.map(|sink| (Ready::Sink(sink.flow()), sink.file(), PollFlags::OUT));
        let waited: Vec<_> = link.into_iter().chain(others.into_iter().flatten()).chain(sinks).collect();
        let mut files: Vec<_> = waited.iter().map(|(_, file, flags)| PollFd::from_borrowed_fd(*file, *flags)).collect();
        match poll(&mut files, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(TalkError::Wait(error.into())),
        }
        let ready = files.iter().zip(&waited).filter(|(file, _)| !file.revents().is_empty());
        Ok(ready.map(|(_, (what, ..))| *what).collect())
    }

    /// How many bytes of standard input the program has room for. None are read before it is there: what was typed till then still
    /// reaches the next reader where the request is refused.
    fn room(&self) -> usize {
        let wants = self.is_taken && self.request.stdin() == Stdin::Stream;
        self.stream.filter(|_| wants).map_or(0, |stream| self.link.host.space(stream))
    }

    /// Takes what the other end has sent, as far as nothing has to be written first.
    fn take_events(&mut self) -> Result<(), TalkError> {
        while self.sinks.turn() == Turn::Any {
            let Some(event) = self.link.event().map_err(TalkError::Violation)? else { break };
            match event {
                HostEvent::Ready(_) => {
                    self.stream = Some(self.link.host.open(self.request).map_err(TalkError::Open)?);
                }
                HostEvent::Opened(_) => self.begin()?,
                HostEvent::Data(_, flow) => {
                    let other = if flow == Flow::Stdout { Flow::Stderr } else { Flow::Stdout };
                    if !self.held(other).is_empty() {
                        self.sinks.write_first(other);
                    }
                }
                HostEvent::Eof(..) => {}
                HostEvent::Closed => self.end = self.end.take().or(Some(Err(TalkError::Lost))),
                HostEvent::Exit(_, exit) => self.end = Some(Ok(exit)),
                HostEvent::Reset(_, words) if self.is_taken => self.end = Some(Err(TalkError::GivenUp(words))),
                HostEvent::Reset(_, words) => self.end = Some(Err(TalkError::Refused(words))),
            }
        }
        if self.link.has_ended() && !self.link.has_input() && self.end.is_none() {
            self.end = Some(Err(TalkError::Lost));
        }
        Ok(())
    }

    /// The request is taken: from now on the terminal is the program's.
    fn begin(&mut self) -> Result<(), TalkError> {
        self.is_taken = true;
        let lent = self.options.terminal.as_ref().map(Terminal::lend);
        self.lent = lent.transpose().map_err(TalkError::Terminal)?;
        // It may have another size by now than the request says.
        self.resize();
        Ok(())
    }

    fn resize(&mut self) {
        let has_terminal = match self.request {
            Request::Exec(exec) => exec.terminal.is_some(),
            Request::Attach(attach) => attach.size.is_some(),
            Request::TarIn(_) | Request::TarOut(_) => false,
        };
        if let Some((stream, size)) = self.stream.zip(terminal_size()).filter(|_| has_terminal) {
            self.link.host.resize(stream, size);
        }
    }

    fn take_signals(&mut self, caller: &mut dyn Caller) -> Result<Option<Talked>, TalkError> {
        for came in self.signals.pending() {
            match came {
                Came::Signal(signal) => {
                    if let Some(left) = self.obey(caller.signal(signal)) {
                        return Ok(Some(left));
                    }
                }
                Came::Resized => self.resize(),
                Came::Suspend => {
                    if let Some(lent) = &self.lent {
                        lent.suspend();
                    }
                    suspend();
                }
                Came::Continued => {
                    if let Some(lent) = &self.lent {
                        lent.resume().map_err(TalkError::Terminal)?;
                    }
                    self.resize();
                }
            }
        }
        Ok(None)
    }

    fn obey(&mut self, wish: Wish) -> Option<Talked> {
        let goes_on = match wish {
            Wish::GoOn => true,
            // Who cannot be reached cannot be waited for, either, and nobody has taken a request that is not answered.
            Wish::Send(signal) => {
                self.is_taken && self.stream.is_some_and(|stream| self.link.host.signal(stream, signal))
            }
            Wish::Leave => false,
        };
        (!goes_on).then_some(Talked::Left)
    }

    fn read_input(&mut self) -> Result<Option<Talked>, TalkError> {
        let Some(stream) = self.stream else { return Ok(None) };
        let read = self.input.read(self.room()).map_err(TalkError::Input)?;
        let (bytes, left) = match &read {
            Read::Bytes(bytes) => (&bytes[..], None),
            Read::End(bytes) => (*bytes, None),
            Read::Detached(bytes) => (&bytes[..], Some(Talked::Detached)),
        };
        self.link.host.send(stream, bytes);
        if matches!(read, Read::End(_)) {
            self.link.host.finish(stream);
        }
        if left.is_some() {
            self.link.send();
        }
        Ok(left)
    }

    /// Writes some of an output.
    fn write(&mut self, flow: Flow, caller: &mut dyn Caller) -> Result<Option<Talked>, TalkError> {
        let Some((stream, sink)) = self.stream.zip(self.sinks.of(flow)) else {
            return Ok(None);
        };
        let held = self.link.host.held(stream, flow);
        let count = sink.write(held).map_err(|error| TalkError::Output(flow, error))?;
        caller.wrote(flow, held.get(..count).unwrap_or_default());
        self.link.host.consume(stream, flow, count);
        if self.held(flow).is_empty() {
            self.sinks.written(flow);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::time::Duration;

    use nex_channel::{Guest, GuestEvent, GuestOptions, Signal};
    use nex_contract::Attach;

    use super::*;

    /// Leaves with the second of the signals that it has caught.
    struct Interrupted {
        file: UnixStream,
        count: usize,
    }

    impl Caller for Interrupted {
        fn signal(&mut self, _: Signal) -> Wish {
            Wish::GoOn
        }

        fn interrupts(&self) -> Option<BorrowedFd<'_>> {
            Some(self.file.as_fd())
        }

        fn interrupted(&mut self) -> Wish {
            self.file.read_exact(&mut [0]).unwrap();
            self.count += 1;
            if self.count == 2 { Wish::Leave } else { Wish::GoOn }
        }
    }

    #[test]
    fn signals_that_came_before_the_talk_are_heard_once_each() {
        let (file, mut write) = UnixStream::pair().unwrap();
        write.write_all(&[0, 0]).unwrap();
        let (connection, theirs) = UnixStream::pair().unwrap();
        // A talk that does not hear them ends with the connection.
        let other_end = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(2));
            drop(theirs);
        });
        let mut caller = Interrupted { file, count: 0 };
        let attach = Request::Attach(Attach { stdin: Stdin::Null, size: None });
        let talked = talk(connection, &attach, &mut caller, &Talk::default());
        assert!(matches!(talked, Ok(Talked::Left)), "{talked:?}");
        assert_eq!(caller.count, 2);
        other_end.join().unwrap();
    }

    /// Sends the program the signal that it has caught.
    struct Sends(UnixStream);

    impl Caller for Sends {
        fn signal(&mut self, _: Signal) -> Wish {
            Wish::GoOn
        }

        fn interrupts(&self) -> Option<BorrowedFd<'_>> {
            Some(self.0.as_fd())
        }

        fn interrupted(&mut self) -> Wish {
            self.0.read_exact(&mut [0]).unwrap();
            Signal::new(2).map_or(Wish::GoOn, Wish::Send)
        }
    }

    #[test]
    fn a_signal_ends_the_wait_for_a_request_that_nobody_takes() {
        let (file, mut write) = UnixStream::pair().unwrap();
        let (connection, mut theirs) = UnixStream::pair().unwrap();
        theirs.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        // It hears the request, and says nothing to it. A talk that waits on ends with the connection.
        let other_end = std::thread::spawn(move || {
            let (mut guest, mut buffer) = (Guest::new(GuestOptions::default()), [0; 4096]);
            while let Ok(count @ 1..) = theirs.read(&mut buffer) {
                let mut bytes = &buffer[..count];
                while let Some(event) = guest.receive(&mut bytes).unwrap() {
                    if matches!(event, GuestEvent::Request(..)) {
                        write.write_all(&[0]).unwrap();
                    }
                }
                let mut frames = Vec::new();
                guest.transmit(&mut frames, 1 << 16);
                theirs.write_all(&frames).unwrap();
            }
        });
        let attach = Request::Attach(Attach { stdin: Stdin::Null, size: None });
        let talked = talk(connection, &attach, &mut Sends(file), &Talk::default());
        assert!(matches!(talked, Ok(Talked::Left)), "{talked:?}");
        other_end.join().unwrap();
    }
}
