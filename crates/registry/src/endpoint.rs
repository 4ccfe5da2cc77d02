//! What a repository has at its registry, as addresses (OCI distribution specification, "Endpoints").

use nex_text::short_name;

use crate::digest::Digest;
use crate::error::Error;
use crate::refusal::Wanted;
use crate::transport::http::Uri;
use crate::transport::{Security, address};

/// Docker Hub's name in references, and the host that serves it.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// A thing that a repository has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// `manifests/REFERENCE`: a manifest or index, by tag or digest.
    Manifest(&'a str),
    /// `blobs/DIGEST`.
    Blob(&'a Digest),
    /// `blobs/uploads/`, where uploads begin.
    Uploads,
    /// `tags/list`.
    Tags,
}

impl Endpoint<'_> {
    /// Its address below a repository's base.
    pub(crate) fn uri(&self, base: &str) -> Result<Uri, Error> {
        match self {
            Self::Manifest(reference) => below(base, "manifests", reference),
            Self::Blob(digest) => below(base, "blobs", &digest.to_string()),
            Self::Uploads => Ok(address::parse(&format!("{base}/blobs/uploads/"))?),
            Self::Tags => Ok(address::parse(&format!("{base}/tags/list"))?),
        }
    }

    /// What messages call it.
    pub(crate) fn wanted(&self) -> Wanted {
        match self {
            Self::Manifest(reference) => Wanted::Manifest((*reference).to_owned()),
            Self::Blob(digest) => Wanted::Blob(digest.to_string()),
            Self::Uploads => Wanted::Upload,
            Self::Tags => Wanted::Tags,
        }
    }
}

/// The base of a repository's addresses: `https://HOST/v2/REPOSITORY`.
pub(crate) fn repository_base(registry: &str, repository: &str, security: Security) -> Result<String, Error> {
    let host = if registry == DOCKER_HUB.0 { DOCKER_HUB.1 } else { registry };
    check(host, |c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c))?;
    check(repository, |c| c.is_ascii_alphanumeric() || "._-/".contains(c))?;
    let scheme = if security == Security::PlainHttp { "http" } else { "https" };
    Ok(format!("{scheme}://{host}/v2/{repository}"))
}

/// The address of something below a base. `last` is a tag or a digest.
fn below(base: &str, kind: &str, last: &str) -> Result<Uri, Error> {
    check(last, |c| c.is_ascii_alphanumeric() || "._-:+".contains(c))?;
    Ok(address::parse(&format!("{base}/{kind}/{last}"))?)
}

/// Names become parts of a path: nothing in them may end the path or climb out of it.
fn check(name: &str, is_allowed: impl Fn(char) -> bool) -> Result<(), Error> {
    let is_good = !name.is_empty() && name.chars().all(is_allowed) && !name.contains("..") && !name.contains("//");
    if is_good { Ok(()) } else { Err(Error::Name { name: short_name(name) }) }
}

#[cfg(test)]
mod tests {
    use super::{Security, below, repository_base};

    #[test]
    fn docker_hub_is_served_by_another_host() {
        let base = repository_base("docker.io", "library/alpine", Security::Tls).unwrap();
        assert_eq!(base, "https://registry-1.docker.io/v2/library/alpine");
        let base = repository_base("localhost:5000", "a", Security::PlainHttp).unwrap();
        assert_eq!(below(&base, "manifests", "v1").unwrap().to_string(), "http://localhost:5000/v2/a/manifests/v1");
    }

    #[test]
    fn names_cannot_leave_their_place_in_the_path() {
        for repository in ["", "a/../b", "a?b", "a#b", "a b", "a//b", "a%2e", "a@b"] {
            assert!(repository_base("r.example", repository, Security::Tls).is_err(), "{repository}");
        }
        assert!(repository_base("user@r.example", "a", Security::Tls).is_err());
        assert!(below("https://r.example/v2/a", "manifests", "x/y").is_err());
    }
}
