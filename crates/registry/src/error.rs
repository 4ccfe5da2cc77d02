//! What can go wrong between us and a registry, each with what to do about it.

use std::error::Error as StdError;
use std::path::PathBuf;

use nex_fault::{Code, Fault, Remedy, Setting, whole};

use crate::codes;
use crate::credentials::Place;
use crate::shown::Shown;
use crate::transport::{self, Retry, TlsHint, told};

/// Why a registry did not give, or take, what was asked.
///
/// Messages name the registry by host and path only: query strings and user information may hold secrets. Text that
/// came from the registry is bounded and escaped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The way to the registry, or its answers as such.
    #[error(transparent)]
    Transport(transport::Error),
    /// A temporary failure that did not go away.
    #[error("{} (gave up after {attempts} attempts)", whole(last))]
    GaveUp {
        /// How often it was tried.
        attempts: u32,
        /// The last failure. What caused it stands in the message.
        last: Box<Error>,
    },
    /// 401 or 403, or a challenge that cannot be answered.
    #[error("{registry}: {status} for {repository}{}: {}", told(said), shown.words(places))]
    Unauthorized {
        /// The registry as the user named it.
        registry: String,
        /// The repository.
        repository: String,
        /// The HTTP status.
        status: u16,
        /// What the registry or its token server said; may be empty.
        said: String,
        /// What the registry was shown.
        shown: Shown,
        /// Where credentials were looked for, and what was found there.
        places: Vec<Place>,
    },
    /// 404 for a manifest.
    #[error("{registry}/{repository}: no manifest for {reference}{}", told(said))]
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
    #[error("{registry}/{repository}: no such repository{}", told(said))]
    RepositoryNotFound {
        /// The registry as the user named it.
        registry: String,
        /// The repository.
        repository: String,
        /// What the registry said; may be empty.
        said: String,
    },
    /// 404 for a blob that a manifest names.
    #[error("{registry}/{repository}: the blob {digest} is missing{}", told(said))]
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
    #[error("{url}: unexpected answer {status}{}", told(said))]
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
    #[error("{url}: the blob has {got} bytes, but the manifest says {expected}")]
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
    /// Whether it is a failure on the way to a server, which names no repository.
    pub fn is_of_the_way(&self) -> bool {
        match self {
            Error::Transport(_) => true,
            Error::GaveUp { last, .. } => last.is_of_the_way(),
            _ => false,
        }
    }

    /// Whether asking again may help.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Error::Transport(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Transport(error) => match reason(error) {
                Some(reason) => reason.code(),
                None => error.code(),
            },
            Self::GaveUp { last, .. } => last.code(),
            Self::Unauthorized { .. } => codes::UNAUTHORIZED,
            Self::ManifestNotFound { .. } => codes::NO_MANIFEST,
            Self::RepositoryNotFound { .. } => codes::NO_REPOSITORY,
            Self::BlobNotFound { .. } => codes::NO_BLOB,
            Self::Status { .. } => codes::STATUS,
            Self::Realm { .. } => codes::TOKEN_SERVER,
            Self::Token { .. } | Self::Tags { .. } => codes::BAD_ANSWER,
            Self::BlobSize { .. } => codes::BLOB_SIZE,
            Self::Mirrors { .. } => codes::MIRRORS,
            Self::Blocked { .. } => codes::BLOCKED,
            Self::Name { .. } => codes::ADDRESS,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Transport(error) => return on_the_way(error),
            Self::GaveUp { last, .. } => return last.remedy(),
            Self::Unauthorized { registry, shown, .. } => shown.remedy(registry),
            Self::ManifestNotFound { .. } => Remedy::say("check the name and the tag"),
            Self::RepositoryNotFound { .. } => Remedy::say("check the name"),
            Self::BlobNotFound { .. } => Remedy::say("what names it is incomplete there: push it again"),
            Self::Status { .. } => Remedy::say("is this a container registry?"),
            Self::BlobSize { .. } => Remedy::say("the registry's copy is damaged: push it again"),
            _ => return None,
        })
    }
}

/// What to do about a failure on the way to a registry.
fn on_the_way(error: &transport::Error) -> Option<Remedy> {
    Some(match error {
        transport::Error::Slow { .. } => {
            Remedy::say("try again, or give it more time with").raise(Setting::RegistryTimeout)
        }
        transport::Error::SlowDownload { .. } | transport::Error::SlowUpload { .. } => {
            Remedy::say("try again, or ask less of it with").lower(Setting::MinThroughput)
        }
        transport::Error::RateLimited { .. } => Remedy::say("log in for a higher limit, use a mirror"),
        transport::Error::Tls { hint: TlsHint::PlainHttp, .. } => {
            Remedy::say("if it does, ask for it with").allow(Setting::PlainHttp)
        }
        _ => return reason(error).map_or_else(|| error.remedy(), Fault::remedy),
    })
}

/// Why a download could not be resumed, as a registry has it.
fn reason(error: &transport::Error) -> Option<&Error> {
    let transport::Error::Broken { source, .. } = error else { return None };
    let source: &(dyn StdError + 'static) = source.as_ref();
    source.downcast_ref()
}
