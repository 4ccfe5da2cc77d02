//! What can go wrong between us and a registry, each with what to do about it.

use std::path::PathBuf;

use crate::credentials::Place;
use crate::transport::{self, Retry, TlsHint, told};

/// Why a registry did not give, or take, what was asked.
///
/// Messages name the registry by host and path only: query strings and user information may hold secrets. Text that
/// came from the registry is bounded and escaped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The way to the registry, or its answers as such.
    #[error("{0}{remedy}", remedy = remedy(.0))]
    Transport(transport::Error),
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
        "{registry}/{repository}: the blob {digest} is missing{}; what names it is incomplete there: push it again",
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
    /// A token server's answer that is no token.
    #[error("{realm}: the token server's answer is not understood: {reason}")]
    Token {
        /// The token server, without its query.
        realm: String,
        /// What is wrong.
        reason: String,
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
        "{url}: the blob has {got} bytes, but the manifest says {expected}; the registry's copy is damaged: push it again"
    )]
    BlobSize {
        /// The address without its query.
        url: String,
        /// Bytes by the manifest, or by the registry's first answer.
        expected: u64,
        /// Bytes by the registry: a number, or "more".
        got: String,
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
        /// What was asked for.
        name: String,
        /// The file that says so.
        file: PathBuf,
    },
    /// A registry or repository name that makes no address.
    #[error("'{name}' cannot be part of a registry's address")]
    Name {
        /// The name, escaped.
        name: String,
    },
}

impl From<transport::Error> for Error {
    fn from(error: transport::Error) -> Error {
        match error {
            // The number of bytes that a registry is asked for is a manifest's.
            transport::Error::Length { url, expected, got } => Error::BlobSize { url, expected, got },
            error => Error::Transport(error),
        }
    }
}

impl Error {
    /// Whether asking again may help.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Error::Transport(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}

/// What to do about a failure on the way, beyond what its own message says.
fn remedy(error: &transport::Error) -> &'static str {
    match error {
        transport::Error::Slow { .. } => "; try again, or give it more time (--registry-timeout)",
        transport::Error::SlowDownload { .. } | transport::Error::SlowUpload { .. } => {
            "; try again, or ask less of it (--min-throughput)"
        }
        transport::Error::RateLimited { .. } => "; log in for a higher limit, use a mirror",
        transport::Error::Tls { hint: TlsHint::PlainHttp, .. } => "; if it does, ask for it (--plain-http)",
        _ => "",
    }
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
