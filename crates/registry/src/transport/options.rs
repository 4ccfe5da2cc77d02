//! How servers are reached.

use super::patience::Timeouts;
use super::proxy::Proxies;
use super::retry::RetryPolicy;
use super::security::Security;
use super::tls::CertificatePlaces;

/// How a server is reached, whatever it serves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How connections to it are secured.
    pub security: Security,
    /// Authorities trusted beside the system's, and certificates of ours.
    pub certificates: CertificatePlaces,
    /// Proxies in between.
    pub proxies: Proxies,
    /// Patience with failures.
    pub retry: RetryPolicy,
    /// Patience with slowness.
    pub timeouts: Timeouts,
}

impl Options {
    /// What the environment says, by the conventions of docker, podman and curl.
    #[must_use]
    pub fn from_environment() -> Options {
        Options {
            certificates: CertificatePlaces::from_environment(),
            proxies: Proxies::from_environment(),
            ..Options::default()
        }
    }
}
