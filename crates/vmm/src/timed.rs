//! A conversation that ends in time, and whose lines end, whoever is at the other end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A socket whose reads and writes all end at a deadline, however slowly bytes come.
#[derive(Debug)]
pub struct Timed {
    socket: UnixStream,
    deadline: Instant,
}

impl Timed {
    /// A socket with this long for what comes first.
    pub fn new(socket: UnixStream, patience: Duration) -> io::Result<Self> {
        socket.set_nonblocking(false)?;
        Ok(Self { socket, deadline: Instant::now() + patience })
    }

    /// Begins anew: what comes now may take so long.
    pub fn allow(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    /// The socket, whose reads and writes wait as long as they have to.
    pub fn into_socket(self) -> io::Result<UnixStream> {
        self.socket.set_read_timeout(None)?;
        self.socket.set_write_timeout(None)?;
        Ok(self.socket)
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        // A timeout of 0 would be none.
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer).map_err(in_words)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes).map_err(in_words)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The system calls the end of a timeout by the name of something else.
fn in_words(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
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
