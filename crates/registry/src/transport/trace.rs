//! What a trace says about exchanges. Nothing that lets anybody in is in it: no header, no query, no user of an address.

use std::time::Duration;

use ureq::http::{Method, Response, Uri};

use super::error::Error;
use super::request::Origin;
use super::shown::place_of;

/// What these events are chosen by.
const TARGET: &str = "registry";

/// An answer has come, or there is no answer.
pub(crate) fn exchange<B>(
    method: &Method,
    (uri, origin): (&Uri, Origin),
    result: &Result<Response<B>, Error>,
    time: Duration,
) {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    let (place, seconds) = (place_of(uri, origin), time.as_secs_f64());
    match result {
        Ok(response) => {
            tracing::info!(target: TARGET, "{method} {place}: {} in {seconds:.3} s", response.status());
        }
        Err(error) => {
            let why = nex_fault::whole(error);
            tracing::info!(target: TARGET, "{method} {place}: no answer in {seconds:.3} s: {why}");
        }
    }
}

/// A request goes out.
pub(crate) fn request(method: &Method, uri: &Uri, origin: Origin, authorized: Authorized) {
    if !tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        return;
    }
    let whose = match origin {
        Origin::Own => "the server itself",
        Origin::Other => "another server that it leads to",
    };
    let how = match authorized {
        Authorized::Yes => "with credentials or a token",
        Authorized::No => "without credentials",
    };
    tracing::debug!(target: TARGET, "{method} {}: asking {whose} {how}", place_of(uri, origin));
}

/// A redirect is followed.
pub(crate) fn redirect(from: (&Uri, Origin), to: (&Uri, Origin)) {
    tracing::debug!(target: TARGET, "{} leads to {}", place_of(from.0, from.1), place_of(to.0, to.1));
}

/// Whether a request says who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authorized {
    /// It has a header for that, which no trace shows.
    Yes,
    /// It has none.
    No,
}

#[cfg(test)]
mod tests;
