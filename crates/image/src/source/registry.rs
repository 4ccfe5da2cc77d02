//! Images in a registry.

use std::io::{Cursor, Read};
use std::sync::Arc;

use super::oci::{BlobStore, Resolver, check_digest};
use crate::digest::Digest;
use crate::error::Error;
use crate::image::{Image, Options};
use crate::reference::RegistryReference;
use crate::registry::Registry;

pub(super) fn open(reference: &RegistryReference, options: &Options) -> Result<Image, Error> {
    let name = reference.to_string();
    if options.offline {
        return Err(Error::Offline { reference: name });
    }
    let registry = Registry::connect(reference, &options.registry)?;
    let (media_type, content) = match registry.manifest(&reference.tag_or_digest()) {
        Ok(answer) => answer,
        Err(error) => return Err(with_tags(&registry, reference, error)),
    };
    let digest = reference.digest.unwrap_or_else(|| Digest::sha256(&content));
    check_digest(&format!("manifest of {name}"), &content, digest)?;
    let resolver = Resolver { store: Arc::new(registry), name: &name, options };
    resolver.document(media_type.as_deref(), &content, digest)
}

/// A tag that is not there: says which ones are, if the registry tells.
fn with_tags(registry: &Registry, reference: &RegistryReference, error: crate::registry::Error) -> Error {
    if !matches!(error, crate::registry::Error::ManifestNotFound { .. }) {
        return error.into();
    }
    match registry.tags() {
        Ok(mut available) => {
            available.sort();
            Error::NoSuchImage {
                wanted: reference.tag_or_digest(),
                place: format!("{}/{}", reference.registry, reference.repository),
                available,
            }
        }
        Err(_) => error.into(),
    }
}

impl BlobStore for Registry {
    fn manifest(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>, Error> {
        let (_, content) = Registry::manifest(self, &digest.to_string())?;
        Ok(Box::new(Cursor::new(content)))
    }

    fn blob(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>, Error> {
        Ok(Registry::blob(self, digest, Some(size))?)
    }
}
