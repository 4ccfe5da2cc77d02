//! Texts without the users of URLs, which may be passwords or tokens.

use std::borrow::Cow;

/// What stands in the place of user information.
const HIDDEN: &str = "***";

/// How far a password with a slash in it is looked for, in bytes: a text of many URLs is read once, and not once for each.
const FAR: usize = 2048;

/// A text in which no URL has user information: `https://user:password@host/` is `https://***@host/`.
pub(crate) fn without_user_info(text: &str) -> Cow<'_, str> {
    hide(text, |character| character.is_whitespace() || "\"<>`|".contains(character))
}

/// The same, where these characters end a URL.
pub(crate) fn hide(text: &str, ends_url: impl Fn(char) -> bool) -> Cow<'_, str> {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(scheme) = rest.find("://") {
        let (before, behind) = rest.split_at(scheme + "://".len());
        let hidden = user_info(behind, &ends_url);
        shown += before;
        shown += if hidden > 0 { HIDDEN } else { "" };
        rest = &behind[hidden..];
    }
    if shown.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(shown + rest) }
}

/// The length of the user information (RFC 3986, section 3.2.1) with which a text behind `://` begins.
fn user_info(behind: &str, ends_url: &impl Fn(char) -> bool) -> usize {
    let authority =
        behind.split(|character| "/?#".contains(character) || ends_url(character)).next().unwrap_or_default();
    let at = authority.rfind('@').or_else(|| {
        // People write a password as it is, with a slash in it. Then there is no port before the slash.
        let near = if has_port(authority) { "" } else { &behind[..boundary(behind, FAR)] };
        near.find('@').filter(|at| !near[..*at].contains(ends_url))
    });
    at.filter(|at| !is_digest(&behind[at + 1..])).unwrap_or(0)
}

/// The end of the last character before `most` bytes.
fn boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Whether what stands behind the last colon, if there is one, can be a port.
fn has_port(authority: &str) -> bool {
    match authority.rsplit_once(':') {
        Some((host, port)) => host.starts_with('[') || port.bytes().all(|byte| byte.is_ascii_digit()),
        None => true,
    }
}

/// `docker://name@sha256:...` names an image and no user.
fn is_digest(text: &str) -> bool {
    ["sha256:", "sha384:", "sha512:"].into_iter().any(|algorithm| text.starts_with(algorithm))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{short_name, url};

    #[test]
    fn nobody_sees_who_the_user_is() {
        for (text, shown) in [
            ("https://user:pass@host/a/b", "https://***@host/a/b"),
            ("http://token@host", "http://***@host"),
            ("HTTP://u:p@ss@host:80/", "HTTP://***@host:80/"),
            ("https://user:pa/ss@host/x", "https://***@host/x"),
            ("https://u:p@[::1]:5000/x", "https://***@[::1]:5000/x"),
            ("https://u:p@host/a@sha256:0", "https://***@host/a@sha256:0"),
            ("https://a://b:c@host/", "https://a://***@host/"),
            (r"https://us\ner:p@host/", r"https://***@host/"),
        ] {
            assert_eq!(without_user_info(text), shown, "{text}");
            assert_eq!(url(text), short_name(shown), "{text}");
            let sentence = format!("cannot get {text}: try {text} and {text}\u{e9}");
            assert_eq!(without_user_info(&sentence), format!("cannot get {shown}: try {shown} and {shown}\u{e9}"));
            assert_eq!(without_user_info(shown), shown, "{text}");
        }
        assert_eq!(url("http://user: pa\"ss@host/x?token=1#y"), "http://***@host/x");
        assert_eq!(url(b"https://u:p\xff@host/?\xff"), "https://***@host/");
    }

    #[test]
    fn what_is_no_user_stays() {
        for text in [
            "",
            "a@b",
            "https://host:5000/team@home/x@y",
            "https://[::1]/a@b",
            "see https://host/ and mail to a@b",
            "docker://alpine@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "docker://host:5000/alpine:3.20@sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "/tmp//a@b",
            "://",
        ] {
            assert_eq!(without_user_info(text), text);
        }
    }

    #[test]
    fn a_text_of_many_urls_takes_no_time() {
        let start = std::time::Instant::now();
        for part in ["://", "://a:b/", "://a:b", "://@", "://a:b/\u{e9} @"] {
            let text = part.repeat(30_000);
            assert!(without_user_info(&text).len() >= text.len());
        }
        assert!(start.elapsed().as_secs() < 60);
    }
}
