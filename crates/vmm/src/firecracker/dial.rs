//! A connection from the host to a port of the guest, by Firecracker's socket.
//!
//! ```text
//! host ── "CONNECT 52\n" ──> Firecracker ── a request for a connection ──> the guest's kernel
//!      <── "OK 1073741824\n", or nothing but the end ──
//! ```
//!
//! The guest decides when the answer comes, and whether. Nobody waits for it: a [`Dial`] is looked at when its socket is readable,
//! and ends at its deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long the answer may take. A guest's kernel answers at once, as soon as it has the driver.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer, in bytes: `OK`, a number, and the end of the line.
const LONGEST: usize = 32;

/// How far a channel is that the host opens.
#[derive(Debug)]
pub enum ChannelOpening {
    /// It is open, whether or not the guest has its end open, too. No call on it waits.
    Open(UnixStream),
    /// The VMM was asked, and answers when the guest has.
    Asked(Dial),
}

/// A connection to a port of the guest that Firecracker was asked for.
#[derive(Debug)]
pub struct Dial {
    socket: UnixStream,
    answer: Vec<u8>,
    deadline: Instant,
}

impl Dial {
    /// Asks for the port over a connection to Firecracker's socket, which is new.
    ///
    /// # Errors
    /// When Firecracker has closed it.
    pub(super) fn ask(mut socket: UnixStream, port: u32) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let request = format!("CONNECT {port}\n");
        // There is room for it in a socket that nothing was written to.
        match socket.write(request.as_bytes())? {
            written if written == request.len() => {}
            _ => return Err(ErrorKind::WriteZero.into()),
        }
        Ok(Self { socket, answer: Vec::new(), deadline: Instant::now() + PATIENCE })
    }

    /// When the answer is too late.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes what there is of the answer, without waiting: the channel is open, or as far as it was.
    ///
    /// # Errors
    /// [`ErrorKind::ConnectionRefused`] when nobody listens on the port in the guest, [`ErrorKind::TimedOut`] when the answer is too
    /// late, [`ErrorKind::InvalidData`] when it is none of Firecracker's. Another attempt needs another dial.
    pub fn look(mut self) -> io::Result<ChannelOpening> {
        let mut byte = [0];
        // What the guest sends comes right behind the line, so no byte more may be read.
        while self.answer.last() != Some(&b'\n') {
            match self.socket.read(&mut byte) {
                Ok(0) if self.answer.is_empty() => return Err(ErrorKind::ConnectionRefused.into()),
                Ok(0) => return Err(ErrorKind::InvalidData.into()),
                Ok(_) if self.answer.len() >= LONGEST => return Err(ErrorKind::InvalidData.into()),
                Ok(_) => self.answer.extend(byte),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < self.deadline => {
                    return Ok(ChannelOpening::Asked(self));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
                Err(error) => return Err(error),
            }
        }
        match self.answer.starts_with(b"OK ") {
            true => Ok(ChannelOpening::Open(self.socket)),
            false => Err(ErrorKind::InvalidData.into()),
        }
    }
}

/// Readable when there is something of the answer.
impl AsFd for Dial {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial() -> io::Result<(Dial, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((Dial::ask(ours, 52)?, theirs))
    }

    /// The dial, which is not answered yet.
    fn unanswered(dial: Dial) -> io::Result<Dial> {
        match dial.look()? {
            ChannelOpening::Asked(dial) => Ok(dial),
            ChannelOpening::Open(_) => Err(io::Error::other("it is open")),
        }
    }

    fn refusal(dial: Dial) -> Option<ErrorKind> {
        dial.look().err().map(|error| error.kind())
    }

    #[test]
    fn a_connection_begins_behind_the_answer_however_that_comes() -> io::Result<()> {
        let (mut dial, mut firecracker) = dial()?;
        let mut asked = [0; 11];
        firecracker.read_exact(&mut asked)?;
        assert_eq!(&asked, b"CONNECT 52\n");
        for part in ["", "O", "K 10737", "41824"] {
            firecracker.write_all(part.as_bytes())?;
            dial = unanswered(dial)?;
        }
        firecracker.write_all(b"\nhello\n")?;
        let ChannelOpening::Open(mut connection) = dial.look()? else { return Err(ErrorKind::NotConnected.into()) };
        let mut said = [0; 6];
        connection.read_exact(&mut said)?;
        assert_eq!(&said, b"hello\n");
        assert_eq!(connection.read(&mut said).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
        Ok(())
    }

    #[test]
    fn who_listens_nowhere_refuses_and_nonsense_is_no_answer() -> io::Result<()> {
        let (refused, mut firecracker) = dial()?;
        firecracker.read_exact(&mut [0; 11])?;
        drop(firecracker);
        assert_eq!(refusal(refused), Some(ErrorKind::ConnectionRefused));
        for answer in ["NO\n", "\n", "OK 11111111111111111111111111111111111111\n"] {
            let (dial, mut firecracker) = dial()?;
            firecracker.write_all(answer.as_bytes())?;
            assert_eq!(refusal(dial), Some(ErrorKind::InvalidData), "{answer}");
        }
        let (dial, mut firecracker) = dial()?;
        firecracker.write_all(b"OK 1")?;
        firecracker.shutdown(std::net::Shutdown::Write)?;
        assert_eq!(refusal(dial), Some(ErrorKind::InvalidData));
        Ok(())
    }

    #[test]
    fn an_answer_that_does_not_come_is_given_up() -> io::Result<()> {
        let (dial, mut firecracker) = dial()?;
        firecracker.write_all(b"OK")?;
        let mut dial = unanswered(dial)?;
        dial.deadline = Instant::now();
        assert_eq!(refusal(dial), Some(ErrorKind::TimedOut));
        Ok(())
    }
}
