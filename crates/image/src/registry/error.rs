//! What can go wrong between us and a registry, each with what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::credentials::Place;
use super::patience::Throughput;
use super::rate_limit::RateLimit;
use super::retry::Retry;

/// Why a registry did not give what was asked.
///
/// Messages name the registry by host and path only: query strings and user information may hold secrets. Text that
/// came from the registry is bounded and escaped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name does not resolve.
    #[error("{host}: the name cannot be resolved ({reason}); check the spelling, the network and the DNS settings")]
    HostNotFound {
        /// Host and port.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nothing listens there.
    #[error("{host}: connection refused; is the server running, and is the port right?")]
    ConnectionRefused {
        /// Host and port, or the proxy for them.
        host: String,
    },
    /// The TLS handshake failed.
    #[error("{host}: TLS failed: {problem}; {hint}")]
    Tls {
        /// Host and port.
        host: String,
        /// What rustls said.
        problem: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The connection broke, or took too long.
    #[error("{url}: the connection failed: {source}")]
    Connection {
        /// The address without its query.
        url: String,
        /// What the HTTP library said.
        source: io::Error,
    },
    /// A document that is damaged on its way, inside the encoding that its server has put around it.
    #[error("{url}: what was sent as gzip cannot be unpacked: {source}; try again, or ask who runs the server")]
    Encoding {
        /// The address without its query.
        url: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A document, a token or the beginning of a blob that did not come in its time.
    #[error(
        "{url}: no complete answer within {} s, though {received} bytes came: the server is too slow; try again, or give it more time (--registry-timeout)",
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
    /// A blob that comes, but too slowly.
    #[error(
        "{url}: the download brought {received} bytes in {} s (at byte {offset}{}), and {} are the least: the server is too slow; try again, or ask less of it (--min-throughput)",
        least.time.as_secs(), size.map(|size| format!(" of {size}")).unwrap_or_default(), least.bytes
    )]
    SlowBlob {
        /// The address without its query.
        url: String,
        /// Bytes of the blob received in all.
        offset: u64,
        /// Bytes expected, when known.
        size: Option<u64>,
        /// Bytes of the blob received in the time of the least throughput.
        received: u64,
        /// The least throughput.
        least: Throughput,
    },
    /// A temporary failure that did not go away.
    #[error("{source} (gave up after {attempts} attempts)")]
    GaveUp {
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        source: Box<Error>,
    },
    /// 401 or 403, or a challenge that cannot be answered.
    #[error("{registry}: {status} for {repository}{}: {}; try: podman login {registry}, or check that the repository exists", told(said), looked_at(*sent, places))]
    Unauthorized {
        /// The registry as the user named it.
        registry: String,
        /// The repository.
        repository: String,
        /// The HTTP status.
        status: u16,
        /// What the registry or its token server said; may be empty.
        said: String,
        /// True when credentials were found and sent.
        sent: bool,
        /// Where credentials were looked for, and what was found there.
        places: Vec<Place>,
    },
    /// 404 for a manifest.
    #[error("{registry}/{repository}: no manifest for {reference}{}; check the name and the tag", told(said))]
    ManifestNotFound {
        /// The registry as the user named it.
        registry: String,
        /// The repository.
        repository: String,
        /// The tag or digest.
        reference: String,
        /// What the registry said; may be empty.
        said: String,
    },
    /// 404 with the code `NAME_UNKNOWN`.
    #[error("{registry}/{repository}: no such repository{}; check the name", told(said))]
    RepositoryNotFound {
        /// The registry as the user named it.
        registry: String,
        /// The repository.
        repository: String,
        /// What the registry said; may be empty.
        said: String,
    },
    /// 404 for a blob that a manifest names.
    #[error(
        "{registry}/{repository}: the blob {digest} is missing{}; the image is incomplete there: push it again",
        told(said)
    )]
    BlobNotFound {
        /// The registry as the user named it.
        registry: String,
        /// The repository.
        repository: String,
        /// The blob.
        digest: String,
        /// What the registry said; may be empty.
        said: String,
    },
    /// 429, and the wait is long or was in vain.
    #[error(
        "{url}: 429, too many requests{limit}{}; log in for a higher limit, use a mirror, or save the image elsewhere and use docker-archive:FILE",
        told(said)
    )]
    RateLimited {
        /// The address without its query.
        url: String,
        /// What the registry said about its limits.
        limit: Box<RateLimit>,
        /// What the registry said; may be empty.
        said: String,
    },
    /// 5xx or 408.
    #[error("{url}: the server failed with {status}{}; try again later", told(said))]
    Server {
        /// The address without its query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// When to ask again, if the server said so.
        limit: Box<RateLimit>,
        /// What the registry said; may be empty.
        said: String,
    },
    /// Any other status.
    #[error("{url}: unexpected answer {status}{}; is this a container registry?", told(said))]
    Status {
        /// The address without its query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the registry said; may be empty.
        said: String,
    },
    /// A redirect that leads nowhere, or where we do not go.
    #[error("{from}: refused a redirect{}: {reason}", to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default())]
    Redirect {
        /// The address that redirected, without its query.
        from: String,
        /// Its target, without its query.
        to: Option<String>,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A token server that we do not ask.
    #[error("{registry}: refused the token server '{realm}': {reason}")]
    Realm {
        /// The registry as the user named it.
        registry: String,
        /// The token server, escaped.
        realm: String,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A name that a server sent us to, or that it answers to now, lies too far inside the network.
    #[error("{url}: refused to connect: by its addresses, {leads}, further inside the network than the registry")]
    Inside {
        /// The address without its query.
        url: String,
        /// Where its name leads.
        leads: &'static str,
    },
    /// A token server's answer that is no token.
    #[error("{realm}: the token server's answer is not understood: {reason}")]
    Token {
        /// The token server, without its query.
        realm: String,
        /// What is wrong.
        reason: String,
    },
    /// A document over its limit.
    #[error("{url}: larger than the limit of {limit} bytes")]
    TooLarge {
        /// The address without its query.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// A tag list that is not what the specification says.
    #[error("{url}: the tag list is not understood: {reason}")]
    Tags {
        /// The address without its query.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A blob whose length is not the one in the manifest.
    #[error(
        "{url}: the blob has {got} bytes, but the manifest says {expected}; the registry's copy is damaged: push the image again"
    )]
    BlobSize {
        /// The address without its query.
        url: String,
        /// Bytes by the manifest, or by the registry's first answer.
        expected: u64,
        /// Bytes by the registry: a number, or "more".
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
    #[error("{url}: the download stopped at byte {offset}{} and could not be resumed in {attempts} attempts: {source}", size.map(|size| format!(" of {size}")).unwrap_or_default())]
    BlobBroken {
        /// The address without its query.
        url: String,
        /// Bytes received.
        offset: u64,
        /// Bytes expected, when known.
        size: Option<u64>,
        /// Attempts without progress.
        attempts: u32,
        /// The last failure.
        source: Box<Error>,
    },
    /// A proxy variable that holds no proxy's address. Its value may hold a password and is not shown.
    #[error("{variable} does not hold a proxy's address; expected something like http://proxy.example:3128")]
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
    /// A file with mirrors that cannot be used.
    #[error("{}: cannot be used: {reason}", path.display())]
    Mirrors {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A registry that the user's configuration forbids.
    #[error("{name} is blocked by {}", file.display())]
    Blocked {
        /// The image.
        name: String,
        /// The file that says so.
        file: PathBuf,
    },
    /// A registry or repository name that makes no address.
    #[error("'{name}' cannot be part of a registry's address")]
    Address {
        /// The name, escaped.
        name: String,
    },
}

impl Error {
    /// Whether asking again may help.
    pub(super) fn retry(&self) -> Retry {
        match self {
            Error::Connection { .. } => Retry::Soon,
            Error::RateLimited { limit, .. } | Error::Server { limit, .. } => limit.retry(),
            _ => Retry::Never,
        }
    }

    /// Whether a download that has begun may go on after this failure. A registry that restarts refuses connections
    /// for a while.
    pub(super) fn resume(&self) -> Retry {
        match self {
            Error::ConnectionRefused { .. } | Error::HostNotFound { .. } => Retry::Soon,
            other => other.retry(),
        }
    }
}

/// The registry's own words, in brackets.
fn told(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" ({said})") }
}

/// Where credentials were looked for.
fn looked_at(sent: bool, places: &[Place]) -> String {
    let list = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (sent, list.is_empty()) {
        (_, true) => "no place to look for credentials is known".to_owned(),
        (true, false) => format!("the credentials were not accepted; looked in {list}"),
        (false, false) => format!("no credentials found; looked in {list}"),
    }
}
