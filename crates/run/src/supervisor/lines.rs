//! A client that has asked for something in a line, and what it is answered.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nex_guest::Interest;
use nex_supervise::api::{self, Answer, LONGEST_REQUEST, LineBuffer, LineError, Request};

use crate::supervisor::socket::Peer;

/// How long a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that is read at once.
const CHUNK: usize = 4 << 10;

/// A client that speaks in lines.
#[derive(Debug)]
pub struct Lines {
    stream: UnixStream,
    /// Who it is.
    pub peer: Peer,
    phase: Phase,
    out: Vec<u8>,
}

#[derive(Debug)]
enum Phase {
    /// Its request is not whole, and has to be by then.
    Asking(LineBuffer, Instant),
    /// It waits for the guest's end.
    Waiting,
    /// It hears what happens, and knows this much of the journal.
    Watching(usize),
    /// It goes once it has its answer.
    Leaving,
    Gone,
}

impl Lines {
    /// A client that has just connected.
    ///
    /// # Errors
    /// When the socket cannot be had without waiting.
    pub fn new(stream: UnixStream, peer: Peer) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let phase = Phase::Asking(LineBuffer::up_to(LONGEST_REQUEST), Instant::now() + PATIENCE);
        Ok(Self { stream, peer, phase, out: Vec::new() })
    }

    /// Takes what has come. What is no request is an error, to be answered.
    pub fn read(&mut self) -> Option<Result<Request, LineError>> {
        let Phase::Asking(buffer, _) = &mut self.phase else {
            if !self.out.is_empty() {
                // There is room for more of the answer, or writing says that the client is gone.
                self.flush();
                return None;
            }
            // Nothing more is expected, so that it can only be the end.
            self.phase = Phase::Gone;
            return None;
        };
        let mut bytes = [0; CHUNK];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.phase = Phase::Gone,
            Ok(count) => {
                buffer.push(bytes.get(..count).unwrap_or_default());
                let line = buffer.next_line().transpose()?;
                return Some(line.and_then(|line| api::decode(&line)));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.phase = Phase::Gone,
        }
        None
    }

    /// Answers, and lets the client go.
    pub fn answer(&mut self, answer: &Answer) {
        self.say(answer);
        self.phase = Phase::Leaving;
        self.flush();
    }

    /// Keeps the client until the guest's end.
    pub fn wait(&mut self) {
        self.phase = Phase::Waiting;
    }

    /// Whether it waits for the guest's end.
    pub fn waits(&self) -> bool {
        matches!(self.phase, Phase::Waiting)
    }

    /// Tells the client what happens from now on.
    pub fn watch(&mut self) {
        self.say(&Answer::Events {});
        self.phase = Phase::Watching(0);
    }

    /// Whether it hears what happens.
    pub fn watches(&self) -> bool {
        matches!(self.phase, Phase::Watching(_))
    }

    /// Tells a client that watches what it does not know of the journal yet.
    pub fn tell(&mut self, journal: &[u8]) {
        if let Phase::Watching(known) = &mut self.phase {
            let news = journal.get(*known..).unwrap_or_default();
            self.out.extend_from_slice(news);
            *known += news.len();
            self.flush();
        }
    }

    /// Nothing happens any more.
    pub fn finish(&mut self) {
        if matches!(self.phase, Phase::Watching(_)) {
            self.phase = Phase::Leaving;
            self.flush();
        }
    }

    /// The connection for frames, what of them has come, and what has to be sent before any.
    ///
    /// # Errors
    /// When the socket gives no second handle.
    pub fn into_channel(mut self) -> io::Result<(UnixStream, Vec<u8>, Vec<u8>)> {
        self.say(&Answer::Channel {});
        let begun = match self.phase {
            Phase::Asking(buffer, _) => buffer.into_rest(),
            _ => Vec::new(),
        };
        Ok((self.stream, self.out, begun))
    }

    fn say(&mut self, answer: &Answer) {
        match api::encode(answer) {
            Ok(line) => self.out.extend(line),
            // It has the record, which says the same.
            Err(_) => self.phase = Phase::Gone,
        }
    }

    /// Sends what waits, as far as there is room for it now.
    pub fn flush(&mut self) {
        while !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.phase = Phase::Gone;
                    return;
                }
            }
        }
        if matches!(self.phase, Phase::Leaving) {
            self.phase = Phase::Gone;
        }
    }

    /// What is waited for.
    pub fn interest(&self) -> Interest {
        match (&self.phase, self.out.is_empty()) {
            (Phase::Asking(..), _) => Interest::Read,
            (_, false) => Interest::Write,
            (_, true) => Interest::End,
        }
    }

    /// Until when it has to have said what it wants.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Asking(_, deadline) => Some(*deadline),
            _ => None,
        }
    }

    /// Whether something waits for room.
    pub fn is_waiting(&self) -> bool {
        !self.out.is_empty() && !self.is_gone()
    }

    /// Whether there is nothing more to do for it.
    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone) || self.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }
}

impl AsFd for Lines {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_the_rest_of_an_answer_is_not_the_end_of_the_client() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(ours, Peer { uid: 0, pid: 1 }).unwrap();
        lines.watch();
        // More than a socket holds.
        let journal = vec![b'j'; 4 << 20];
        lines.tell(&journal);
        lines.finish();
        assert!(lines.is_waiting());
        theirs.set_nonblocking(true).unwrap();
        let (mut received, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match theirs.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    if lines.is_gone() {
                        break;
                    }
                    assert!(lines.read().is_none());
                }
            }
        }
        assert!(lines.is_gone());
        assert!(received.ends_with(&journal), "{} bytes", received.len());
    }

    #[test]
    fn a_client_that_goes_in_the_middle_of_its_answer_is_gone() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut lines = Lines::new(ours, Peer { uid: 0, pid: 1 }).unwrap();
        lines.watch();
        lines.tell(&vec![b'j'; 4 << 20]);
        drop(theirs);
        assert!(lines.read().is_none());
        assert!(lines.is_gone());
    }
}
