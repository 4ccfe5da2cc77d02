//! What an answer other than success means.

use std::time::SystemTime;

use nex_text::excerpt;
use serde::Deserialize;

use crate::error::Error;
use crate::transport::address::place;
use crate::transport::{self, Answer, RateLimit, Sent};

/// Bytes of an error's body that are read at most.
const MAX_BODY: u64 = 64 << 10;

/// Errors of one answer that are shown at most.
const MAX_SHOWN: usize = 3;

/// What was asked for, as a message needs it.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// A manifest, by tag or digest.
    Manifest(String),
    /// A blob, by digest.
    Blob(String),
    /// An upload, or where one is to begin.
    Upload,
    /// The list of tags.
    Tags,
    /// A token.
    Token,
}

/// Whose repository was asked.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) registry: String,
    pub(crate) repository: String,
}

/// The specification's body of an error. Token servers write `details` or `error_description` instead.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    errors: Vec<Reason>,
    details: Option<String>,
    error_description: Option<String>,
    message: Option<String>,
}

/// One error in a body.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Reason {
    code: String,
    message: String,
}

/// A refusal's own words.
pub(crate) struct Said {
    /// Bounded and escaped, without what was sent and is secret.
    pub(crate) text: String,
    /// The first code, such as `NAME_UNKNOWN`.
    code: String,
}

impl Said {
    /// Reads the words of an answer. Pages for a browser are passed over.
    pub(crate) fn read(answer: Answer) -> Said {
        let sent = answer.sent();
        // An answer whose reasons do not arrive is still that answer.
        let body = answer.read(MAX_BODY).unwrap_or_default();
        match serde_json::from_slice::<Body>(&body) {
            Ok(body) => Said::of_json(body, &sent),
            Err(_) => {
                let is_markup = body.trim_ascii_start().starts_with(b"<");
                Said {
                    text: if is_markup { String::new() } else { shown(&String::from_utf8_lossy(&body), &sent) },
                    code: String::new(),
                }
            }
        }
    }

    fn of_json(body: Body, sent: &Sent) -> Said {
        let code = body.errors.first().map(|reason| reason.code.clone()).unwrap_or_default();
        let reasons = body.errors.iter().take(MAX_SHOWN).map(|reason| match reason.code.as_str() {
            "" => shown(&reason.message, sent),
            code => format!("{}: {}", shown(code, sent), shown(&reason.message, sent)),
        });
        let others = [body.details, body.error_description, body.message].into_iter().flatten();
        let text = reasons.chain(others.take(1).map(|text| shown(&text, sent))).collect::<Vec<_>>().join("; ");
        Said { text, code }
    }
}

/// A server's words for a message. They are cut last: half a secret would not be found.
fn shown(text: &str, sent: &Sent) -> String {
    excerpt(&*sent.hidden_in(text))
}

/// The error for an answer that refuses `wanted`. 401 and 403 are the caller's, who knows the credentials.
pub(crate) fn refusal(answer: Answer, subject: &Subject, wanted: &Wanted) -> Error {
    let url = place(answer.uri());
    let status = answer.status().as_u16();
    let limit = Box::new(RateLimit::of(answer.headers(), &answer.sent(), SystemTime::now()));
    let Said { text: said, code } = Said::read(answer);
    let Subject { registry, repository } = subject.clone();
    match (status, wanted) {
        (429, _) => transport::Error::RateLimited { url, limit, said }.into(),
        (408 | 500..=599, _) => transport::Error::Server { url, status, limit, said }.into(),
        (404, Wanted::Tags) => Error::RepositoryNotFound { registry, repository, said },
        (404, Wanted::Manifest(_) | Wanted::Upload) if code == "NAME_UNKNOWN" => {
            Error::RepositoryNotFound { registry, repository, said }
        }
        (404, Wanted::Manifest(reference)) => {
            Error::ManifestNotFound { registry, repository, reference: reference.clone(), said }
        }
        (404, Wanted::Blob(digest)) => Error::BlobNotFound { registry, repository, digest: digest.clone(), said },
        _ => Error::Status { url, status, said },
    }
}
