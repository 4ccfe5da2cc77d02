//! A body on its way out, at a pace that is the least.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::body::Content;
use super::deadline::Deadline;
use super::patience::{Budget, Pace, Throughput};

/// A body cannot be read. Other failures are the connection's.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreadable(io::Error);

impl Unreadable {
    /// The reason.
    pub(crate) fn into_inner(self) -> io::Error {
        self.0
    }

    fn wrapped(error: io::Error) -> io::Error {
        io::Error::other(Self(error))
    }
}

/// Reads a body as fast as the connection takes it, and moves the connection's deadline with it: each piece has the time of the
/// least throughput, and the answer behind the last one that of a document.
pub(crate) struct Outgoing<'a> {
    content: Box<dyn Read + 'a>,
    left: u64,
    pace: Pace,
    deadline: &'a Deadline,
    /// The time for the answer.
    allowed: Option<Duration>,
    /// When the last piece was handed out, and how much that was.
    handed: Option<(Instant, usize)>,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn new(
        content: &'a dyn Content,
        least: Option<Throughput>,
        deadline: &'a Deadline,
        allowed: Option<Duration>,
    ) -> io::Result<Self> {
        let left = content.length();
        let content = content.open().map_err(Unreadable::wrapped)?;
        Ok(Self { content, left, pace: Pace::new(least), deadline, allowed, handed: None })
    }

    /// Whether the server has been given some of it, and not all.
    pub(crate) fn is_under_way(&self) -> bool {
        self.handed.is_some() && self.left > 0
    }

    /// Bytes that have not been handed out.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }
}

impl Read for Outgoing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Who asks for more has sent what it had.
        if let Some((start, bytes)) = self.handed.take() {
            self.pace.count(start.elapsed(), bytes);
        }
        let room = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        if room == 0 {
            return Ok(0);
        }
        let read = self.content.read(&mut buffer[..room]).map_err(Unreadable::wrapped)?;
        if read == 0 {
            let early = io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} bytes are missing", self.left));
            return Err(Unreadable::wrapped(early));
        }
        self.left -= read as u64;
        self.handed = Some((Instant::now(), read));
        self.deadline.set(if self.left == 0 { Budget::start(self.allowed).end } else { self.pace.end() });
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Cut(u64);

    impl Content for Cut {
        fn length(&self) -> u64 {
            self.0
        }

        fn open(&self) -> io::Result<Box<dyn Read + '_>> {
            Ok(Box::new(&b"abc"[..]))
        }
    }

    /// The library would ask for more of it for ever.
    #[test]
    fn a_body_that_ends_early_is_an_error_and_a_longer_one_is_cut() {
        let deadline = Deadline::default();
        let read = |content: &Cut| {
            let mut read = Vec::new();
            let mut outgoing = Outgoing::new(content, None, &deadline, None)?;
            outgoing.read_to_end(&mut read).map(|_| read)
        };
        assert_eq!(read(&Cut(3)).unwrap(), b"abc");
        assert_eq!(read(&Cut(2)).unwrap(), b"ab");
        let error = read(&Cut(5)).unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| inner.is::<Unreadable>()), "{error}");
        assert!(error.to_string().contains("2 bytes are missing"), "{error}");
    }
}
