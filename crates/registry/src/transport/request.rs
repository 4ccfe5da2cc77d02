//! A request, as it is sent to an address and to those that redirects lead to.

use ureq::http::header::HeaderMap;
use ureq::http::{HeaderValue, Method, Uri};

use super::address::same_origin;
use super::body::Body;
use super::fence::Limit;
use super::line::Caller;

/// What is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    /// What is to be done there.
    pub method: Method,
    /// The address.
    pub uri: &'a Uri,
    /// Headers, but for those that speak of the body's length and of who asks.
    pub headers: HeaderMap,
    /// What it carries. It goes unencrypted to nobody but the server that the caller has named.
    pub body: Body<'a>,
    /// Sent to the first address and to redirects at the same origin, never elsewhere.
    pub authorization: Option<&'a HeaderValue>,
    /// What another origin has given to somebody without a name, for itself alone.
    pub guest: Option<&'a OriginAuthorization>,
    /// Whose address it is.
    pub origin: Origin,
    /// The innermost addresses that the name may have.
    pub limit: Limit,
    /// Who asks, until a redirect leads to another origin.
    pub caller: Caller,
    /// What becomes of redirects.
    pub redirects: Redirects,
}

/// Whose address a request begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// That of who was named by the caller, or of who may get what is the caller's.
    Own,
    /// One that a server has led to: nothing that is the caller's goes there.
    Other,
}

/// What becomes of redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// They are followed, as far as they lead to the same request.
    Followed,
    /// They are answers as others are.
    Returned,
}

/// What lets somebody without a name in at an origin, and nowhere else.
#[derive(Debug)]
pub struct OriginAuthorization {
    origin: Uri,
    value: HeaderValue,
}

impl OriginAuthorization {
    /// For the origin of an address.
    pub fn new(origin: Uri, value: HeaderValue) -> Self {
        Self { origin, value }
    }

    /// The header for an address, if it is of that origin.
    pub(crate) fn for_address(&self, uri: &Uri) -> Option<&HeaderValue> {
        same_origin(&self.origin, uri).then_some(&self.value)
    }
}
