//! Images in a registry.

mod candidates;
mod download;
mod downloads;
mod repeated;
mod spool;
mod supply;

use std::io::{Cursor, Read};
use std::sync::{Arc, OnceLock};

use nex_registry::{Digest, Registry, RegistryReference, transport};

use super::oci::{Provider, Resolver, check_digest};
use crate::blob::{Ahead, Blob, Expected};
use crate::blob_cache::{BlobCache, Resolved};
use crate::error::Error;
use crate::image::{Image, Options};

use self::candidates::{Reached, reach};
use self::downloads::Downloads;
use self::supply::Supply;

pub(super) fn open(reference: &RegistryReference, options: &Options) -> Result<Image, Error> {
    if options.offline {
        return find_cached(reference, options);
    }
    let found = reach(reference, &options.registry, |reached| find(reference, reached, options));
    found.map_err(|error| error.of_image(reference))
}

/// The image as earlier builds have cached it.
fn find_cached(reference: &RegistryReference, options: &Options) -> Result<Image, Error> {
    // A registry that may not be asked may not be used either.
    options.registry.mirrors.candidates(reference)?;
    let name = reference.to_string();
    let store = Arc::new(CachedRegistry::new(None, &name, options));
    let resolved = options.cache.as_ref().and_then(|cache| cache.resolved(&name));
    let resolved = resolved.or(reference.digest.map(|digest| Resolved { digest, media_type: None }));
    let resolved = resolved.ok_or_else(|| store.offline())?;
    let content = store.document(&resolved.digest)?;
    Resolver::new(store, &name, options).document(resolved.media_type.as_deref(), &content, resolved.digest)
}

/// The image at a place. What is known of its name stays as it was unless there is an image.
fn find(reference: &RegistryReference, reached: Reached, options: &Options) -> Result<Image, Error> {
    let Reached { registry, media_type, content, digest } = reached;
    let name = reference.to_string();
    let supply = Supply {
        registry,
        cache: options.cache.clone(),
        aside: options.aside.clone(),
        total: OnceLock::new(),
        repeated: Arc::default(),
    };
    let store = Arc::new(CachedRegistry::new(Some(supply), &name, options));
    let resolver = Resolver::new(store.clone(), &name, options);
    let image = resolver.document(media_type.as_deref(), &content, digest)?;
    store.put(&digest, &content);
    if let Some(cache) = &options.cache {
        cache.set_resolved(&name, &Resolved { digest, media_type });
    }
    Ok(image)
}

/// A registry behind the cache of what it has sent; without a registry, the cache alone.
struct CachedRegistry {
    supply: Option<Arc<Supply>>,
    downloads: Option<Arc<Downloads>>,
    cache: Option<Arc<dyn BlobCache>>,
    /// The image's reference.
    name: String,
    /// Bytes of a document at most.
    limit: u64,
}

impl CachedRegistry {
    fn new(supply: Option<Supply>, name: &str, options: &Options) -> Self {
        let supply = supply.map(Arc::new);
        let downloads = supply.clone().map(|supply| Arc::new(Downloads::new(supply)));
        let (cache, limit) = (options.cache.clone(), options.limits.document_bytes);
        Self { supply, downloads, cache, name: name.to_owned(), limit }
    }

    fn registry(&self) -> Result<&Registry, Error> {
        self.supply.as_ref().map(|supply| &supply.registry).ok_or_else(|| self.offline())
    }

    fn offline(&self) -> Error {
        Error::Offline { reference: self.name.clone() }
    }

    /// A document that is cached; a registry is not asked.
    fn document(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        let cached = self.cache.as_ref().and_then(|cache| cache.blob(digest));
        let read = cached.and_then(|file| file.take(self.limit).read_to_end(&mut content).ok());
        let is_right = read.is_some() && check_digest("", &content, *digest).is_ok();
        if is_right { Ok(content) } else { Err(self.offline()) }
    }

    /// Caches a document that is what its digest says.
    fn put(&self, digest: &Digest, content: &[u8]) {
        let Some(cache) = &self.cache else { return };
        if cache.blob(digest).is_none()
            && let Some(mut blob) = cache.new_blob(digest, Some(content.len() as u64))
            && blob.write_all(content).is_ok()
        {
            blob.commit();
        }
    }

    /// A document from the cache, or else from the registry, and then it is cached.
    fn fetch(
        &self,
        digest: &Digest,
        fetch: impl FnOnce(&Registry) -> Result<Vec<u8>, Error>,
    ) -> Result<Vec<u8>, Error> {
        if let Ok(content) = self.document(digest) {
            return Ok(content);
        }
        let content = fetch(self.registry()?)?;
        if check_digest("", &content, *digest).is_ok() {
            self.put(digest, &content);
        }
        Ok(content)
    }
}

impl Provider for CachedRegistry {
    fn manifest(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>, Error> {
        let content = self.fetch(digest, |registry| Ok(registry.manifest(&digest.to_string())?.1))?;
        Ok(Box::new(Cursor::new(content)))
    }

    fn config(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>, Error> {
        let content = self.fetch(digest, |registry| {
            registry.document(digest, self.limit).map_err(|error| match error {
                nex_registry::Error::Transport(transport::Error::TooLarge { limit, .. }) => {
                    Error::Limit { what: format!("config {digest} of {}", self.name), limit, unit: "bytes" }
                }
                error => error.into(),
            })
        })?;
        Ok(Box::new(Cursor::new(content)))
    }

    fn blob(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>, Error> {
        Ok(self.registry()?.blob(digest, Some(size))?)
    }

    fn layer(&self, layer: &Expected) -> Result<Box<dyn Blob>, Error> {
        match &self.downloads {
            Some(downloads) => Ok(Box::new(downloads.read(layer))),
            None => {
                let cached = self.cache.as_ref().and_then(|cache| cache.blob(&layer.digest));
                let cached: Box<dyn Read + Send> = Box::new(cached.ok_or_else(|| self.offline())?);
                Ok(Box::new(cached))
            }
        }
    }

    fn ahead(&self) -> Option<Arc<dyn Ahead>> {
        let downloads = self.downloads.as_ref()?;
        Some(Arc::clone(downloads) as Arc<dyn Ahead>)
    }
}
