//! What a server has answered, and its body on its way.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{self, HeaderMap};
use ureq::http::{Response, StatusCode, Uri};
use ureq::{Body, BodyReader};

use super::address::host_of;
use super::encoding::decoded;
use super::error::Error;
use super::line::HeldLine;
use super::location::Location;
use super::patience::{Budget, Pace};
use super::reach::Reach;
use super::request::Origin;
use super::sent::Sent;
use super::shown::place_of;

/// What a server answered, whatever its status.
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    /// Behind the body: a connection is free when its body is gone.
    line: HeldLine,
    allowed: Option<Duration>,
    uri: Uri,
    origin: Origin,
    home_reach: Reach,
    reach: Reach,
    sent: Arc<Sent>,
}

impl Answer {
    pub(crate) fn new(response: Response<Body>, line: HeldLine, uri: Uri, budget: &Budget, sent: &Arc<Sent>) -> Answer {
        let (parts, body) = response.into_parts();
        let (allowed, reach) = (budget.allowed, line.reached(&uri));
        let (status, headers) = (parts.status, parts.headers);
        let (origin, sent) = (Origin::Own, Arc::clone(sent));
        Answer { status, headers, body, line, allowed, uri, origin, home_reach: reach, reach, sent }
    }

    /// The same behind redirects.
    pub(crate) fn from(self, origin: Origin, home_reach: Reach) -> Answer {
        Answer { origin, home_reach, ..self }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header's text.
    pub fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The address that answered, after redirects.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Host and port that answered.
    pub(crate) fn host(&self) -> String {
        host_of(&self.uri)
    }

    /// Whose address it is: another's when a redirect led to another origin.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// How far inside the network the server is that was asked first.
    pub(crate) fn home_reach(&self) -> Reach {
        self.home_reach
    }

    /// The same of the one that has answered.
    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// Bytes of the body, if the headers tell.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.body.content_length()
    }

    /// What must not be shown of its words.
    pub(crate) fn sent(&self) -> Arc<Sent> {
        Arc::clone(&self.sent)
    }

    /// Where it leads, as the address of an upload that has begun.
    ///
    /// # Errors
    /// When it leads nowhere, or where we do not go.
    pub fn location(&self) -> Result<Location, Error> {
        Location::of(&self.uri, self.origin, self.home_reach, &self.headers)
    }

    /// Reads the whole body, unless it is larger than `limit` bytes, as it is sent or as it is decoded.
    ///
    /// # Errors
    /// When it does not come, is too large, or is damaged.
    pub fn read(self, limit: u64) -> Result<Vec<u8>, Error> {
        let url = place_of(&self.uri, self.origin);
        let too_large = |url| Err(Error::TooLarge { url, limit });
        if self.body.content_length().is_some_and(|length| length > limit) {
            return too_large(url);
        }
        let encoding = self.header(header::CONTENT_ENCODING).map(str::to_owned);
        let mut content = Vec::new();
        match self.body.into_reader().take(limit.saturating_add(1)).read_to_end(&mut content) {
            Err(source) => {
                Err(too_slow(&self.line, url.clone(), self.allowed).unwrap_or(Error::Connection { url, source }))
            }
            Ok(_) if content.len() as u64 > limit => too_large(url),
            Ok(_) => decoded(content, encoding.as_deref(), limit, &url),
        }
    }

    /// The body, to be read at a pace.
    pub(crate) fn into_download(self) -> Download {
        Download { body: self.body.into_reader(), line: self.line }
    }
}

/// The answer did not come in its time, if that is what the failure was.
pub(crate) fn too_slow(line: &HeldLine, url: String, allowed: Option<Duration>) -> Option<Error> {
    let allowed = allowed.filter(|_| line.deadline().has_passed())?;
    Some(Error::Slow { url, allowed, received: line.deadline().received() })
}

/// A body on its way.
pub(crate) struct Download {
    body: BodyReader<'static>,
    /// Behind the body: a connection is free when its body is gone.
    line: HeldLine,
}

impl Download {
    /// Reads what has come, or waits as long as the pace allows.
    pub(crate) fn read(&mut self, buffer: &mut [u8], pace: &mut Pace) -> io::Result<usize> {
        let start = Instant::now();
        self.line.deadline().set(pace.end());
        let read = self.body.read(buffer);
        pace.count(start.elapsed(), *read.as_ref().unwrap_or(&0));
        read
    }

    /// Whether the pace was too slow for the last read.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.line.deadline().has_passed()
    }
}
