//! Where an answer leads: a redirect's target, or the address of an upload.

use std::fmt;

use ureq::http::Uri;
use ureq::http::header::{self, HeaderMap};

use super::address::{Unfit, is_https, parse, resolve, same_origin};
use super::error::Error;
use super::percent::encoded;
use super::reach::Reach;
use super::request::Origin;
use super::shown::place_of;

/// An address that an answer has named for the next request, checked: it is as secure as the one that has named it, and no
/// further inside the network than storage may be.
#[derive(Clone, PartialEq, Eq)]
pub struct Location {
    uri: Uri,
    origin: Origin,
    innermost: Reach,
}

impl Location {
    /// `from` has answered, which is the own server or not; `home_reach` is how far inside the network the first one asked is.
    pub(crate) fn of(from: &Uri, origin: Origin, home_reach: Reach, headers: &HeaderMap) -> Result<Self, Error> {
        let uri = redirect_target(from, origin, home_reach, headers)?;
        // Once away from home, what is the caller's stays away, even where it leads back.
        let origin = if same_origin(from, &uri) { origin } else { Origin::Other };
        Ok(Self { uri, origin, innermost: innermost_redirect(home_reach) })
    }

    /// The address.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whose it is.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// How far inside the network its name may lead, unless it is the own server's.
    pub(crate) fn innermost(&self) -> Reach {
        self.innermost
    }

    /// Whether it is at another origin than an address.
    pub(crate) fn leaves(&self, from: &Uri) -> bool {
        !same_origin(from, &self.uri)
    }

    /// The same with one more parameter.
    ///
    /// # Errors
    /// When that makes no address.
    pub fn with_query(&self, name: &str, value: &str) -> Result<Self, Error> {
        Ok(Self { uri: with_query(&self.uri, &[(name, value)])?, ..self.clone() })
    }
}

impl fmt::Debug for Location {
    /// A query may be secret, and another server's path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({}, {:?})", place_of(&self.uri, self.origin), self.origin)
    }
}

/// An address with more parameters, encoded.
pub(crate) fn with_query(uri: &Uri, parameters: &[(&str, &str)]) -> Result<Uri, Error> {
    let mut text = uri.to_string();
    for (name, value) in parameters {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(&format!("{name}={}", encoded(value)));
    }
    parse(&text)
}

/// Where a redirect leads, if its address alone does not forbid to go there.
fn redirect_target(from: &Uri, origin: Origin, home_reach: Reach, headers: &HeaderMap) -> Result<Uri, Error> {
    let refused = |to: Option<&Uri>, reason| Error::Redirect {
        from: place_of(from, origin),
        to: to.map(|to| place_of(to, if same_origin(from, to) { origin } else { Origin::Other })),
        reason,
    };
    let Some(location) = headers.get(header::LOCATION) else {
        return Err(refused(None, "it does not say where"));
    };
    let next = resolve(from, location.as_bytes()).map_err(|unfit| match unfit {
        Unfit::NoAddress => refused(None, "it names no http or https address"),
        Unfit::UserInformation(to) => refused(Some(&to), "the address holds user information"),
    })?;
    if is_https(from) && !is_https(&next) {
        return Err(refused(Some(&next), "it leads from https to http"));
    }
    let reach = Reach::of_host(&next);
    if !same_origin(from, &next) && reach > innermost_redirect(home_reach) {
        return Err(refused(Some(&next), reach.place()));
    }
    Ok(next)
}

/// Storage in a private network is common; the loopback interface and metadata services are never meant.
fn innermost_redirect(home_reach: Reach) -> Reach {
    home_reach.max(Reach::Private)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(from: &str, origin: Origin, to: &str) -> Result<Location, Error> {
        let headers = [(header::LOCATION, to.parse().unwrap())].into_iter().collect();
        Location::of(&from.parse().unwrap(), origin, Reach::Public, &headers)
    }

    #[test]
    fn an_upload_elsewhere_is_another_s_and_stays_so() {
        let own =
            location("https://r.example/v2/a/blobs/uploads/", Origin::Own, "/v2/a/blobs/uploads/1?_state=x").unwrap();
        assert_eq!(own.origin(), Origin::Own);
        let other = location("https://r.example/v2/", Origin::Own, "https://storage.example/u?sig=secret").unwrap();
        assert_eq!(other.origin(), Origin::Other);
        let back = location("https://storage.example/u", Origin::Other, "https://storage.example/v").unwrap();
        assert_eq!(back.origin(), Origin::Other);
        assert!(!format!("{other:?}").contains("secret"));
        let done = own.with_query("digest", "sha256:00").unwrap();
        assert_eq!(done.uri().to_string(), "https://r.example/v2/a/blobs/uploads/1?_state=x&digest=sha256%3A00");
    }

    #[test]
    fn an_upload_leads_to_nothing_unencrypted_and_no_further_inside() {
        for to in
            ["http://r.example/u", "http://other.example/u", "https://127.0.0.1/u", "https://169.254.169.254/", "x:y"]
        {
            assert!(matches!(location("https://r.example/", Origin::Own, to), Err(Error::Redirect { .. })), "{to}");
        }
        assert!(location("https://r.example/", Origin::Own, "https://10.0.0.1/u").is_ok(), "storage may be private");
    }
}
