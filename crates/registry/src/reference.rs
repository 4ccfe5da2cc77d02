//! References into registries, and Docker's rules for what a short name means.

use std::fmt;
use std::str::FromStr;

use nex_fault::{Code, Fault, Remedy};

use crate::codes;
use crate::digest::{Digest, DigestError};

/// The registry of names without a host.
const DEFAULT_REGISTRY: &str = "docker.io";
/// What stands before a name of one part on the default registry.
const DEFAULT_NAMESPACE: &str = "library";
const DEFAULT_TAG: &str = "latest";
/// The specification's limits, in characters.
const MAX_TAG: usize = 128;
const MAX_NAME: usize = 255;

/// An image in a registry, with all defaults spelt out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryReference {
    /// The host, and its port if one was given: `docker.io`, `localhost:5000`. This is the name for people and for
    /// credentials; Docker Hub's server has another one.
    pub registry: String,
    /// The name in the registry: `library/alpine`.
    pub repository: String,
    /// The tag. With a digest it only informs; without one it is `latest` when none was given.
    pub tag: Option<String>,
    /// The digest. It decides when there is one.
    pub digest: Option<Digest>,
}

/// Why a text is no registry reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryReferenceError {
    /// No repository in it.
    #[error("the image name {text:?} names no repository")]
    NoRepository {
        /// The whole text.
        text: String,
    },
    /// A repository with a letter that may not stand there.
    #[error(
        "the repository {repository:?} is not valid: lower case letters, digits, and single . _ - or __ between them, in parts divided by /, 255 characters at most"
    )]
    Repository {
        /// The repository.
        repository: String,
    },
    /// A host with a letter that may not stand there.
    #[error("the registry {registry:?} is not a host name with an optional :port")]
    Registry {
        /// The host.
        registry: String,
    },
    /// A tag that breaks the rules.
    #[error("the tag {tag:?} is not valid: a letter, digit or _ first, then also . and -, 128 characters at most")]
    Tag {
        /// The tag.
        tag: String,
    },
    /// A URL instead of a reference.
    #[error("'{text}' is a URL")]
    Url {
        /// The text for a message, without user information and query.
        text: String,
    },
    /// Behind the @ stands no digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl Fault for RegistryReferenceError {
    fn code(&self) -> Code {
        codes::BAD_REFERENCE
    }

    fn remedy(&self) -> Option<Remedy> {
        matches!(self, Self::Url { .. }).then(|| Remedy::say("leave out the scheme"))
    }
}

impl RegistryReference {
    /// What to ask the registry for: the digest if there is one, otherwise the tag.
    pub fn tag_or_digest(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }
}

impl FromStr for RegistryReference {
    type Err = RegistryReferenceError;

    fn from_str(text: &str) -> Result<RegistryReference, RegistryReferenceError> {
        let shown = || text.chars().take(300).collect::<String>();
        if text.contains("://") {
            return Err(RegistryReferenceError::Url { text: nex_text::url(text) });
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest.parse()?)),
            None => (text, None),
        };
        let (registry, rest) = split_registry(named);
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if repository.is_empty() {
            return Err(RegistryReferenceError::NoRepository { text: shown() });
        }
        let registry = registry.unwrap_or(DEFAULT_REGISTRY).to_ascii_lowercase();
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY.to_owned() } else { registry };
        let repository = match repository.contains('/') {
            false if registry == DEFAULT_REGISTRY => format!("{DEFAULT_NAMESPACE}/{repository}"),
            _ => repository.to_owned(),
        };
        check_registry(&registry)?;
        check_repository(&repository)?;
        tag.map_or(Ok(()), check_tag)?;
        let default_tag = digest.is_none().then_some(DEFAULT_TAG);
        Ok(RegistryReference { registry, repository, tag: tag.or(default_tag).map(str::to_owned), digest })
    }
}

/// Docker's rule: the first part is a host if it has a dot or a colon, or is `localhost`.
fn split_registry(named: &str) -> (Option<&str>, &str) {
    match named.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), rest),
        _ => (None, named),
    }
}

fn check_registry(registry: &str) -> Result<(), RegistryReferenceError> {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let address = address.parse::<std::net::Ipv6Addr>().is_ok().then_some("v6");
            (address.unwrap_or_default(), port.strip_prefix(':').or((!port.is_empty()).then_some("")))
        }
        None => registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port))),
    };
    let label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
    if host.len() <= MAX_NAME && host.split('.').all(label) && port_fits {
        Ok(())
    } else {
        Err(RegistryReferenceError::Registry { registry: registry.chars().take(300).collect() })
    }
}

fn check_repository(repository: &str) -> Result<(), RegistryReferenceError> {
    if repository.len() <= MAX_NAME && repository.split('/').all(is_path_component) {
        Ok(())
    } else {
        Err(RegistryReferenceError::Repository { repository: repository.chars().take(300).collect() })
    }
}

/// The distribution specification: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_path_component(part: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    is_inner(first)
        && is_inner(last)
        && bytes
            .split(is_inner)
            .all(|divider| matches!(divider, b"" | b"." | b"_" | b"__") || divider.iter().all(|&byte| byte == b'-'))
}

fn check_tag(tag: &str) -> Result<(), RegistryReferenceError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first_fits = tag.bytes().next().is_some_and(is_word);
    if first_fits && tag.len() <= MAX_TAG && tag.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-') {
        Ok(())
    } else {
        Err(RegistryReferenceError::Tag { tag: tag.chars().take(200).collect() })
    }
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn short_names_mean_what_docker_says() {
        for (short, canonical) in [
            ("alpine", "docker.io/library/alpine:latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20"),
            ("synadia/nex-rootfs:alpine", "docker.io/synadia/nex-rootfs:alpine"),
            ("index.docker.io/alpine", "docker.io/library/alpine:latest"),
            ("localhost/alpine", "localhost/alpine:latest"),
            ("localhost:5000/alpine", "localhost:5000/alpine:latest"),
            ("[::1]:5000/a/b", "[::1]:5000/a/b:latest"),
            ("ghcr.io/a/b__c/d--e:V1", "ghcr.io/a/b__c/d--e:V1"),
        ] {
            assert_eq!(short.parse::<RegistryReference>().expect(short).to_string(), canonical);
        }
    }

    #[test]
    fn a_digest_decides_and_the_tag_is_kept() {
        let reference: RegistryReference = format!("alpine:3.20@{DIGEST}").parse().expect("a reference");
        assert_eq!(reference.tag_or_digest(), DIGEST);
        assert_eq!(reference.to_string(), format!("docker.io/library/alpine:3.20@{DIGEST}"));
        let reference: RegistryReference = format!("alpine@{DIGEST}").parse().expect("a reference");
        assert_eq!(reference.tag, None);
    }

    #[test]
    fn refuses_what_no_registry_would_take() {
        let long_tag = format!("a:{}", "x".repeat(129));
        let long_name = "x/".repeat(128) + "x";
        for text in [
            "",
            ":tag",
            "Alpine",
            "a//b",
            "a/",
            "/a",
            "a:",
            "a:-x",
            "a b",
            "a@sha256:00",
            "a@",
            "../a",
            "a/../b",
            "a_-b",
            "https://ghcr.io/a",
            "ghcr.io:99999/a",
            "ghcr.io:/a",
            "-x.io/a",
            "a..b/c",
            "é",
            &long_tag,
            &long_name,
        ] {
            assert!(text.parse::<RegistryReference>().is_err(), "{text}");
        }
    }
}
