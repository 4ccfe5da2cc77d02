//! Addresses: how they are compared, followed and shown.

use nex_text::short_name;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::error::Error;

/// What no address holds as it is (RFC 3986), and servers write all the same. The sign of an encoding stays what it is.
const NOT_IN_ADDRESSES: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Reads an address that we made ourselves.
pub(crate) fn parse(text: &str) -> Result<Uri, Error> {
    text.parse().map_err(|_| Error::Address { name: short_name(text) })
}

/// The target of a `Location` or `Link` header, which may be relative (RFC 3986, section 5.2). Quotes, spaces and letters beyond
/// ASCII are encoded, as browsers do it.
///
/// # Errors
/// When it is no address that is asked for anything.
pub(crate) fn resolve(base: &Uri, target: &[u8]) -> Result<Uri, Unfit> {
    let target = percent_encode(target.trim_ascii(), NOT_IN_ADDRESSES).to_string();
    let target = target.split('#').next().unwrap_or_default();
    let scheme = base.scheme_str().ok_or(Unfit::NoAddress)?;
    let authority = base.authority().ok_or(Unfit::NoAddress)?;
    let text = if has_scheme(target) {
        target.to_owned()
    } else if target.starts_with("//") {
        format!("{scheme}:{target}")
    } else if target.starts_with('/') {
        format!("{scheme}://{authority}{target}")
    } else if target.starts_with('?') {
        format!("{scheme}://{authority}{}{target}", base.path())
    } else {
        let directory = base.path().rsplit_once('/').map_or("", |(directory, _)| directory);
        format!("{scheme}://{authority}{directory}/{target}")
    };
    let uri: Uri = text.parse().map_err(|_| Unfit::NoAddress)?;
    match uri.authority() {
        Some(authority) if is_http(&uri) && authority.as_str().contains('@') => Err(Unfit::UserInformation(uri)),
        Some(_) if is_http(&uri) => Ok(uri),
        _ => Err(Unfit::NoAddress),
    }
}

/// Why a server's address is not asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// It is none of http or https.
    NoAddress,
    /// It has a user in it: credentials are for the user to give, and not for servers.
    UserInformation(Uri),
}

/// True when the text begins with a scheme and a colon, before any slash or question mark.
fn has_scheme(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    text.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.chars().all(is_part))
}

fn is_http(uri: &Uri) -> bool {
    is_https(uri) || uri.scheme() == Some(&Scheme::HTTP)
}

/// True for addresses whose traffic is encrypted.
pub(crate) fn is_https(uri: &Uri) -> bool {
    uri.scheme() == Some(&Scheme::HTTPS)
}

/// True when both have the same scheme, host and port: what belongs to one may be told to the other.
pub(crate) fn same_origin(one: &Uri, other: &Uri) -> bool {
    let origin = |uri: &Uri| (is_https(uri), uri.host().map(str::to_ascii_lowercase), port(uri));
    origin(one) == origin(other)
}

fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if is_https(uri) { 443 } else { 80 })
}

/// Host, and port if it is given, for a message.
pub(crate) fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    uri.port_u16().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The address for a message, without what may be secret in it.
pub(crate) fn place(uri: &Uri) -> String {
    nex_text::url(uri.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Unfit, place, resolve, same_origin};

    #[test]
    fn relative_targets_are_resolved() {
        let base = "https://r.example:5000/v2/a/blobs/x?y=1".parse().unwrap();
        let resolved = |target: &str| resolve(&base, target.as_bytes()).ok().map(|uri| uri.to_string());
        assert_eq!(resolved("/other?z").as_deref(), Some("https://r.example:5000/other?z"));
        assert_eq!(resolved("other:1").as_deref(), None);
        assert_eq!(resolved("other").as_deref(), Some("https://r.example:5000/v2/a/blobs/other"));
        assert_eq!(resolved("?n=2").as_deref(), Some("https://r.example:5000/v2/a/blobs/x?n=2"));
        assert_eq!(resolved("//cdn.example/b").as_deref(), Some("https://cdn.example/b"));
        assert_eq!(resolved("http://cdn.example/b#f").as_deref(), Some("http://cdn.example/b"));
        let quoted = r#"/b?file="ä %22x.tar"{1}"#;
        assert_eq!(resolved(quoted).as_deref(), Some("https://r.example:5000/b?file=%22%C3%A4%20%22x.tar%22%7B1%7D"));
        for target in [r"https://good.example\@evil.example/", "https://ä.example/", "https://a b/"] {
            assert_eq!(resolved(target), None, "{target}");
        }
        for target in ["ftp://x/", "ftp://u@x/", "file:///etc/passwd", "https://", "javascript:x"] {
            assert_eq!(resolve(&base, target.as_bytes()), Err(Unfit::NoAddress), "{target}");
        }
        for target in ["https://u:p@x/", "//u@x/"] {
            assert!(matches!(resolve(&base, target.as_bytes()), Err(Unfit::UserInformation(_))), "{target}");
        }
    }

    #[test]
    fn origins_differ_by_scheme_host_and_port() {
        let same = |one: &str, other: &str| same_origin(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("https://r.example/a", "https://R.example:443/b"));
        assert!(!same("https://r.example/a", "http://r.example/a"));
        assert!(!same("https://r.example/a", "https://r.example:8443/a"));
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        for url in ["https://cdn.example/b?X-Signature=secret", "https://cdn.example/b"] {
            assert_eq!(place(&url.parse().unwrap()), "https://cdn.example/b");
        }
        assert_eq!(
            place(&"https://user:secret@cdn.example:8443/b?x".parse().unwrap()),
            "https://***@cdn.example:8443/b"
        );
    }
}
