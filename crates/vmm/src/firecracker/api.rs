//! Firecracker's API: HTTP/1.1 over a Unix socket, one request after the other over one connection.
//!
//! A handful of lines in place of an HTTP library: both sides are known, requests are a head and a JSON object, answers are
//! a status and, with a Content-Length, a JSON object.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::interrupt::OwnedInterrupt;
use crate::timed::{Timed, line};

/// The longest head and the longest body of an answer, in bytes.
const LONGEST: u64 = 64 << 10;

/// Why something is not done.
#[derive(Debug)]
pub enum Trouble {
    /// Firecracker refuses, in these words.
    Fault(String),
    /// It does not answer.
    Talk(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Talk(error)
    }
}

/// A connection.
pub struct Api {
    reader: BufReader<Timed>,
    patience: Duration,
}

impl Api {
    /// Talks over a socket, and waits no longer than that for each answer.
    pub fn over(socket: UnixStream, patience: Duration) -> io::Result<Self> {
        Ok(Self { reader: BufReader::new(Timed::new(socket, patience)?), patience })
    }

    /// From now on nobody waits any more when this interrupt has come.
    pub fn end_at(&mut self, interrupt: OwnedInterrupt) {
        self.reader.get_mut().end_at(interrupt);
    }

    /// Asks for something to be done.
    pub fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<(), Trouble> {
        let body = body.to_string();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.reader.get_mut().allow(self.patience);
        self.reader.get_mut().write_all(request.as_bytes())?;
        let (status, answer) = self.answer()?;
        if (200..300).contains(&status) {
            return Ok(());
        }
        let fault = serde_json::from_slice::<Value>(&answer).ok();
        let fault = fault.as_ref().and_then(|fault| fault["fault_message"].as_str());
        Err(Trouble::Fault(match fault {
            Some(message) => nex_text::in_one_line(message),
            None => format!("{method} {path}: status {status}"),
        }))
    }

    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not as HTTP has it");
        let mut head = Head(LONGEST);
        let first = head.line(&mut self.reader)?;
        let status =
            first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).ok_or_else(malformed)?;
        let mut length = 0;
        loop {
            let header = head.line(&mut self.reader)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').ok_or_else(malformed)?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| malformed())?;
            }
        }
        if length > LONGEST {
            return Err(malformed());
        }
        let mut body = Vec::new();
        let read = self.reader.by_ref().take(length).read_to_end(&mut body)?;
        if u64::try_from(read).is_ok_and(|read| read == length) { Ok((status, body)) } else { Err(malformed()) }
    }
}

/// How much more a head may have, in bytes.
struct Head(u64);

impl Head {
    /// A line, without its end.
    fn line(&mut self, reader: &mut BufReader<Timed>) -> io::Result<String> {
        let line = line(reader, self.0)?;
        self.0 = self.0.saturating_sub(line.len().try_into().unwrap_or(u64::MAX));
        let line = line.trim_end_matches('\n');
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// What comes of a request that is answered in this way.
    fn ask(answer: impl FnOnce(UnixStream) + Send + 'static) -> io::Result<String> {
        let (ours, mut theirs) = UnixStream::pair()?;
        let other = thread::spawn(move || {
            // Who closes a socket with something in it resets it.
            let _ = theirs.read(&mut [0; 1024]);
            answer(theirs);
        });
        let mut api = Api::over(ours, Duration::from_secs(1))?;
        let said = match api.ask("PUT", "/actions", &Value::Null) {
            Ok(()) => "done".to_owned(),
            Err(Trouble::Fault(fault)) => fault,
            Err(Trouble::Talk(error)) => error.kind().to_string(),
        };
        drop(api);
        other.join().map_err(|_| io::ErrorKind::Other)?;
        Ok(said)
    }

    #[test]
    fn an_answer_ends() -> io::Result<()> {
        let says = |text: &'static [u8]| move |mut socket: UnixStream| drop(socket.write_all(text));
        assert_eq!(ask(says(b"HTTP/1.1 204 \r\nServer: x\r\n\r\n"))?, "done");
        assert_eq!(ask(says(b"HTTP/1.1 400 \r\nContent-Length: 23\r\n\r\n{\"fault_message\":\"no\"}\n"))?, "no");
        // A head without an end, as fast as it can, and so slowly that it would take for ever.
        let endless = |mut socket: UnixStream| {
            while socket.write_all(b"HTTP/1.1 204 \r\nMore: and more\r\n".repeat(100).get(14..).unwrap_or(b"")).is_ok()
            {
            }
        };
        assert_ne!(ask(endless)?, "done");
        let slow = |mut socket: UnixStream| {
            drop(socket.write_all(b"HTTP/1.1 204 \r\n"));
            while socket.write_all(b"A:\n").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        };
        assert_eq!(ask(slow)?, io::ErrorKind::TimedOut.to_string());
        Ok(())
    }

    #[test]
    fn a_refusal_is_one_line_for_a_terminal() {
        let body = r#"{"fault_message":"Cannot start.\nKernel: \u001b[2J\u202e'x'\n\n  error: forged"}"#;
        let answer = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        theirs.write_all(answer.as_bytes()).expect("an answer");
        let asked = Api::over(ours, Duration::from_secs(5)).map(|mut api| api.ask("PUT", "/actions", &Value::Null));
        let Ok(Err(Trouble::Fault(said))) = asked else { panic!("no refusal") };
        assert_eq!(said, r"Cannot start.; Kernel: \u{1b}[2J\u{202e}'x'; error: forged");
    }
}
