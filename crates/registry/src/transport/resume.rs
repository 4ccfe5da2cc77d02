//! A download as a stream, resumed from where it broke.

use std::error::Error as StdError;
use std::io::{self, Read};

use ureq::http::StatusCode;
use ureq::http::header::CONTENT_RANGE;

use super::answer::{Answer, Download};
use super::error::Error;
use super::patience::{Pace, Throughput};
use super::retry::{Attempts, Retry, RetryPolicy};

/// Bytes that count as progress. Less could keep a server busy cutting us off for ever.
const PROGRESS: u64 = 64 << 10;

/// Bytes that are passed over at once.
const SKIPPED: usize = 32 << 10;

/// Something that never changes and can be asked for from any byte on.
pub trait RangeSource {
    /// Why it is not given.
    type Error: From<Error> + StdError + Send + Sync + 'static;

    /// Asks once, from a byte on (`Range: bytes=OFFSET-`, where that is not 0). Only success is an answer.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    fn get(&self, offset: u64) -> Result<Answer, Self::Error>;

    /// Whether it was refused because of the byte (416).
    fn refuses_range(error: &Self::Error) -> bool;

    /// Whether asking again may help, once something has come.
    fn resume(error: &Self::Error) -> Retry;

    /// Its address for messages.
    fn place(&self) -> String;
}

/// Reads a source. The bytes are not verified; their number is, when it is known.
pub struct ResumedReader<S> {
    source: S,
    body: Option<Download>,
    pace: Pace,
    /// The next byte to give out.
    offset: u64,
    /// Bytes in all: by who has asked, or else by the server's first answer.
    size: Option<u64>,
    /// False once the server has answered a request for a range with something else.
    takes_ranges: bool,
    attempts: Attempts,
    /// The offset at which attempts were last counted anew.
    progress: u64,
    is_finished: bool,
}

impl<S: RangeSource> ResumedReader<S> {
    /// Asks for a source of so many bytes, where that is known, from a byte on: a missing one is known at once.
    ///
    /// # Errors
    /// When it does not begin to come, with all the patience that there is.
    pub fn open(
        source: S,
        size: Option<u64>,
        offset: u64,
        retry: &RetryPolicy,
        least: Option<Throughput>,
    ) -> Result<Self, S::Error> {
        let mut reader = Self {
            source,
            body: None,
            pace: Pace::new(least),
            offset,
            size,
            takes_ranges: true,
            attempts: Attempts::new(retry),
            progress: offset,
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

    /// Asks for the bytes from the offset on. A source never changes, so no `If-Range` is needed: whatever its parts came
    /// from, its digest tells whether they belong together.
    fn connect(&mut self) -> Result<Download, S::Error> {
        let asked = if self.takes_ranges { self.offset } else { 0 };
        match self.connect_at(asked)? {
            Connected::There(body) => return Ok(body),
            Connected::Elsewhere(error) if asked == 0 => return Err(error),
            Connected::Elsewhere(_) => self.takes_ranges = false,
        }
        // 416, or another range than the one asked for. The whole has what we want, too.
        match self.connect_at(0)? {
            Connected::There(body) => Ok(body),
            Connected::Elsewhere(error) => Err(error),
        }
    }

    fn connect_at(&mut self, asked: u64) -> Result<Connected<S::Error>, S::Error> {
        let answer = match self.source.get(asked) {
            Ok(answer) => answer,
            Err(error) if S::refuses_range(&error) => return Ok(Connected::Elsewhere(error)),
            Err(error) => return Err(error),
        };
        let is_partial = answer.status() == StatusCode::PARTIAL_CONTENT;
        let total = match is_partial.then(|| self.check_range(&answer, asked)) {
            None => answer.content_length(),
            Some(Ok(size)) => size,
            Some(Err(error)) => return Ok(Connected::Elsewhere(error.into())),
        };
        match (self.size, total) {
            (Some(expected), Some(got)) if expected != got => return Err(self.wrong_size(expected, got.to_string())),
            (None, total) => self.size = total,
            _ => {}
        }
        let mut body = answer.into_download();
        self.pace.start_again();
        self.skip(&mut body, if is_partial { self.offset - asked } else { self.offset })?;
        Ok(Connected::There(body))
    }

    /// Checks that a 206 answer begins where it should; gives the size of all if the answer tells it.
    fn check_range(&self, answer: &Answer, asked: u64) -> Result<Option<u64>, Error> {
        let told = answer.header(CONTENT_RANGE).unwrap_or_default();
        match ContentRange::parse(told) {
            Some(range) if range.first == asked => Ok(range.size),
            _ => Err(Error::Range { url: self.source.place(), offset: asked, told: nex_text::excerpt(told) }),
        }
    }

    /// Passes over what we have already, when the server ignores `Range` and begins anew.
    fn skip(&mut self, body: &mut Download, surplus: u64) -> Result<(), S::Error> {
        let mut buffer = [0; SKIPPED];
        let mut left = surplus;
        while left > 0 {
            let room = usize::try_from(left).map_or(SKIPPED, |left| left.min(SKIPPED));
            match self.read_from(body, &mut buffer[..room])? {
                0 => return Err(self.broken(io::ErrorKind::UnexpectedEof.into()).into()),
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
                Error::SlowDownload { url: self.source.place(), offset, size, received, least }
            }
            _ => self.broken(source),
        })
    }

    /// One read from the connection, which is made anew if there is none. Zero is the end.
    fn read_once(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        let Some(room) = self.room(buffer.len()) else {
            return self.end();
        };
        let mut body = match self.body.take() {
            Some(body) => body,
            None => self.connect()?,
        };
        let bytes = self.read_from(&mut body, &mut buffer[..room])?;
        if bytes == 0 && self.size.is_some() {
            return Err(self.broken(io::ErrorKind::UnexpectedEof.into()).into());
        }
        self.body = Some(body);
        self.advance(bytes);
        Ok(bytes)
    }

    /// How much of the buffer may be filled; `None` when all is there.
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
    fn end(&mut self) -> Result<usize, S::Error> {
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
    fn recover(&mut self, error: S::Error) -> Result<(), S::Error> {
        self.body = None;
        let retry = S::resume(&error);
        if self.attempts.wait_after_failure(retry) {
            return Ok(());
        }
        match (retry, self.attempts.made()) {
            // The failure itself says all: it was not tried again.
            (Retry::Never, _) | (_, 0 | 1) => Err(error),
            (_, attempts) => {
                let (url, offset, size) = (self.source.place(), self.offset, self.size);
                Err(Error::Broken { url, offset, size, attempts, source: Box::new(error) }.into())
            }
        }
    }

    fn broken(&self, source: io::Error) -> Error {
        Error::Connection { url: self.source.place(), source }
    }

    fn wrong_size(&self, expected: u64, got: String) -> S::Error {
        Error::Length { url: self.source.place(), expected, got }.into()
    }
}

/// Where a connection gives bytes from.
enum Connected<E> {
    /// From the one that is wanted on.
    There(Download),
    /// From no byte that is of use.
    Elsewhere(E),
}

impl<S: RangeSource> Read for ResumedReader<S> {
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
