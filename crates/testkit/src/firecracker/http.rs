//! As much of HTTP/1.1 as Firecracker's server has: requests one after the other over one connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use super::answer::Answer;

/// The largest body that Firecracker takes, in bytes, unless it is told otherwise.
const LARGEST_BODY: u64 = 51_200;
/// The longest line of a request's head, in bytes.
const LONGEST_LINE: u64 = 1024;

/// A request.
pub struct Request {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The body, if it has one.
    pub body: Option<Vec<u8>>,
}

/// A connection.
pub struct Connection(BufReader<UnixStream>);

impl Connection {
    /// A connection over a socket.
    pub fn new(socket: UnixStream) -> Self {
        Self(BufReader::new(socket))
    }

    /// Waits for the next request. `None` when there is none any more.
    ///
    /// # Errors
    /// When it is no HTTP, or the client fails.
    pub fn receive(&mut self) -> io::Result<Option<Request>> {
        let Some(start) = self.line()? else { return Ok(None) };
        let mut words = start.split(' ');
        let (Some(method), Some(path), Some("HTTP/1.1" | "HTTP/1.0"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(malformed("the first line"));
        };
        let mut length = 0;
        loop {
            let header = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if header.is_empty() {
                break;
            }
            let (name, value) = header.split_once(':').ok_or_else(|| malformed("a header"))?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| malformed("the content's length"))?;
            }
        }
        if length > LARGEST_BODY {
            return Err(malformed("the size of the body"));
        }
        let mut body = Vec::new();
        self.0.by_ref().take(length).read_to_end(&mut body)?;
        let body = (length > 0).then_some(body);
        Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), body }))
    }

    /// Answers.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn send(&mut self, answer: &Answer) -> io::Result<()> {
        let mut text = format!("HTTP/1.1 {} \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n", answer.status);
        match &answer.body {
            Some(body) => {
                let body = body.to_string();
                text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            }
            None => text += "\r\n",
        }
        self.0.get_mut().write_all(text.as_bytes())
    }

    /// A line, without its end; `None` at the end of the connection.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        if self.0.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.strip_suffix("\r\n").ok_or_else(|| malformed("a line"))?;
        Ok(Some(line.to_owned()))
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} of the request is not as HTTP has it"))
}
