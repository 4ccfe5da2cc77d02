//! A conversation that ends in time, and whose lines end, whoever is at the other end.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use crate::interrupt::OwnedInterrupt;

/// A socket whose reads and writes all end at a deadline, however slowly bytes come, or at an interrupt.
#[derive(Debug)]
pub struct Timed {
    socket: UnixStream,
    deadline: Instant,
    interrupt: OwnedInterrupt,
}

impl Timed {
    /// A socket with this long for what comes first.
    pub fn new(socket: UnixStream, patience: Duration) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket, deadline: Instant::now() + patience, interrupt: OwnedInterrupt::default() })
    }

    /// From now on it ends at this interrupt, too, and at no other.
    pub fn end_at(&mut self, interrupt: OwnedInterrupt) {
        self.interrupt = interrupt;
    }

    /// Begins anew: what comes now may take so long.
    pub fn allow(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    /// Reads what is there, and waits for nothing: `None` when nothing is.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.socket.read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes a few bytes, and waits for nothing.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] when there is no room for all of them.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.socket.write(bytes)? {
            count if count == bytes.len() => Ok(()),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Does something with the socket as soon as it can be done.
    fn as_soon_as<T>(
        &mut self,
        ready: PollFlags,
        mut does: impl FnMut(&mut UnixStream) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            // Who always has something to say is late, too.
            self.interrupt.wait_for(self.socket.as_fd(), ready, self.deadline)?;
            if Instant::now() >= self.deadline {
                return Err(ErrorKind::TimedOut.into());
            }
            match does(&mut self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }
}

impl AsFd for Timed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.as_soon_as(PollFlags::IN, |socket| socket.read(buffer))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.as_soon_as(PollFlags::OUT, |socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a line with its end, of so many bytes at most.
///
/// # Errors
/// When it is longer, or does not end, or is no text.
pub fn line(reader: &mut BufReader<Timed>, longest: u64) -> io::Result<String> {
    let mut line = String::new();
    reader.by_ref().take(longest).read_line(&mut line)?;
    if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::interrupt::Interrupt;

    #[test]
    fn who_says_a_byte_now_and_then_is_not_waited_for() -> io::Result<()> {
        let (ours, mut theirs) = UnixStream::pair()?;
        let other = thread::spawn(move || {
            while theirs.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20))
            }
        });
        let started = Instant::now();
        let mut reader = BufReader::new(Timed::new(ours, Duration::from_millis(300))?);
        assert_eq!(line(&mut reader, 1 << 20).map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        drop(reader);
        other.join().map_err(|_| io::ErrorKind::Other)?;
        Ok(())
    }

    #[test]
    fn an_interrupt_ends_what_waits() -> io::Result<()> {
        let (ours, _theirs) = UnixStream::pair()?;
        let (reader, mut writer) = io::pipe()?;
        let mut timed = Timed::new(ours, Duration::from_secs(600))?;
        timed.end_at(Interrupt::by(reader.as_fd()).try_into_owned()?);
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            writer.write_all(b"x")
        });
        let started = Instant::now();
        assert!(timed.read_exact(&mut [0]).is_err());
        assert!(timed.write_all(&vec![0; 64 << 20]).is_err());
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
        other.join().map_err(|_| io::ErrorKind::Other)?
    }

    #[test]
    fn who_does_not_listen_is_not_waited_for_and_long_lines_are_cut() -> io::Result<()> {
        let (ours, mut theirs) = UnixStream::pair()?;
        let mut timed = Timed::new(ours, Duration::from_millis(300))?;
        let written = timed.write_all(&vec![0; 64 << 20]).map_err(|error| error.kind());
        assert_eq!(written, Err(io::ErrorKind::TimedOut));
        theirs.write_all(b"a line\nand another one\n")?;
        timed.allow(Duration::from_secs(20));
        let mut reader = BufReader::new(timed);
        assert_eq!(line(&mut reader, 7)?, "a line\n");
        assert_eq!(line(&mut reader, 7).map_err(|error| error.kind()), Err(io::ErrorKind::UnexpectedEof));
        Ok(())
    }
}
