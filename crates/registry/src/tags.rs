//! The list of a repository's tags, page by page.

use serde::Deserialize;

use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::transport::Answer;
use crate::transport::address::{place, resolve, same_origin};
use crate::transport::http::Uri;
use crate::transport::http::header::LINK;

/// Bytes of one page at most.
const MAX_PAGE: u64 = 4 << 20;

/// Tags at most. The list serves messages; one that is longer is cut.
const MAX_TAGS: usize = 10_000;

/// Pages at most.
const MAX_PAGES: usize = 100;

/// One page.
#[derive(Deserialize)]
struct Page {
    /// Some registries write null for an empty list.
    tags: Option<Vec<String>>,
}

/// Gets the list, cut at [`MAX_TAGS`].
pub(crate) fn list(client: &Client) -> Result<Vec<String>, Error> {
    let mut tags = Vec::new();
    // One time for all pages: a list of them could go on for ever.
    let mut budget = client.budget();
    let mut next = Some(client.get(Endpoint::Tags, Some("application/json"))?);
    for _ in 0..MAX_PAGES {
        let Some(request) = next.take() else { break };
        let uri = request.uri.clone();
        let (link, body) = client.document(&request, MAX_PAGE, &mut budget, |answer| next_page(&uri, answer))?;
        let page: Page = serde_json::from_slice(&body)
            .map_err(|error| Error::Tags { url: place(&uri), reason: nex_text::excerpt(error.to_string()) })?;
        tags.extend(page.tags.unwrap_or_default());
        if tags.len() >= MAX_TAGS {
            tags.truncate(MAX_TAGS);
            break;
        }
        next = link.map(|uri| request.at(uri));
    }
    Ok(tags)
}

/// The next page: `Link: </v2/a/tags/list?last=x>; rel="next"` (RFC 8288). Only the registry itself may serve it.
fn next_page(current: &Uri, answer: &Answer) -> Option<Uri> {
    let link = answer.header(LINK)?;
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = parameters.replace('"', "").to_ascii_lowercase().contains("rel=next");
    let uri = resolve(current, target.as_bytes()).ok().filter(|uri| same_origin(uri, current))?;
    (is_next && uri != *current).then_some(uri)
}
