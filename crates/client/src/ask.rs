//! A connection with a supervisor, on which one request is made.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nex_supervise::GuestDir;
use nex_supervise::api::{self, Answer, LONGEST_LINE, LineError, Request, SOCKET};

use crate::error::ClientError;

/// How long a supervisor may take to answer that has nothing to do for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, and the connection behind it, of which nothing more was read.
#[derive(Debug)]
pub struct Answered {
    pub answer: Answer,
    pub connection: UnixStream,
}

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As long as a process takes that has other clients, too.
    ForAnswer,
    /// As long as the guest takes.
    ForGuest,
}

/// Makes a request. `None` where there is no supervisor, or where it goes without an answer: the guest ends, or has ended.
///
/// # Errors
/// When the supervisor says no, or says nothing that makes sense, or the system refuses.
pub fn ask(guest: &GuestDir, request: &Request, wait: Wait) -> Result<Option<Answered>, ClientError> {
    let id = guest.id();
    let line = api::encode(request).map_err(ClientError::Request)?;
    let asked = (|| {
        let mut connection = connect(guest)?;
        connection.write_all(&line)?;
        connection.set_read_timeout((wait == Wait::ForAnswer).then_some(PATIENCE))?;
        let line = read_line(&mut connection)?;
        connection.set_read_timeout(None)?;
        Ok((line, connection))
    })();
    let (line, connection) = match asked {
        Ok((line, connection)) => (line, connection),
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(ClientError::Silent(id.clone())),
        Err(cause) => return Err(ClientError::Io { id: id.clone(), cause }),
    };
    let line = line.map_err(|cause| ClientError::Nonsense { id: id.clone(), cause: Some(cause) })?;
    match api::decode(&line).map_err(|cause| ClientError::Nonsense { id: id.clone(), cause: Some(cause) })? {
        Answer::Error(failure) => Err(ClientError::Refused(failure)),
        answer => Ok(Some(Answered { answer, connection })),
    }
}

/// By the way that stays short, however long the directory's own path is (unix(7): 107 bytes).
fn connect(guest: &GuestDir) -> io::Result<UnixStream> {
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET}", guest.directory().handle().as_raw_fd()))
}

/// Whether nobody is there: no socket, nobody who listens, or one who has gone meanwhile.
fn is_gone(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | BrokenPipe | UnexpectedEof)
}

/// Reads a line and not a byte more: what stands behind it is no line, perhaps.
fn read_line(connection: &mut UnixStream) -> io::Result<Result<Vec<u8>, LineError>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LONGEST_LINE {
        connection.read_exact(&mut byte)?;
        match byte {
            [b'\n'] => return Ok(Ok(line)),
            [other] => line.push(other),
        }
    }
    Ok(Err(LineError::TooLong(LONGEST_LINE)))
}
