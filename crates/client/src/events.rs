//! What happens to a guest, as its supervisor says it.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;

use nex_supervise::api::LineBuffer;
use nex_supervise::{Id, Line, Parsed};

use crate::error::ClientError;

/// The lines of a guest's journal, from the first on, each as soon as it is written.
#[derive(Debug)]
pub struct Events {
    id: Id,
    connection: UnixStream,
    lines: LineBuffer,
}

impl Events {
    pub(crate) fn new(id: Id, connection: UnixStream) -> Self {
        Self { id, connection, lines: LineBuffer::default() }
    }

    /// Waits for the next line; `None` when there are no more. Lines of a form that this nex does not know are left out.
    ///
    /// # Errors
    /// When the supervisor sends what has no end, or the system refuses.
    pub fn next_line(&mut self) -> Result<Option<Line>, ClientError> {
        let mut buffer = [0; 4096];
        loop {
            let nonsense = |cause| ClientError::Nonsense { id: self.id.clone(), cause: Some(cause) };
            while let Some(line) = self.lines.next_line().map_err(nonsense)? {
                if let Parsed::Line(line) = Line::parse(&line) {
                    return Ok(Some(*line));
                }
            }
            match self.connection.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(count) => self.lines.push(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(cause) => return Err(ClientError::Io { id: self.id.clone(), cause }),
            }
        }
    }
}
