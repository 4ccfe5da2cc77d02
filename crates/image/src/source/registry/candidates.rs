//! Asks for an image at its mirrors, and then at its own place.

use nex_fault::whole;
use nex_registry::{Candidate, Digest, Options, Registry, RegistryReference};

use super::super::oci::check_digest;
use crate::error::Error;
use crate::image::Image;

/// The place that has answered, and its manifest.
pub(super) struct Reached {
    pub(super) registry: Registry,
    pub(super) media_type: Option<String>,
    pub(super) content: Vec<u8>,
    pub(super) digest: Digest,
}

/// The image by the first place that has it: what mirrors lack or say wrongly is asked for elsewhere. `find` makes an image of a
/// place's manifest.
///
/// # Errors
/// That of the image's own place, with those of its mirrors.
pub(super) fn reach(
    reference: &RegistryReference,
    options: &Options,
    find: impl Fn(Reached) -> Result<Image, Error>,
) -> Result<Image, Error> {
    let (mirrors, own) = options.mirrors.candidates(reference)?;
    let mut failures = Vec::new();
    for mirror in &mirrors {
        match ask(mirror, options).and_then(&find) {
            Ok(mut image) => {
                image.mirror = Some(mirror.reference.to_string());
                return Ok(image);
            }
            Err(error) => failures.push(nex_text::excerpt(whole(&error))),
        }
    }
    ask(&own, options).and_then(find).map_err(|error| match failures.is_empty() {
        true => error,
        false => Error::AfterMirrors { own: Box::new(error), failures: failures.join("; ") },
    })
}

/// A place by each way that is allowed: without TLS only where nobody answers with it.
fn ask(candidate: &Candidate, options: &Options) -> Result<Reached, Error> {
    let (first, next) = options.ways_to(candidate);
    let registry = Registry::connect(&candidate.reference, &first)?;
    match (manifest(candidate, &registry), next) {
        (Err(Error::Registry(_)), Some(next)) if !registry.has_spoken_tls() => {
            let registry = Registry::connect(&candidate.reference, &next)?;
            Ok(reached(manifest(candidate, &registry)?, registry, options))
        }
        (found, _) => Ok(reached(found?, registry, options)),
    }
}

/// A manifest: its media type, its bytes and its digest.
type Manifest = (Option<String>, Vec<u8>, Digest);

fn manifest(candidate: &Candidate, registry: &Registry) -> Result<Manifest, Error> {
    let reference = &candidate.reference;
    let (media_type, content) = match registry.manifest(&reference.tag_or_digest()) {
        Ok(answer) => answer,
        Err(error) if candidate.is_mirror => return Err(error.into()),
        Err(error) => return Err(with_tags(registry, reference, error)),
    };
    let digest = reference.digest.unwrap_or_else(|| Digest::sha256(&content));
    check_digest(&format!("manifest of {reference}"), &content, digest)?;
    Ok((media_type, content, digest))
}

/// A tag that is not there: says which ones are, if the registry tells.
fn with_tags(registry: &Registry, reference: &RegistryReference, error: nex_registry::Error) -> Error {
    if !matches!(error, nex_registry::Error::ManifestNotFound { .. }) {
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

/// Who has the manifest is asked for all else, with all patience.
fn reached((media_type, content, digest): Manifest, registry: Registry, options: &Options) -> Reached {
    Reached { registry: registry.with_retry(options.transport.retry.clone()), media_type, content, digest }
}
