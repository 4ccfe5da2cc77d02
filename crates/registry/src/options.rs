//! How registries are reached.

use crate::candidate::Candidate;
use crate::credentials::CredentialPlaces;
use crate::mirrors::MirrorPlaces;
use crate::transport::{self, Security};

/// How registries are reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// How their servers are reached.
    pub transport: transport::Options,
    /// Where credentials are looked for, once the registry asks for them.
    pub credentials: CredentialPlaces,
    /// Where mirrors of registries are named.
    pub mirrors: MirrorPlaces,
}

impl Options {
    /// What the environment says, by the conventions of docker, podman and curl.
    #[must_use]
    pub fn from_environment() -> Options {
        Options {
            transport: transport::Options::from_environment(),
            credentials: CredentialPlaces::from_environment(),
            mirrors: MirrorPlaces::from_environment(),
        }
    }

    /// How a candidate is reached, and how else where it speaks no TLS.
    #[must_use]
    pub fn ways_to(&self, candidate: &Candidate) -> (Options, Option<Options>) {
        let is_own = !candidate.is_mirror && !candidate.is_elsewhere;
        let (first, next) = match self.transport.security {
            Security::PlainHttp if is_own => (Security::PlainHttp, None),
            _ if candidate.is_insecure => (Security::Unverified, Some(Security::PlainHttp)),
            _ => (Security::Tls, None),
        };
        let way = |security| {
            let mut way = self.clone();
            way.transport.security = security;
            if !is_own {
                // Nothing that was named for the registry of the reference.
                way.credentials = way.credentials.elsewhere();
                way.transport.certificates = way.transport.certificates.elsewhere();
            }
            if candidate.is_mirror {
                way.transport.retry.attempts = 1;
            }
            way
        };
        (way(first), next.map(way))
    }
}

impl Default for Options {
    /// The same as [`Options::from_environment`]: what a user of docker or podman expects.
    fn default() -> Options {
        Options::from_environment()
    }
}
