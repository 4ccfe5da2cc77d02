//! A blob as a stream, resumed from where it broke.

use std::io::{self, Read};
use std::sync::Arc;

use ureq::http::StatusCode;
use ureq::http::header::CONTENT_RANGE;

use super::address::place;
use super::client::{Client, Target};
use super::error::Error;
use super::http::{Answer, Download};
use super::patience::Pace;
use super::retry::{Attempts, Retry};

/// Bytes that count as progress. Less could keep a server busy cutting us off for ever.
const PROGRESS: u64 = 64 << 10;

/// Bytes that are passed over at once.
const SKIPPED: usize = 32 << 10;

/// Reads a blob. The bytes are not verified; their number is, when it is known.
pub(super) struct BlobReader {
    client: Arc<Client>,
    target: Target,
    body: Option<Download>,
    pace: Pace,
    /// The next byte to give out.
    offset: u64,
    /// Bytes in all: by the manifest, or else by the registry's first answer.
    size: Option<u64>,
    /// False once the server has answered a request for a range with something else.
    takes_ranges: bool,
    attempts: Attempts,
    /// The offset at which attempts were last counted anew.
    progress: u64,
    is_finished: bool,
}

impl BlobReader {
    /// Asks for the blob from a byte on, so that a missing one is known at once.
    pub(super) fn open(
        client: Arc<Client>,
        target: Target,
        size: Option<u64>,
        offset: u64,
    ) -> Result<BlobReader, Error> {
        let attempts = Attempts::new(&client.retry);
        let pace = Pace::new(client.timeouts.blob);
        let progress = offset;
        let mut reader = BlobReader {
            client,
            target,
            body: None,
            pace,
            offset,
            size,
            takes_ranges: true,
            attempts,
            progress,
            is_finished: false,
        };
        loop {
            match reader.connect() {
                Ok(body) => {
                    reader.body = Some(body);
                    return Ok(reader);
                }
                Err(error) => reader.recover(error)?,
            }
        }
    }

    /// Asks for the bytes from the offset on. A blob never changes, so no `If-Range` is needed: whatever its parts came
    /// from, its digest tells whether they belong together.
    fn connect(&mut self) -> Result<Download, Error> {
        let asked = if self.takes_ranges { self.offset } else { 0 };
        match self.connect_at(asked) {
            // 416, or another range than the one asked for. The whole blob has what we want, too.
            Err(Error::Status { status: 416, .. } | Error::Range { .. }) if asked > 0 => {
                self.takes_ranges = false;
                self.connect_at(0)
            }
            outcome => outcome,
        }
    }

    fn connect_at(&mut self, asked: u64) -> Result<Download, Error> {
        let answer = self.client.get(&self.target, asked, &mut self.client.budget())?;
        let is_partial = answer.status == StatusCode::PARTIAL_CONTENT;
        let total = if is_partial { self.check_range(&answer, asked)? } else { answer.body.content_length() };
        match (self.size, total) {
            (Some(expected), Some(got)) if expected != got => return Err(self.wrong_size(expected, got.to_string())),
            (None, total) => self.size = total,
            _ => {}
        }
        let mut body = answer.into_download();
        self.pace.start_again();
        self.skip(&mut body, if is_partial { self.offset - asked } else { self.offset })?;
        Ok(body)
    }

    /// Checks that a 206 answer begins where it should; gives the blob's size if the answer tells it.
    fn check_range(&self, answer: &Answer, asked: u64) -> Result<Option<u64>, Error> {
        let told = answer.header(CONTENT_RANGE).unwrap_or_default();
        match ContentRange::parse(told) {
            Some(range) if range.first == asked => Ok(range.size),
            _ => Err(Error::Range { url: place(&self.target.uri), offset: asked, told: nex_text::excerpt(told) }),
        }
    }

    /// Passes over what we have already, when the server ignores `Range` and begins anew.
    fn skip(&mut self, body: &mut Download, surplus: u64) -> Result<(), Error> {
        let mut buffer = [0; SKIPPED];
        let mut left = surplus;
        while left > 0 {
            let room = usize::try_from(left).map_or(SKIPPED, |left| left.min(SKIPPED));
            match self.read_from(body, &mut buffer[..room])? {
                0 => return Err(self.broken(io::ErrorKind::UnexpectedEof.into())),
                bytes => left -= bytes as u64,
            }
        }
        Ok(())
    }

    /// One read at the pace that is the least.
    fn read_from(&mut self, body: &mut Download, buffer: &mut [u8]) -> Result<usize, Error> {
        body.read(buffer, &mut self.pace).map_err(|source| match self.pace.shortfall() {
            Some((received, least)) if body.is_too_slow() => {
                let (offset, size) = (self.offset, self.size);
                Error::SlowBlob { url: place(&self.target.uri), offset, size, received, least }
            }
            _ => self.broken(source),
        })
    }

    /// One read from the connection, which is made anew if there is none. Zero is the end of the blob.
    fn read_once(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(room) = self.room(buffer.len()) else {
            return self.end();
        };
        let mut body = match self.body.take() {
            Some(body) => body,
            None => self.connect()?,
        };
        let bytes = self.read_from(&mut body, &mut buffer[..room])?;
        if bytes == 0 && self.size.is_some() {
            return Err(self.broken(io::ErrorKind::UnexpectedEof.into()));
        }
        self.body = Some(body);
        self.advance(bytes);
        Ok(bytes)
    }

    /// How much of the buffer may be filled; `None` when the blob is complete.
    fn room(&self, wanted: usize) -> Option<usize> {
        let Some(size) = self.size else {
            return Some(wanted);
        };
        match size.saturating_sub(self.offset) {
            0 => None,
            left => Some(usize::try_from(left).map_or(wanted, |left| left.min(wanted))),
        }
    }

    /// After the last byte nothing may follow. A connection that breaks here has done its work.
    fn end(&mut self) -> Result<usize, Error> {
        let mut probe = [0];
        let more = self.body.take().map_or(Ok(0), |mut body| body.read(&mut probe, &mut self.pace));
        match more {
            Ok(1) => Err(self.wrong_size(self.offset, "more".to_owned())),
            _ => Ok(0),
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.offset += bytes as u64;
        if self.offset - self.progress >= PROGRESS.max(self.pace.quota()) {
            self.progress = self.offset;
            self.attempts.start_again();
        }
    }

    /// Waits before another attempt, or gives up.
    fn recover(&mut self, error: Error) -> Result<(), Error> {
        self.body = None;
        let retry = error.resume();
        if self.attempts.wait_after_failure(retry) {
            return Ok(());
        }
        match (retry, self.attempts.made()) {
            // The failure itself says all: it was not tried again.
            (Retry::Never, _) | (_, 0 | 1) => Err(error),
            (_, attempts) => Err(Error::BlobBroken {
                url: place(&self.target.uri),
                offset: self.offset,
                size: self.size,
                attempts,
                source: Box::new(error),
            }),
        }
    }

    fn broken(&self, source: io::Error) -> Error {
        Error::Connection { url: place(&self.target.uri), source }
    }

    fn wrong_size(&self, expected: u64, got: String) -> Error {
        Error::BlobSize { url: place(&self.target.uri), expected, got }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.is_finished {
            return Ok(0);
        }
        loop {
            match self.read_once(buffer) {
                Ok(bytes) => {
                    self.is_finished = bytes == 0;
                    return Ok(bytes);
                }
                Err(error) => self.recover(error).map_err(io::Error::other)?,
            }
        }
    }
}

/// `Content-Range: bytes FIRST-LAST/SIZE` (RFC 9110, section 14.4).
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    first: u64,
    /// `None` when the server writes `*`.
    size: Option<u64>,
}

impl ContentRange {
    fn parse(text: &str) -> Option<ContentRange> {
        let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse::<u64>().ok()?);
        let size = match size.trim() {
            "*" => None,
            number => Some(number.parse::<u64>().ok()?),
        };
        let is_possible = first <= last && size.is_none_or(|size| last < size);
        is_possible.then_some(ContentRange { first, size })
    }
}

#[cfg(test)]
mod tests {
    use super::ContentRange;

    #[test]
    fn content_ranges_are_read_strictly() {
        let range = |first, size| Some(ContentRange { first, size });
        assert_eq!(ContentRange::parse("bytes 5-9/10"), range(5, Some(10)));
        assert_eq!(ContentRange::parse("bytes 5-9/*"), range(5, None));
        for text in ["", "bytes */10", "bytes 9-5/10", "bytes 5-10/10", "items 5-9/10", "bytes -1-9/10", "bytes 5-9"] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }
}
