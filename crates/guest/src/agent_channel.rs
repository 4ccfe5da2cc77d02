//! The agent's lines by vsock, where the VMM has one.
//!
//! A guest gets one connection in its life, the first, which its init makes before any other program runs; all others are
//! closed at once. So whatever a guest does, there is one descriptor, one line and one read at a time to care for.

use std::io::{self, Read};
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nex_protocol::{Decoder, Item, MAX_LINE};
use nex_vmm::Guest;
use serde::Serialize;

/// The host's port for the agent's lines.
pub const PORT: u32 = 1024;
/// The module that a kernel needs for it, unless it is built in.
pub const MODULE: &str = "vmw_vsock_virtio_transport";
/// The most that is read at once.
const CHUNK: usize = 64 << 10;

/// Over what an agent speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The console, among the lines of all others.
    Console,
    /// A connection of its own.
    Vsock,
}

/// Hears one guest.
#[derive(Default)]
pub struct AgentChannel {
    connection: Option<UnixStream>,
    /// Whether the guest has had its connection.
    is_taken: bool,
    decoder: Decoder,
    /// The line that has no end yet.
    line: Vec<u8>,
}

/// What has come.
#[derive(Debug, Default)]
pub struct Received {
    /// Whole lines, as they came.
    pub lines: Vec<u8>,
    /// What is in them.
    pub items: Vec<Item>,
}

impl AgentChannel {
    /// What to wait for.
    pub fn files<'a>(&'a self, guest: &'a Guest) -> impl Iterator<Item = BorrowedFd<'a>> {
        let listener = guest.vsock().and_then(|vsock| vsock.listener(PORT));
        listener.into_iter().chain(self.connection.as_ref().map(AsFd::as_fd))
    }

    /// Takes what there is, without waiting.
    ///
    /// # Errors
    /// When the system does not accept a connection.
    pub fn take(&mut self, guest: &Guest) -> io::Result<Received> {
        let accepted = match guest.vsock().map(|vsock| vsock.accept(PORT, Instant::now())) {
            // A VMM may have given it up again.
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
            Some(accepted) => accepted?,
            None => None,
        };
        if let Some(connection) = accepted.filter(|_| !self.is_taken) {
            connection.set_nonblocking(true)?;
            (self.connection, self.is_taken) = (Some(connection), true);
        }
        Ok(self.read())
    }

    fn read(&mut self) -> Received {
        let Some(connection) = &mut self.connection else { return Received::default() };
        let mut buffer = vec![0; CHUNK];
        match connection.read(&mut buffer) {
            Ok(count @ 1..) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                Received { lines: self.whole_lines(bytes), items: self.decoder.push(bytes) }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Received::default()
            }
            // Closed, in whatever way. An agent that still has something to say goes on on the console.
            Ok(0) | Err(_) => {
                self.connection = None;
                let mut lines = mem::take(&mut self.line);
                if !lines.is_empty() {
                    lines.push(b'\n');
                }
                Received { lines, items: mem::take(&mut self.decoder).finish() }
            }
        }
    }

    /// What of the bytes ends a line. The rest waits, unless it is longer than any line of the agent's.
    fn whole_lines(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.line.extend_from_slice(bytes);
        let end = self.line.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let rest = self.line.split_off(end);
        let mut lines = mem::replace(&mut self.line, rest);
        if self.line.len() > MAX_LINE {
            lines.append(&mut self.line);
            lines.push(b'\n');
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nex_protocol::{Encoder, Event, Text};

    use super::*;

    fn connected() -> io::Result<(AgentChannel, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok((AgentChannel { connection: Some(ours), is_taken: true, ..AgentChannel::default() }, theirs))
    }

    #[test]
    fn lines_are_shown_when_they_are_whole() -> io::Result<()> {
        let event = Event::Note(Text { uptime_ms: 1, text: b"here".to_vec() });
        let mut line = Vec::new();
        Encoder::new().encode(&event, &mut line);
        let (mut channel, mut agent) = connected()?;
        let (first, second) = line.split_at(9);
        agent.write_all(first)?;
        let received = channel.read();
        assert!(received.lines.is_empty() && received.items.is_empty(), "{received:?}");
        agent.write_all(second)?;
        agent.write_all(b"@nex1 no")?;
        let received = channel.read();
        assert_eq!((received.lines, received.items), (line, vec![Item::Event(event)]));
        assert!(channel.read().items.is_empty());
        // What was begun when the connection ended is no event, and no secret.
        drop(agent);
        let received = channel.read();
        assert_eq!((received.lines, received.items.len()), (b"@nex1 no\n".to_vec(), 1));
        assert!(channel.connection.is_none() && channel.read().items.is_empty());
        Ok(())
    }

    #[test]
    fn an_endless_line_is_not_kept() -> io::Result<()> {
        let (mut channel, mut agent) = connected()?;
        for _ in 0..100 {
            agent.write_all(&[b'x'; CHUNK / 2])?;
            assert!(!channel.read().lines.is_empty());
            assert!(channel.line.len() <= MAX_LINE);
        }
        Ok(())
    }
}
