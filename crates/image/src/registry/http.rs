//! One HTTP exchange: proxies, TLS, timeouts, and redirects that give nothing away.

use std::io::{self, Read};
use std::net::ToSocketAddrs;
use std::time::Duration;

use ureq::http::header::{self, HeaderMap, HeaderValue};
use ureq::http::{Method, Request, Response, StatusCode, Uri};
use ureq::{Agent, AsSendBody, Body, Proxy};

use super::Options;
use super::address::{host_of, is_https, place, resolve, same_origin};
use super::error::Error;
use super::proxy::Proxies;
use super::reach::Reach;
use super::tls;

/// Redirects that are followed at most.
const MAX_REDIRECTS: usize = 5;

/// How we name ourselves to servers.
const USER_AGENT: &str = concat!("nex/", env!("CARGO_PKG_VERSION"));

/// How long a server may keep us waiting.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For the name, the connection and the TLS handshake, each.
    pub connect: Duration,
    /// For each piece of an answer: a download may take any time while bytes keep coming.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { connect: Duration::from_secs(15), idle: Duration::from_secs(30) }
    }
}

/// Connections, kept open between requests.
pub(super) struct Http {
    direct: Agent,
    via_https_proxy: Option<Agent>,
    via_http_proxy: Option<Agent>,
    proxies: Proxies,
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
}

/// What a server answered, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    /// The address that answered, after redirects.
    pub(super) uri: Uri,
    /// False when a redirect led to another origin.
    pub(super) is_home: bool,
}

impl Http {
    /// Sets up connections for talking to `registry`. Nothing is sent yet.
    pub(super) fn new(registry: &str, options: &Options) -> Result<Http, Error> {
        let authorities = options.certificates.load(registry)?;
        let tls = tls::configuration(&authorities);
        let agent = |proxy: Option<Proxy>| -> Agent {
            let timeouts = &options.timeouts;
            Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(USER_AGENT)
                .tls_config(tls.clone())
                .proxy(proxy)
                .timeout_resolve(Some(timeouts.connect))
                .timeout_connect(Some(timeouts.connect))
                .timeout_per_read(Some(timeouts.idle))
                .timeout_per_write(Some(timeouts.idle))
                .build()
                .into()
        };
        Ok(Http {
            direct: agent(None),
            via_https_proxy: options.proxies.for_scheme("https")?.map(|proxy| agent(Some(proxy))),
            via_http_proxy: options.proxies.for_scheme("http")?.map(|proxy| agent(Some(proxy))),
            proxies: options.proxies.clone(),
            has_authorities: !authorities.is_empty(),
        })
    }

    /// Asks, and follows redirects.
    pub(super) fn get(&self, get: &Get<'_>) -> Result<Answer, Error> {
        let mut uri = get.uri.clone();
        let mut is_home = true;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get_once(&uri, get, is_home)?;
            if !is_redirect(response.status()) {
                let (parts, body) = response.into_parts();
                return Ok(Answer { status: parts.status, headers: parts.headers, body, uri, is_home });
            }
            let next = self.redirect_target(&uri, get.uri, response.headers())?;
            // Once away from home, the authorization stays away, even when a redirect leads back.
            is_home &= same_origin(&uri, &next);
            uri = next;
        }
        Err(Error::Redirect { from: place(get.uri), to: Some(place(&uri)), reason: "more than 5 in a row" })
    }

    fn get_once(&self, uri: &Uri, get: &Get<'_>, is_home: bool) -> Result<Response<Body>, Error> {
        // Blobs are compressed already, and their digests are those of the bytes as they are stored.
        let mut request = Request::get(uri).header(header::ACCEPT_ENCODING, "identity");
        if let Some(accept) = get.accept {
            request = request.header(header::ACCEPT, accept);
        }
        if get.offset > 0 {
            request = request.header(header::RANGE, format!("bytes={}-", get.offset));
        }
        if let Some(authorization) = get.authorization.filter(|_| is_home) {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.run(uri, request.body(()))
    }

    /// Sends a form. Redirects are not followed: the form holds a secret.
    pub(super) fn post_form(&self, uri: &Uri, form: String) -> Result<Answer, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let (parts, body) = self.run(uri, request.body(form))?.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body, uri: uri.clone(), is_home: true })
    }

    fn run<B: AsSendBody>(&self, uri: &Uri, request: ureq::http::Result<Request<B>>) -> Result<Response<Body>, Error> {
        let request = request.map_err(|_| Error::Address { name: place(uri) })?;
        self.agent(uri).run(request).map_err(|error| self.failure(uri, error))
    }

    fn agent(&self, uri: &Uri) -> &Agent {
        self.proxy_agent(uri).unwrap_or(&self.direct)
    }

    fn proxy_agent(&self, uri: &Uri) -> Option<&Agent> {
        let proxied = if is_https(uri) { &self.via_https_proxy } else { &self.via_http_proxy };
        proxied.as_ref().filter(|_| !self.proxies.bypass(uri))
    }

    /// How far inside a host is. Behind a proxy only literal addresses tell.
    pub(super) fn reach(&self, uri: &Uri) -> Reach {
        Reach::of(uri, self.proxy_agent(uri).is_none())
    }

    /// Where a redirect leads, if we go there.
    fn redirect_target(&self, from: &Uri, first: &Uri, headers: &HeaderMap) -> Result<Uri, Error> {
        let refused = |to: Option<&Uri>, reason| Error::Redirect { from: place(from), to: to.map(place), reason };
        let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let Some(next) = location.and_then(|location| resolve(from, location)) else {
            return Err(refused(None, "it names no http or https address"));
        };
        if is_https(from) && !is_https(&next) {
            return Err(refused(Some(&next), "it leads from https to http"));
        }
        // Storage in a private network is common; the loopback interface and metadata services are never meant.
        let inner = |uri: &Uri| self.reach(uri).max(Reach::Private);
        if !same_origin(from, &next) && inner(&next) > inner(first) {
            return Err(refused(Some(&next), "it leads to this machine or to its local link"));
        }
        Ok(next)
    }

    /// The library's error, as ours.
    fn failure(&self, uri: &Uri, error: ureq::Error) -> Error {
        let host = host_of(uri);
        if let Some(tls) = tls_error(&error) {
            return Error::Tls { host, problem: tls.to_string(), hint: self.tls_hint(tls) };
        }
        let is_proxied = self.proxy_agent(uri).is_some();
        let source = error.into_io();
        if source.kind() == io::ErrorKind::ConnectionRefused {
            return Error::ConnectionRefused { host: if is_proxied { format!("the proxy for {host}") } else { host } };
        }
        // A failed look-up has no kind of its own; a second one tells. Behind a proxy it is not our business.
        if !is_proxied
            && source.raw_os_error().is_none()
            && let Err(error) = resolve_host(uri)
        {
            return Error::HostNotFound { host, reason: error.to_string() };
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

impl Answer {
    /// A header's text.
    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Reads the whole body, unless it is larger than `limit` bytes.
    pub(super) fn read(self, limit: u64) -> Result<Vec<u8>, Error> {
        let url = place(&self.uri);
        let too_large = |url| Err(Error::TooLarge { url, limit });
        if self.body.content_length().is_some_and(|length| length > limit) {
            return too_large(url);
        }
        let mut content = Vec::new();
        match self.body.into_reader().take(limit.saturating_add(1)).read_to_end(&mut content) {
            Err(source) => Err(Error::Connection { url, source }),
            Ok(_) if content.len() as u64 > limit => too_large(url),
            Ok(_) => Ok(content),
        }
    }
}

/// Fails when the host has no address.
fn resolve_host(uri: &Uri) -> io::Result<()> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    (host, 0).to_socket_addrs().map(|_| ())
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
