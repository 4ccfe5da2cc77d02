//! HTTP with servers that are not trusted: connections with their deadlines, TLS, proxies, redirects, ranges and retries.
//!
//! Nothing here knows what is asked for. Where credentials may go, how far inside the network a server may lead, and that nothing
//! travels unencrypted to where it was not meant is decided here, for all methods alike.

pub(crate) mod address;
mod address_forms;
mod answer;
mod body;
mod deadline;
mod encoding;
mod encryption;
mod error;
mod exchange;
mod fence;
mod line;
mod location;
mod metadata;
mod names;
mod options;
mod outgoing;
mod patience;
pub(crate) mod percent;
mod proxy;
mod rate_limit;
mod reach;
mod request;
mod resume;
mod retry;
mod security;
mod sent;
mod shown;
mod special_purpose;
mod tls;
mod trace;

pub use ureq::http;

pub use self::answer::Answer;
pub use self::body::{Body, Content, FilePart};
pub(crate) use self::error::told;
pub use self::error::{Error, TlsHint};
pub use self::exchange::Transport;
pub use self::fence::{Home, Limit};
pub use self::line::Caller;
pub use self::location::Location;
pub(crate) use self::location::with_query;
pub use self::options::Options;
pub use self::patience::{Budget, Throughput, Timeouts};
pub use self::proxy::Proxies;
pub use self::rate_limit::RateLimit;
pub use self::reach::Reach;
pub use self::request::{Origin, OriginAuthorization, Redirects, Request};
pub use self::resume::{RangeSource, ResumedReader};
pub use self::retry::{Attempts, Pause, Retry, RetryPolicy};
pub use self::security::Security;
pub(crate) use self::sent::Sent;
pub use self::tls::CertificatePlaces;
