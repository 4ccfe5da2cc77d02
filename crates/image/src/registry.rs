//! Registries, by the OCI distribution specification: manifests, blobs and tags over HTTP.
//!
//! A [`Registry`] is one repository at one registry. From the outside in:
//!
//! ```text
//! Registry ── blob (resumes) ──┐
//!          ── tags (pages) ────┼── client (challenges, tokens) ── http (redirects, TLS) ── line (connections: deadline, fence)
//!          ── manifest ────────┘        └── credentials (files, helpers)
//! ```
//!
//! A registry is not trusted: it cannot send credentials elsewhere, lead to hosts further inside the network, fill
//! the memory, write to the terminal, or keep a request waiting for ever. Its bytes are verified by the caller, who has the digest.

mod address;
mod address_forms;
mod auth_file;
mod blob;
mod challenge;
mod client;
mod credential_helper;
mod credentials;
mod deadline;
mod encoding;
mod encryption;
mod error;
mod fence;
mod guest;
mod http;
mod line;
mod metadata;
mod mirrors;
mod names;
mod patience;
mod proxy;
mod rate_limit;
mod reach;
mod refusal;
mod retry;
mod secret;
mod special_purpose;
mod tags;
mod tls;
mod token;

use std::io::Read;
use std::sync::Arc;

use ureq::http::header::CONTENT_TYPE;

use crate::digest::Digest;
use crate::reference::RegistryReference;

use self::blob::BlobReader;
use self::client::{Client, Target};
use self::refusal::Wanted;

pub use self::credentials::{CredentialFile, CredentialPlaces, Place};
pub use self::error::Error;
pub use self::mirrors::{Candidate, MirrorPlaces};
pub use self::patience::{Throughput, Timeouts};
pub use self::proxy::Proxies;
pub use self::rate_limit::RateLimit;
pub use self::retry::RetryPolicy;
pub use self::tls::CertificatePlaces;

/// Bytes of a manifest at most; registries keep to the same limit.
const MAX_MANIFEST: u64 = 4 << 20;

/// The manifests that we understand, in the order of preference.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// How connections to a registry are secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// By TLS, with a certificate that a known authority has signed.
    #[default]
    Tls,
    /// By TLS with any certificate. Only for registries that the user's configuration calls insecure.
    Unverified,
    /// Not at all: HTTP. Never done unasked, nor for localhost.
    PlainHttp,
}

/// How registries are reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// How connections to the registry are secured.
    pub security: Security,
    /// Where credentials are looked for, once the registry asks for them.
    pub credentials: CredentialPlaces,
    /// Authorities trusted beside the system's, and certificates of ours.
    pub certificates: CertificatePlaces,
    /// Where mirrors of registries are named.
    pub mirrors: MirrorPlaces,
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
            security: Security::Tls,
            credentials: CredentialPlaces::from_environment(),
            certificates: CertificatePlaces::from_environment(),
            mirrors: MirrorPlaces::from_environment(),
            proxies: Proxies::from_environment(),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Options {
    /// The same as [`Options::from_environment`]: what a user of docker or podman expects.
    fn default() -> Options {
        Options::from_environment()
    }
}

/// A repository at a registry. May be used by several threads.
pub struct Registry {
    client: Arc<Client>,
}

impl Registry {
    /// Prepares requests to the repository that `reference` names. Nothing is sent yet.
    ///
    /// # Errors
    /// A name that makes no address, or settings that cannot be used (certificates, proxies).
    pub fn connect(reference: &RegistryReference, options: &Options) -> Result<Registry, Error> {
        let client = Client::new(&reference.registry, &reference.repository, options)?;
        Ok(Registry { client: Arc::new(client) })
    }

    /// Whether the registry itself has ever spoken TLS.
    pub(crate) fn has_spoken_tls(&self) -> bool {
        self.client.has_spoken_tls()
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_retry(mut self, retry: RetryPolicy) -> Registry {
        if let Some(client) = Arc::get_mut(&mut self.client) {
            client.retry = retry;
        }
        self
    }

    /// A manifest or index of at most 4 MiB: its media type by the header, and its bytes, unverified.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn manifest(&self, tag_or_digest: &str) -> Result<(Option<String>, Vec<u8>), Error> {
        let uri = address::below(&self.client.base, "manifests", tag_or_digest)?;
        let wanted = Wanted::Manifest(tag_or_digest.to_owned());
        let target = Target { uri, accept: Some(MANIFEST_TYPES), wanted };
        self.client.document(&target, MAX_MANIFEST, &mut self.client.budget(), |answer| {
            answer.header(CONTENT_TYPE).map(str::to_owned)
        })
    }

    /// A blob that is a document, such as a config, of at most `limit` bytes, unverified. It has the time of a document.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn document(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, Error> {
        let target = self.blob_target(digest)?;
        Ok(self.client.document(&target, limit, &mut self.client.budget(), |_| ())?.1)
    }

    /// A blob's bytes, unverified. Broken connections are resumed inside; a blob with another number of bytes than
    /// `size` is an error. An [`std::io::Error`] from the reader holds an [`enum@Error`].
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn blob(&self, digest: &Digest, size: Option<u64>) -> Result<Box<dyn Read + Send>, Error> {
        self.blob_from(digest, size, 0)
    }

    /// The same from a byte on: the rest of a blob whose beginning the caller has.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn blob_from(&self, digest: &Digest, size: Option<u64>, offset: u64) -> Result<Box<dyn Read + Send>, Error> {
        let target = self.blob_target(digest)?;
        Ok(Box::new(BlobReader::open(Arc::clone(&self.client), target, size, offset)?))
    }

    fn blob_target(&self, digest: &Digest) -> Result<Target, Error> {
        let digest = digest.to_string();
        let uri = address::below(&self.client.base, "blobs", &digest)?;
        Ok(Target { uri, accept: None, wanted: Wanted::Blob(digest) })
    }

    /// The repository's tags, for messages: at most 10,000.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn tags(&self) -> Result<Vec<String>, Error> {
        tags::list(&self.client)
    }
}
