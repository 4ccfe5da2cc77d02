//! One stream of a session, for a caller that waits for one thing at a time.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;

use nex_channel::{Exit, Flow, Host, HostEvent, HostOptions, StreamId};
use nex_contract::Request;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::error::CopyError;

/// The most bytes that wait for the connection, and that are read of it at once.
const ROOM: usize = 64 << 10;

/// The most that is kept of what the guest says on standard error.
const MOST_WORDS: usize = 16 << 10;

/// How much may come behind the end of a tar, which nobody needs.
const MOST_REST: usize = 1 << 20;

/// A stream, from its request on.
pub struct Stream {
    connection: UnixStream,
    host: Host,
    id: StreamId,
    /// What waits to be sent, and how much of it is sent already.
    out: Vec<u8>,
    sent: usize,
    buffer: Vec<u8>,
    words: Vec<u8>,
    end: Option<End>,
    /// What went wrong while a reader or a writer waited, which can only say so in general.
    failure: Option<CopyError>,
}

/// How the guest's process has ended.
#[derive(Debug)]
enum End {
    Exit(Exit),
    Reset(String),
}

impl Stream {
    /// Asks for something over a connection that has no session yet.
    ///
    /// # Errors
    /// When the connection fails or ends, or the request has no form.
    pub fn open(connection: UnixStream, request: &Request) -> Result<Self, CopyError> {
        connection.set_nonblocking(true).map_err(CopyError::Connection)?;
        let (mut connection, mut host) = (connection, Host::new(HostOptions::default()));
        let (mut out, mut buffer) = (Vec::with_capacity(ROOM), vec![0; ROOM]);
        host.transmit(&mut out, ROOM);
        connection.write_all(&out).map_err(CopyError::Connection)?;
        out.clear();
        loop {
            wait(&mut [PollFd::new(&connection, PollFlags::IN)])?;
            let count = read(&mut connection, &mut buffer)?;
            let mut input = buffer.get(..count).unwrap_or_default();
            if let Some(HostEvent::Ready(_)) = host.receive(&mut input).map_err(CopyError::Violation)? {
                break;
            }
        }
        let id = host.open(request).map_err(CopyError::Open)?;
        Ok(Self { connection, host, id, out, sent: 0, buffer, words: Vec::new(), end: None, failure: None })
    }

    /// Ends its standard input.
    pub fn finish(&mut self) {
        self.host.finish(self.id);
    }

    /// How many bytes of standard input it takes now.
    pub fn space(&self) -> usize {
        self.host.space(self.id)
    }

    /// Whether the guest's process has ended.
    pub fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Waits until something happens, and deals with it. Says whether the file can be read, if there is one.
    ///
    /// # Errors
    /// When the connection fails or ends, or the guest breaks a rule.
    pub fn step(&mut self, file: Option<BorrowedFd<'_>>) -> Result<bool, CopyError> {
        self.send()?;
        let flags = if self.sent < self.out.len() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut waited = vec![PollFd::new(&self.connection, flags)];
        waited.extend(file.map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN)));
        wait(&mut waited)?;
        let [connection, file @ ..] = &*waited else { return Ok(false) };
        let (comes, is_readable) = (connection.revents(), file.iter().any(|file| !file.revents().is_empty()));
        if comes.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            self.receive()?;
        }
        Ok(is_readable)
    }

    fn send(&mut self) -> Result<(), CopyError> {
        loop {
            if self.sent == self.out.len() {
                self.out.clear();
                self.sent = 0;
                self.host.transmit(&mut self.out, ROOM);
            }
            let Some(waiting) = self.out.get(self.sent..).filter(|waiting| !waiting.is_empty()) else { return Ok(()) };
            match self.connection.write(waiting) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // What the other end has said before it went may still be read.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(CopyError::Connection(error)),
            }
        }
    }

    fn receive(&mut self) -> Result<(), CopyError> {
        let count = read(&mut self.connection, &mut self.buffer)?;
        let mut input = self.buffer.get(..count).unwrap_or_default();
        while let Some(event) = self.host.receive(&mut input).map_err(CopyError::Violation)? {
            match event {
                HostEvent::Data(id, Flow::Stderr) => {
                    let held = self.host.held(id, Flow::Stderr);
                    let room = MOST_WORDS.saturating_sub(self.words.len());
                    self.words.extend_from_slice(held.get(..room.min(held.len())).unwrap_or_default());
                    let count = held.len();
                    self.host.consume(id, Flow::Stderr, count);
                }
                HostEvent::Exit(_, exit) => self.end = Some(End::Exit(exit)),
                HostEvent::Reset(_, reason) => self.end = Some(End::Reset(reason)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The first failure, in place of what a reader or a writer could say of it.
    pub fn take_failure(&mut self) -> Option<CopyError> {
        self.failure.take()
    }

    /// Waits for the end of the guest's process, and gives what it has said. What comes of its output is dropped.
    ///
    /// # Errors
    /// When it has failed, or does not come to an end.
    pub fn end(mut self) -> Result<Vec<String>, CopyError> {
        let mut rest = 0;
        let end = loop {
            let held = self.host.held(self.id, Flow::Stdout).len();
            self.host.consume(self.id, Flow::Stdout, held);
            rest += held;
            if rest > MOST_REST {
                return Err(CopyError::Guest("it writes on behind the end of the tar".to_owned()));
            }
            match self.end.take() {
                Some(end) => break end,
                None => self.step(None).map(|_| ())?,
            }
        };
        let mut lines: Vec<_> = self.words.split(|&byte| byte == b'\n').map(nex_text::in_one_line).collect();
        lines.retain(|line| !line.is_empty());
        let failed = |words: String| Err(CopyError::Guest(nex_text::in_one_line(words)));
        match end {
            End::Exit(Exit::Code(0)) => Ok(lines),
            // The last line says why.
            End::Exit(Exit::Code(code)) => Err(CopyError::Guest(
                lines.pop().unwrap_or_else(|| format!("its process has ended with the code {code}, and says nothing")),
            )),
            End::Exit(Exit::Signal(signal)) => failed(format!("its process was ended by signal {}", signal.number())),
            End::Exit(Exit::NotStarted { reason, .. }) | End::Reset(reason) => failed(reason),
        }
    }
}

/// The standard output of the guest's process.
impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let held = self.fill_buf()?;
        let count = held.len().min(buffer.len());
        buffer[..count].copy_from_slice(&held[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.host.held(self.id, Flow::Stdout).is_empty() && !self.host.has_ended(self.id, Flow::Stdout) {
            if let Err(error) = self.step(None) {
                self.failure = Some(error);
                return Err(io::Error::other("the connection"));
            }
        }
        Ok(self.host.held(self.id, Flow::Stdout))
    }

    fn consume(&mut self, count: usize) {
        self.host.consume(self.id, Flow::Stdout, count);
    }
}

/// The standard input of the guest's process.
impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if self.has_ended() {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let count = self.host.send(self.id, bytes);
            let done = if count > 0 { self.send() } else { self.step(None).map(|_| ()) };
            match done {
                Ok(()) if count > 0 => return Ok(count),
                Ok(()) => {}
                Err(error) => {
                    self.failure = Some(error);
                    return Err(io::Error::other("the connection"));
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait(files: &mut [PollFd<'_>]) -> Result<(), CopyError> {
    loop {
        match poll(files, None) {
            Err(Errno::INTR) => {}
            waited => return waited.map(|_| ()).map_err(|errno| CopyError::Connection(errno.into())),
        }
    }
}

fn read(connection: &mut UnixStream, buffer: &mut [u8]) -> Result<usize, CopyError> {
    match connection.read(buffer) {
        Ok(0) => Err(CopyError::Lost),
        Ok(count) => Ok(count),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(CopyError::Lost),
        Err(error) => Err(CopyError::Connection(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_ends_is_lost() {
        let (connection, other) = UnixStream::pair().unwrap();
        drop(other);
        let request = Request::Attach(nex_contract::Attach::default());
        assert!(matches!(Stream::open(connection, &request), Err(CopyError::Lost | CopyError::Connection(_))));
        let (connection, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        assert!(matches!(Stream::open(connection, &request), Err(CopyError::Violation(_))));
        drop(other);
    }
}
