//! A repository at a registry.

use std::io::Read;
use std::sync::Arc;

use crate::blob::Blob;
use crate::client::Client;
use crate::digest::Digest;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::options::Options;
use crate::reference::RegistryReference;
use crate::request::Request;
use crate::tags;
use crate::transport::http::header::CONTENT_TYPE;
use crate::transport::{Answer, ResumedReader, RetryPolicy};

/// Bytes of a manifest at most; registries keep to the same limit.
const MAX_MANIFEST: u64 = 4 << 20;

/// The manifests that are asked for, in the order of preference.
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

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
    pub fn has_spoken_tls(&self) -> bool {
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

    /// Makes a request of any method. Only success is an answer; what failed for a while is tried again, as far as the request may be
    /// made twice.
    ///
    /// Credentials go to the registry itself alone. A body goes where a redirect leads that keeps the request (307, 308), and where
    /// an earlier answer's [`transport::Location`](crate::transport::Location) is; without TLS it goes to nobody but a registry
    /// that is reached so.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn send(&self, request: &Request<'_>) -> Result<Answer, Error> {
        self.client.request(&self.client.prepare(request)?)
    }

    /// A manifest or index of at most 4 MiB: its media type by the header, and its bytes, unverified.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn manifest(&self, tag_or_digest: &str) -> Result<(Option<String>, Vec<u8>), Error> {
        let request = self.client.get(Endpoint::Manifest(tag_or_digest), Some(MANIFEST_TYPES))?;
        self.client.document(&request, MAX_MANIFEST, &mut self.client.budget(), |answer| {
            answer.header(CONTENT_TYPE).map(str::to_owned)
        })
    }

    /// A blob that is a document, such as a config, of at most `limit` bytes, unverified. It has the time of a document.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn document(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, Error> {
        let request = self.client.get(Endpoint::Blob(digest), None)?;
        Ok(self.client.document(&request, limit, &mut self.client.budget(), |_| ())?.1)
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
        let request = self.client.get(Endpoint::Blob(digest), None)?;
        let (retry, least) = (&self.client.retry, self.client.timeouts.blob);
        let blob = Blob { client: Arc::clone(&self.client), request };
        Ok(Box::new(ResumedReader::open(blob, size, offset, retry, least)?))
    }

    /// The repository's tags, for messages: at most 10,000.
    ///
    /// # Errors
    /// See [`enum@Error`].
    pub fn tags(&self) -> Result<Vec<String>, Error> {
        tags::list(&self.client)
    }
}
