//! Addresses as messages and traces show them, by whose they are.

use nex_text::short_name;
use ureq::http::Uri;

use super::address::{host_of, place};
use super::request::Origin;

/// An address without what may be secret in it. Where a server has led to another one, that is the path, too: it may be what lets
/// anybody in.
pub(crate) fn place_of(uri: &Uri, origin: Origin) -> String {
    match origin {
        Origin::Own => place(uri),
        Origin::Other => format!("{}://{}/\u{2026}", uri.scheme_str().unwrap_or("http"), short_name(host_of(uri))),
    }
}
