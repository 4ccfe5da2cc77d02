//! One HTTP exchange: proxies, TLS, timeouts, and redirects that give nothing away.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use ureq::http::header::{self, HeaderValue};
use ureq::http::{Method, Request as Message, Response, StatusCode, Uri};
use ureq::{AsSendBody, SendBody};

use super::address::{host_of, is_https, parse, place};
use super::answer::{Answer, too_slow};
use super::body::Body;
use super::error::{Error, TlsHint};
use super::fence::{Fenced, Limit};
use super::line::{Caller, HeldLine, Lines, Tls};
use super::location::Location;
use super::names::NotFound;
use super::options::Options;
use super::outgoing::{Outgoing, Unreadable};
use super::patience::{Budget, Timeouts};
use super::request::{Origin, Redirects, Request};
use super::security::Security;
use super::sent::Sent;
use super::shown::place_of;
use super::tls;
use super::trace::{self, Authorized};

/// Redirects that are followed at most.
const MAX_REDIRECTS: usize = 5;

/// Bodies with more bytes wait until the server wants them (`Expect: 100-continue`), as in curl: one that is refused, or sent
/// elsewhere, is not sent in vain.
const EXPECT_ABOVE: u64 = 1 << 20;

/// Exchanges with servers, over connections that are kept open in between. May be used by several threads.
pub struct Transport {
    lines: Arc<Lines>,
    timeouts: Timeouts,
    has_authorities: bool,
    sent: Arc<Sent>,
}

impl Transport {
    /// Sets up connections for talking to a server: `name` is its host and port, by which the user's certificates for it are found,
    /// and its addresses begin with `base`. Nothing is sent yet.
    ///
    /// # Errors
    /// Settings that cannot be used (certificates, proxies), or a base that is no address.
    pub fn new(name: &str, base: &str, options: &Options) -> Result<Transport, Error> {
        let machines = options.certificates.machines()?;
        let proxy = tls::configuration(&machines, None, Security::Tls);
        let authorities = [machines, options.certificates.servers(name)?].concat();
        let identity = options.certificates.identity(name)?;
        let tls = Tls {
            proxy,
            anybody: tls::configuration(&authorities, None, Security::Tls),
            home: (parse(base)?, tls::configuration(&authorities, identity, options.security)),
        };
        let lines = Lines::new(tls, &options.timeouts, &options.proxies)?;
        let has_authorities = !authorities.is_empty();
        Ok(Transport { lines, timeouts: options.timeouts.clone(), has_authorities, sent: Arc::default() })
    }

    /// Whether the server itself has ever spoken TLS.
    pub fn has_spoken_tls(&self) -> bool {
        self.lines.has_spoken_tls()
    }

    /// The time for one document, from now on.
    pub fn budget(&self) -> Budget {
        Budget::start(self.timeouts.document)
    }

    /// Has no answer show what a body holds. Of headers and addresses it is known what is secret in them.
    pub(crate) fn keep_secret(&self, secret: &str) {
        self.sent.keep(secret);
    }

    /// Asks, and follows redirects. The answer may be a refusal.
    ///
    /// # Errors
    /// When there is no answer, or it leads where we do not go.
    pub fn send(&self, request: &Request<'_>, budget: &Budget) -> Result<Answer, Error> {
        let line = self.line(budget);
        line.fence().set(request.limit.clone());
        let mut uri = request.uri.clone();
        let (mut origin, mut home_reach) = (request.origin, None);
        for _ in 0..=MAX_REDIRECTS {
            check_encryption(&uri, origin, &request.body)?;
            let start = Instant::now();
            let response = self.send_once(&line, &uri, request, origin, budget);
            trace::exchange(&request.method, (&uri, origin), &response, start.elapsed());
            let response = response?;
            let home_reach = *home_reach.get_or_insert_with(|| line.reached(&uri));
            if !is_redirect(response.status()) || request.redirects == Redirects::Returned {
                return Ok(Answer::new(response, line, uri, budget, &self.sent).from(origin, home_reach));
            }
            if !keeps_request(response.status(), &request.method) {
                let reason = "it asks for another request in the place of the one that was sent";
                return Err(Error::Redirect { from: place_of(&uri, origin), to: None, reason });
            }
            let next = Location::of(&uri, origin, home_reach, response.headers())?;
            if next.leaves(&uri) {
                line.fence().set(Limit::Within(next.innermost()));
            }
            trace::redirect((&uri, origin), (next.uri(), next.origin()));
            origin = next.origin();
            uri = next.uri().clone();
        }
        Err(Error::Redirect {
            from: place(request.uri),
            to: Some(place_of(&uri, origin)),
            reason: "more than 5 in a row",
        })
    }

    fn send_once(
        &self,
        line: &HeldLine,
        uri: &Uri,
        request: &Request<'_>,
        origin: Origin,
        budget: &Budget,
    ) -> Result<Response<ureq::Body>, Error> {
        self.sent.keep_query(uri);
        let is_own = origin == Origin::Own;
        let mut message = Message::builder().method(&request.method).uri(uri);
        for (name, value) in &request.headers {
            message = message.header(name, value);
        }
        // Blobs are compressed already, and their digests are those of the bytes as they are stored.
        message = message.header(header::ACCEPT_ENCODING, "identity");
        let as_guest = request.guest.filter(|_| !is_own).and_then(|guest| guest.for_address(uri));
        let authorization = request.authorization.filter(|_| is_own).or(as_guest);
        let authorized = if authorization.is_some() { Authorized::Yes } else { Authorized::No };
        trace::request(&request.method, uri, origin, authorized);
        if let Some(authorization) = authorization {
            self.sent.keep_authorization(authorization);
            message = message.header(header::AUTHORIZATION, authorization);
        }
        if request.body.length() > EXPECT_ABOVE {
            message = message.header(header::EXPECT, "100-continue");
        }
        // Where a redirect leads is not what the caller has asked for, even where it leads back.
        let caller = if is_own { request.caller } else { Caller::Nobody };
        match request.body {
            Body::Empty if !takes_body(&request.method) => {
                self.run(line, (uri, origin), caller, message.body(()), budget)
            }
            Body::Empty => self.run(line, (uri, origin), caller, message.body(&[0_u8; 0][..]), budget),
            Body::Bytes(bytes) => self.run(line, (uri, origin), caller, message.body(bytes), budget),
            Body::Content(content) => {
                let (least, deadline) = (self.timeouts.blob, line.deadline());
                let outgoing = Outgoing::new(content, least, deadline, budget.allowed);
                let mut outgoing = outgoing.map_err(|source| Error::Body { url: place_of(uri, origin), source })?;
                let message = message.header(header::CONTENT_LENGTH, HeaderValue::from(content.length()));
                let sent =
                    self.run(line, (uri, origin), caller, message.body(SendBody::from_reader(&mut outgoing)), budget);
                match (sent, least) {
                    (Err(_), Some(least)) if outgoing.is_under_way() && deadline.has_passed() => {
                        let (size, left) = (content.length(), outgoing.left());
                        let (url, offset) = (place_of(uri, origin), size.saturating_sub(left));
                        Err(Error::SlowUpload { url, offset, size, least })
                    }
                    (sent, _) => sent,
                }
            }
        }
    }

    fn line(&self, budget: &Budget) -> HeldLine {
        let line = self.lines.take();
        line.deadline().begin(budget.end);
        line
    }

    fn run<B: AsSendBody>(
        &self,
        line: &HeldLine,
        (uri, origin): (&Uri, Origin),
        caller: Caller,
        message: ureq::http::Result<Message<B>>,
        budget: &Budget,
    ) -> Result<Response<ureq::Body>, Error> {
        let message = message.map_err(|_| Error::Address { name: place_of(uri, origin) })?;
        line.agent(uri, caller).run(message).map_err(|error| {
            match too_slow(line, place_of(uri, origin), budget.allowed) {
                Some(slow) => slow,
                None => self.failure(uri, origin, error),
            }
        })
    }

    /// The library's error, as ours.
    fn failure(&self, uri: &Uri, origin: Origin, error: ureq::Error) -> Error {
        let host = host_of(uri);
        if let Some(tls) = tls_error(&error) {
            return Error::Tls { host, problem: nex_text::excerpt(tls.to_string()), hint: self.tls_hint(tls) };
        }
        let is_proxied = self.lines.proxy(uri).is_some();
        if let ureq::Error::Other(other) = &error {
            if let Some(Fenced(reach)) = other.downcast_ref() {
                return Error::Inside { url: place_of(uri, origin), leads: reach.place() };
            }
            // Behind a proxy it is the proxy's name that was looked up.
            if let Some(NotFound { reason }) = other.downcast_ref() {
                let host = if is_proxied { format!("the proxy for {host}") } else { host };
                return Error::HostNotFound { host, reason: reason.clone() };
            }
        }
        let source = match error.into_io().downcast::<Unreadable>() {
            Ok(unreadable) => return Error::Body { url: place_of(uri, origin), source: unreadable.into_inner() },
            Err(source) => source,
        };
        if source.kind() == io::ErrorKind::ConnectionRefused {
            return Error::ConnectionRefused { host: if is_proxied { format!("the proxy for {host}") } else { host } };
        }
        Error::Connection { url: place_of(uri, origin), source }
    }

    fn tls_hint(&self, error: &rustls::Error) -> TlsHint {
        use rustls::CertificateError as Wrong;
        match error {
            rustls::Error::InvalidMessage(_) => TlsHint::PlainHttp,
            _ if !self.has_authorities => TlsHint::NoAuthorities,
            rustls::Error::InvalidCertificate(Wrong::UnknownIssuer) => TlsHint::UnknownIssuer,
            rustls::Error::InvalidCertificate(Wrong::Expired | Wrong::ExpiredContext { .. }) => TlsHint::Expired,
            _ => TlsHint::Other,
        }
    }
}

/// The user has named one server as insecure at most: what is uploaded goes unencrypted to nobody else.
fn check_encryption(uri: &Uri, origin: Origin, body: &Body<'_>) -> Result<(), Error> {
    if origin == Origin::Own || is_https(uri) || body.length() == 0 {
        return Ok(());
    }
    let reason = "it leads to another server without TLS, and what is sent must not travel unencrypted";
    Err(Error::Redirect { from: host_of(uri), to: Some(place_of(uri, origin)), reason })
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Whether a redirect is about the same request, with its method and its body (RFC 9110, section 15.4). The others would make a
/// GET of it.
fn keeps_request(status: StatusCode, method: &Method) -> bool {
    matches!(status.as_u16(), 307 | 308) || *method == Method::GET || *method == Method::HEAD
}

/// Whether servers want to know how long the body is, even where there is none.
fn takes_body(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PUT || *method == Method::PATCH
}

/// The TLS error inside, if that is what went wrong. The handshake hands it over wrapped in an I/O error.
fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(tls) => Some(tls),
        ureq::Error::Io(io) => {
            let inner = io.get_ref()?;
            inner.downcast_ref().or_else(|| inner.source()?.downcast_ref())
        }
        _ => None,
    }
}
