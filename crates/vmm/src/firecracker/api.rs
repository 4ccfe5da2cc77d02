//! Firecracker's API: HTTP/1.1 over a Unix socket, one request after the other over one connection.
//!
//! A handful of lines in place of an HTTP library: both sides are known, requests are a head and a JSON object, answers are
//! a status and, with a Content-Length, a JSON object.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

/// The longest line and the longest body of an answer, in bytes.
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
pub struct Api(BufReader<UnixStream>);

impl Api {
    /// Talks over a socket, and waits no longer than that for each answer.
    pub fn over(socket: UnixStream, patience: Duration) -> io::Result<Self> {
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        Ok(Self(BufReader::new(socket)))
    }

    /// Asks for something to be done.
    pub fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<(), Trouble> {
        let body = body.to_string();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        let (status, answer) = self.answer()?;
        if (200..300).contains(&status) {
            return Ok(());
        }
        let fault = serde_json::from_slice::<Value>(&answer).ok();
        let fault = fault.as_ref().and_then(|fault| fault["fault_message"].as_str());
        Err(Trouble::Fault(match fault {
            Some(message) => message.to_owned(),
            None => format!("{method} {path}: status {status}"),
        }))
    }

    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not as HTTP has it");
        let first = self.line()?;
        let status =
            first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).ok_or_else(malformed)?;
        let mut length = 0;
        loop {
            let header = self.line()?;
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
        let read = self.0.by_ref().take(length).read_to_end(&mut body)?;
        if u64::try_from(read).is_ok_and(|read| read == length) { Ok((status, body)) } else { Err(malformed()) }
    }

    /// A line, without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.by_ref().take(LONGEST).read_line(&mut line)?;
        let line = line.strip_suffix('\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }
}
