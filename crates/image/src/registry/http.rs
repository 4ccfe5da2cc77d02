//! One HTTP exchange: proxies, TLS, timeouts, and redirects that give nothing away.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{self, HeaderMap, HeaderValue};
use ureq::http::{Method, Request, Response, StatusCode, Uri};
use ureq::{AsSendBody, Body, BodyReader};

use super::address::{host_of, is_https, parse, place, resolve, same_origin};
use super::encoding::decoded;
use super::error::Error;
use super::fence::{Fenced, Limit};
use super::guest::Guest;
use super::line::{Caller, HeldLine, Lines, Tls};
use super::names::NotFound;
use super::patience::{Budget, Pace};
use super::reach::Reach;
use super::tls;
use super::{Options, Security};

/// Redirects that are followed at most.
const MAX_REDIRECTS: usize = 5;

/// Exchanges with servers, over connections that are kept open in between.
pub(super) struct Http {
    lines: Arc<Lines>,
    has_authorities: bool,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Get<'a> {
    pub(super) uri: &'a Uri,
    pub(super) accept: Option<&'static str>,
    /// The first byte wanted.
    pub(super) offset: u64,
    /// Sent to the first address and to redirects at the same origin, never elsewhere.
    pub(super) authorization: Option<&'a HeaderValue>,
    /// What another origin has given to somebody without a name, for itself alone.
    pub(super) guest: Option<&'a Guest>,
    /// The innermost addresses that the name may have.
    pub(super) limit: Limit,
    /// Who asks, until a redirect leads to another origin.
    pub(super) caller: Caller,
}

/// What a server answered, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// Behind the body: a connection is free when its body is gone.
    line: HeldLine,
    allowed: Option<Duration>,
    /// The address that answered, after redirects.
    pub(super) uri: Uri,
    /// False when a redirect led to another origin.
    pub(super) is_home: bool,
    /// How far inside the network the server is that was asked first.
    pub(super) home_reach: Reach,
    /// The same of the one that has answered.
    pub(super) reach: Reach,
}

impl Http {
    /// Sets up connections for talking to `registry`, whose addresses begin with `base`. Nothing is sent yet.
    pub(super) fn new(registry: &str, base: &str, options: &Options) -> Result<Http, Error> {
        let machines = options.certificates.machines()?;
        let proxy = tls::configuration(&machines, None, Security::Tls);
        let authorities = [machines, options.certificates.registrys(registry)?].concat();
        let identity = options.certificates.identity(registry)?;
        let tls = Tls {
            proxy,
            anybody: tls::configuration(&authorities, None, Security::Tls),
            home: (parse(base)?, tls::configuration(&authorities, identity, options.security)),
        };
        let lines = Lines::new(tls, &options.timeouts, &options.proxies)?;
        Ok(Http { lines, has_authorities: !authorities.is_empty() })
    }

    /// Whether the registry itself has ever spoken TLS.
    pub(super) fn has_spoken_tls(&self) -> bool {
        self.lines.has_spoken_tls()
    }

    /// Asks, and follows redirects.
    pub(super) fn get(&self, get: &Get<'_>, budget: &Budget) -> Result<Answer, Error> {
        let line = self.line(budget);
        line.fence().set(get.limit.clone());
        let mut uri = get.uri.clone();
        let (mut is_home, mut home_reach) = (true, None);
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get_once(&line, &uri, get, is_home, budget)?;
            let home_reach = *home_reach.get_or_insert_with(|| line.reached(&uri));
            if !is_redirect(response.status()) {
                return Ok(Answer::new(response, line, uri, budget).from(is_home, home_reach));
            }
            let next = redirect_target(&uri, home_reach, response.headers())?;
            if !same_origin(&uri, &next) {
                line.fence().set(Limit::Within(innermost_redirect(home_reach)));
            }
            // Once away from home, the authorization stays away, even when a redirect leads back.
            is_home &= same_origin(&uri, &next);
            uri = next;
        }
        Err(Error::Redirect { from: place(get.uri), to: Some(place(&uri)), reason: "more than 5 in a row" })
    }

    fn get_once(
        &self,
        line: &HeldLine,
        uri: &Uri,
        get: &Get<'_>,
        is_home: bool,
        budget: &Budget,
    ) -> Result<Response<Body>, Error> {
        // Blobs are compressed already, and their digests are those of the bytes as they are stored.
        let mut request = Request::get(uri).header(header::ACCEPT_ENCODING, "identity");
        if let Some(accept) = get.accept {
            request = request.header(header::ACCEPT, accept);
        }
        if get.offset > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", get.offset));
        }
        let as_guest = get.guest.filter(|_| !is_home).and_then(|guest| guest.authorization(uri));
        if let Some(authorization) = get.authorization.filter(|_| is_home).or(as_guest) {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        // Where a redirect leads is no wish of the caller's, even where it leads back.
        let caller = if is_home { get.caller } else { Caller::Nobody };
        self.run(line, uri, caller, request.body(()), budget)
    }

    /// Sends a form in the caller's name. Redirects are not followed: the form holds a secret.
    pub(super) fn post_form(
        &self,
        uri: &Uri,
        form: String,
        innermost: Reach,
        budget: &Budget,
    ) -> Result<Answer, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let line = self.line(budget);
        line.fence().set(Limit::Within(innermost));
        let response = self.run(&line, uri, Caller::Known, request.body(form), budget)?;
        Ok(Answer::new(response, line, uri.clone(), budget))
    }

    fn line(&self, budget: &Budget) -> HeldLine {
        let line = self.lines.take();
        line.deadline().begin(budget.end);
        line
    }

    fn run<B: AsSendBody>(
        &self,
        line: &HeldLine,
        uri: &Uri,
        caller: Caller,
        request: ureq::http::Result<Request<B>>,
        budget: &Budget,
    ) -> Result<Response<Body>, Error> {
        let request = request.map_err(|_| Error::Address { name: place(uri) })?;
        line.agent(uri, caller).run(request).map_err(|error| match too_slow(line, place(uri), budget.allowed) {
            Some(slow) => slow,
            None => self.failure(uri, error),
        })
    }

    /// The library's error, as ours.
    fn failure(&self, uri: &Uri, error: ureq::Error) -> Error {
        let host = host_of(uri);
        if let Some(tls) = tls_error(&error) {
            return Error::Tls { host, problem: nex_text::excerpt(tls.to_string()), hint: self.tls_hint(tls) };
        }
        let is_proxied = self.lines.proxy(uri).is_some();
        if let ureq::Error::Other(other) = &error {
            if let Some(Fenced(reach)) = other.downcast_ref() {
                return Error::Inside { url: place(uri), leads: reach.place() };
            }
            // Behind a proxy it is the proxy's name that was looked up.
            if let Some(NotFound { reason }) = other.downcast_ref() {
                let host = if is_proxied { format!("the proxy for {host}") } else { host };
                return Error::HostNotFound { host, reason: reason.clone() };
            }
        }
        let source = error.into_io();
        if source.kind() == io::ErrorKind::ConnectionRefused {
            return Error::ConnectionRefused { host: if is_proxied { format!("the proxy for {host}") } else { host } };
        }
        Error::Connection { url: place(uri), source }
    }

    fn tls_hint(&self, error: &rustls::Error) -> &'static str {
        use rustls::CertificateError as Wrong;
        match error {
            rustls::Error::InvalidMessage(_) => {
                "if the registry speaks plain HTTP, ask for it (--plain-http); it is never tried unasked, nor for localhost"
            }
            _ if !self.has_authorities => {
                "this machine has no certificate authorities: install ca-certificates, or set SSL_CERT_FILE"
            }
            rustls::Error::InvalidCertificate(Wrong::UnknownIssuer) => {
                "put the authority's certificate into /etc/docker/certs.d/HOST[:PORT]/ca.crt, or set SSL_CERT_FILE"
            }
            rustls::Error::InvalidCertificate(Wrong::Expired | Wrong::ExpiredContext { .. }) => {
                "renew the certificate, or correct this machine's clock"
            }
            _ => "check the registry's certificate and name",
        }
    }
}

/// The answer did not come in its time, if that is what the failure was.
fn too_slow(line: &HeldLine, url: String, allowed: Option<Duration>) -> Option<Error> {
    let allowed = allowed.filter(|_| line.deadline().has_passed())?;
    Some(Error::Slow { url, allowed, received: line.deadline().received() })
}

impl Answer {
    fn new(response: Response<Body>, line: HeldLine, uri: Uri, budget: &Budget) -> Answer {
        let (parts, body) = response.into_parts();
        let (allowed, reach) = (budget.allowed, line.reached(&uri));
        let (status, headers) = (parts.status, parts.headers);
        Answer { status, headers, body, line, allowed, uri, is_home: true, home_reach: reach, reach }
    }

    /// The same behind redirects.
    fn from(self, is_home: bool, home_reach: Reach) -> Answer {
        Answer { is_home, home_reach, ..self }
    }

    /// A header's text.
    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Reads the whole body, unless it is larger than `limit` bytes, as it is sent or as it is decoded.
    pub(super) fn read(self, limit: u64) -> Result<Vec<u8>, Error> {
        let url = place(&self.uri);
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
    pub(super) fn into_download(self) -> Download {
        Download { body: self.body.into_reader(), line: self.line }
    }
}

/// A body on its way.
pub(super) struct Download {
    body: BodyReader<'static>,
    /// Behind the body: a connection is free when its body is gone.
    line: HeldLine,
}

impl Download {
    /// Reads what has come, or waits as long as the pace allows.
    pub(super) fn read(&mut self, buffer: &mut [u8], pace: &mut Pace) -> io::Result<usize> {
        let start = Instant::now();
        self.line.deadline().set(pace.end());
        let read = self.body.read(buffer);
        pace.count(start.elapsed(), *read.as_ref().unwrap_or(&0));
        read
    }

    /// Whether the pace was too slow for the last read.
    pub(super) fn is_too_slow(&self) -> bool {
        self.line.deadline().has_passed()
    }
}

/// Where a redirect leads, if its address alone does not forbid to go there.
fn redirect_target(from: &Uri, home_reach: Reach, headers: &HeaderMap) -> Result<Uri, Error> {
    let refused = |to: Option<&Uri>, reason| Error::Redirect { from: place(from), to: to.map(place), reason };
    let location = headers.get(header::LOCATION);
    let Some(next) = location.and_then(|location| resolve(from, location.as_bytes())) else {
        return Err(refused(None, "it names no http or https address"));
    };
    if is_https(from) && !is_https(&next) {
        return Err(refused(Some(&next), "it leads from https to http"));
    }
    let reach = Reach::of_host(&next);
    if !same_origin(from, &next) && reach > innermost_redirect(home_reach) {
        return Err(refused(Some(&next), reach.place()));
    }
    Ok(next)
}

/// Storage in a private network is common; the loopback interface and metadata services are never meant.
fn innermost_redirect(home_reach: Reach) -> Reach {
    home_reach.max(Reach::Private)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
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
