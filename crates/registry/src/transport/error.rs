//! What can go wrong between us and a server.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nex_fault::{Code, Fault, Remedy};

use super::patience::Throughput;
use super::rate_limit::RateLimit;
use super::retry::Retry;
use crate::codes;

/// Why a server did not give what was asked.
///
/// Messages name the server by host and path only: query strings and user information may hold secrets. Text that
/// came from the server is bounded and escaped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name does not resolve.
    #[error("{host}: the name cannot be resolved ({reason})")]
    HostNotFound {
        /// Host and port.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nothing listens there.
    #[error("{host}: connection refused")]
    ConnectionRefused {
        /// Host and port, or the proxy for them.
        host: String,
    },
    /// The TLS handshake failed.
    #[error("{host}: TLS failed: {problem}{}", hint.fact())]
    Tls {
        /// Host and port.
        host: String,
        /// What rustls said.
        problem: String,
        /// What may be the reason.
        hint: TlsHint,
    },
    /// The connection broke, or took too long.
    #[error("{url}: the connection failed")]
    Connection {
        /// The address without its query.
        url: String,
        /// What the HTTP library said.
        source: io::Error,
    },
    /// What was to be sent cannot be read, or has another length than it said.
    #[error("{url}: cannot read what nex has to send there")]
    Body {
        /// The address without its query.
        url: String,
        /// Why not.
        source: io::Error,
    },
    /// A document that is damaged on its way, inside the encoding that its server has put around it.
    #[error("{url}: cannot unpack the answer, which came as gzip")]
    Encoding {
        /// The address without its query.
        url: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A document, or the beginning of a download, that did not come in its time.
    #[error(
        "{url}: no complete answer within {} s, though {received} bytes came: the server is too slow",
        allowed.as_secs()
    )]
    Slow {
        /// The address without its query.
        url: String,
        /// The time.
        allowed: Duration,
        /// Bytes received in it, of headers and body.
        received: u64,
    },
    /// A download that comes, but too slowly.
    #[error(
        "{url}: the download brought {received} bytes in {} s (at byte {offset}{}), less than the {} that it has to: the server is too slow",
        least.time.as_secs(), of(*size), least.bytes
    )]
    SlowDownload {
        /// The address without its query.
        url: String,
        /// Bytes received in all.
        offset: u64,
        /// Bytes expected, when known.
        size: Option<u64>,
        /// Bytes received in the time of the least throughput.
        received: u64,
        /// The least throughput.
        least: Throughput,
    },
    /// An upload that is taken too slowly.
    #[error(
        "{url}: the server took less in {} s (at byte {offset} of {size}) than the {} bytes that it has to: it is too slow",
        least.time.as_secs(), least.bytes
    )]
    SlowUpload {
        /// The address without its query.
        url: String,
        /// Bytes sent in all.
        offset: u64,
        /// Bytes to be sent.
        size: u64,
        /// The least throughput.
        least: Throughput,
    },
    /// 429, and the wait is long or was in vain.
    #[error("{url}: 429, too many requests{limit}{}", told(said))]
    RateLimited {
        /// The address without its query.
        url: String,
        /// What the server said about its limits.
        limit: Box<RateLimit>,
        /// What else the server said; may be empty.
        said: String,
    },
    /// 5xx or 408.
    #[error("{url}: the server failed with {status}{}", told(said))]
    Server {
        /// The address without its query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// When to ask again, if the server said so.
        limit: Box<RateLimit>,
        /// What else the server said; may be empty.
        said: String,
    },
    /// A redirect, or the address of an upload, that leads nowhere, or where we do not go.
    #[error("{from}: refused a redirect{}: {reason}", to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default())]
    Redirect {
        /// The address that redirected, without its query.
        from: String,
        /// Its target, without its query.
        to: Option<String>,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A name that a server sent us to, or that it answers to now, lies too far inside the network.
    #[error(
        "{url}: refused to connect: by its addresses, {leads}, further inside the network than the server that was named"
    )]
    Inside {
        /// The address without its query.
        url: String,
        /// Where its name leads.
        leads: &'static str,
    },
    /// A document over its limit.
    #[error("{url}: larger than the limit of {limit} bytes")]
    TooLarge {
        /// The address without its query.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A download whose length is not the one expected.
    #[error("{url}: it has {got} bytes, but {expected} were expected")]
    Length {
        /// The address without its query.
        url: String,
        /// Bytes by who has asked, or by the server's first answer.
        expected: u64,
        /// Bytes by the server: a number, or "more".
        got: String,
    },
    /// A 206 answer with another range than the one asked for.
    #[error("{url}: asked for the bytes from {offset} on, but the answer has Content-Range '{told}'")]
    Range {
        /// The address without its query.
        url: String,
        /// Where the range should begin.
        offset: u64,
        /// The header, escaped.
        told: String,
    },
    /// A download that kept breaking.
    #[error("{url}: the download stopped at byte {offset}{} and could not be resumed in {attempts} attempts", of(*size))]
    Broken {
        /// The address without its query.
        url: String,
        /// Bytes received.
        offset: u64,
        /// Bytes expected, when known.
        size: Option<u64>,
        /// Attempts without progress.
        attempts: u32,
        /// The last failure.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A proxy variable that holds no proxy's address. Its value may hold a password and is not shown.
    #[error("{variable} does not hold a proxy's address")]
    Proxy {
        /// The variable.
        variable: &'static str,
    },
    /// A certificate file that cannot be used.
    #[error("{}: cannot be read as PEM certificates: {reason}", path.display())]
    Certificates {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A name that makes no address.
    #[error("'{name}' cannot be part of a server's address")]
    Address {
        /// The name, escaped.
        name: String,
    },
}

/// Why a TLS handshake may have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsHint {
    /// The server speaks plain HTTP.
    PlainHttp,
    /// This machine trusts nobody.
    NoAuthorities,
    /// Nobody that is trusted has signed the certificate.
    UnknownIssuer,
    /// The certificate's time is over, by this machine's clock.
    Expired,
    /// Something else.
    Other,
}

impl TlsHint {
    /// What is known of the reason.
    const fn fact(self) -> &'static str {
        match self {
            Self::PlainHttp => {
                "; the server seems to speak plain HTTP, which is never tried unasked, nor for localhost"
            }
            Self::NoAuthorities => "; this machine has no certificate authorities",
            Self::UnknownIssuer | Self::Expired | Self::Other => "",
        }
    }

    const fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::PlainHttp => return None,
            Self::NoAuthorities => "install ca-certificates, or set SSL_CERT_FILE",
            Self::UnknownIssuer => {
                "put the authority's certificate into /etc/docker/certs.d/HOST[:PORT]/ca.crt, or set SSL_CERT_FILE"
            }
            Self::Expired => "renew the certificate, or correct this machine's clock",
            Self::Other => "check the server's certificate and name",
        })
    }
}

/// What helps with any server. What else does, those know who have asked.
impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::HostNotFound { .. } => codes::HOST_NOT_FOUND,
            Self::ConnectionRefused { .. } => codes::REFUSED,
            Self::Tls { .. } => codes::TLS,
            Self::Connection { .. } | Self::Broken { .. } => codes::CONNECTION,
            Self::Body { .. } => codes::UPLOAD,
            Self::Encoding { .. } | Self::Length { .. } | Self::Range { .. } => codes::DAMAGED,
            Self::Slow { .. } | Self::SlowDownload { .. } | Self::SlowUpload { .. } => codes::TOO_SLOW,
            Self::RateLimited { .. } => codes::RATE_LIMITED,
            Self::Server { .. } => codes::SERVER_FAILED,
            Self::Redirect { .. } | Self::Inside { .. } => codes::REDIRECT,
            Self::TooLarge { .. } => codes::TOO_LARGE,
            Self::Proxy { .. } => codes::PROXY,
            Self::Certificates { .. } => codes::CERTIFICATES,
            Self::Address { .. } => codes::ADDRESS,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say(match self {
            Self::HostNotFound { .. } => "check the spelling, the network and the DNS settings",
            Self::ConnectionRefused { .. } => "is the server running, and is the port right?",
            Self::Tls { hint, .. } => hint.remedy()?,
            Self::Encoding { .. } => "try again, or ask who runs the server",
            Self::Server { .. } => "try again later",
            Self::Proxy { .. } => "expected something like http://proxy.example:3128",
            _ => return None,
        }))
    }
}

impl Error {
    /// Whether asking again may help.
    pub fn retry(&self) -> Retry {
        match self {
            Error::Connection { .. } => Retry::Soon,
            Error::RateLimited { limit, .. } | Error::Server { limit, .. } => limit.retry(),
            _ => Retry::Never,
        }
    }

    /// Whether a download that has begun may go on after this failure. A server that restarts refuses connections
    /// for a while.
    pub fn resume(&self) -> Retry {
        match self {
            Error::ConnectionRefused { .. } | Error::HostNotFound { .. } => Retry::Soon,
            other => other.retry(),
        }
    }
}

/// The server's own words, in brackets.
pub(crate) fn told(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" ({said})") }
}

/// How much there is in all, if that is known.
fn of(size: Option<u64>) -> String {
    size.map(|size| format!(" of {size}")).unwrap_or_default()
}
