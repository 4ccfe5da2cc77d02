//! The encoding of a document on its way (`Content-Encoding`, RFC 9110, section 8.4).
//!
//! None is asked for, and some servers and caches send gzip all the same. Layers are left as they come: their digests are those of
//! compressed bytes, and storage that calls these encoded means the same bytes.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::error::Error;

/// How gzip begins. No document begins so, and not all that is called gzip is.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A document of at most `limit` bytes, without the encoding.
pub(crate) fn decoded(content: Vec<u8>, encoding: Option<&str>, limit: u64, url: &str) -> Result<Vec<u8>, Error> {
    let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    if !["gzip", "x-gzip"].contains(&encoding.as_str()) || !content.starts_with(&GZIP_MAGIC) {
        return Ok(content);
    }
    let mut plain = Vec::new();
    match MultiGzDecoder::new(&content[..]).take(limit.saturating_add(1)).read_to_end(&mut plain) {
        Err(source) => Err(Error::Encoding { url: url.to_owned(), source }),
        Ok(_) if plain.len() as u64 > limit => Err(Error::TooLarge { url: url.to_owned(), limit }),
        Ok(_) => Ok(plain),
    }
}
