//! Requests to a repository, of every method.

use crate::endpoint::Endpoint;
use crate::scope::{Access, Scope};
use crate::transport::http::{HeaderMap, Method};
use crate::transport::{Body, Location};

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// To something of the repository.
    Endpoint(Endpoint<'a>),
    /// To where an earlier answer has led. At another origin it gets nothing that is the caller's but the body.
    Location(&'a Location),
}

/// A request to a repository.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What is to be done.
    pub method: Method,
    /// Where.
    pub target: Target<'a>,
    /// Parameters of the address, which are encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// Headers, such as the media type of what is sent.
    pub headers: HeaderMap,
    /// What is sent. It may be sent more than once.
    pub body: Body<'a>,
    /// What a token has to allow in the repository.
    pub access: Access,
    /// What it has to allow beside that: the repositories from which blobs are mounted.
    pub others: &'a [Scope],
}

impl<'a> Request<'a> {
    /// A request without parameters, headers and body. Its access is what the method is for.
    #[must_use]
    pub fn new(method: Method, target: Target<'a>) -> Self {
        let access = match method {
            Method::GET | Method::HEAD => Access::Pull,
            Method::DELETE => Access::Delete,
            _ => Access::Push,
        };
        Self { method, target, query: &[], headers: HeaderMap::new(), body: Body::Empty, access, others: &[] }
    }

    /// Whether it does no more when it is made twice (RFC 9110, section 9.2.2): whether it may be made again after a failure that
    /// leaves open what became of it.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.method.is_idempotent()
    }
}
