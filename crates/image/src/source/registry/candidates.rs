//! Asks for an image at its mirrors, and then at its own place.

use super::super::oci::check_digest;
use super::with_tags;
use crate::digest::Digest;
use crate::error::Error;
use crate::reference::RegistryReference;
use crate::registry::{self, Candidate, Options, Registry};

/// The place that has answered, and its manifest.
pub(super) struct Reached {
    pub(super) registry: Registry,
    /// The image's name at the mirror, if it was one.
    pub(super) mirror: Option<String>,
    pub(super) media_type: Option<String>,
    pub(super) content: Vec<u8>,
    pub(super) digest: Digest,
}

/// The first place that has the manifest. What mirrors lack or say wrongly is asked for elsewhere.
///
/// # Errors
/// That of the image's own place, with those of its mirrors.
pub(super) fn reach(reference: &RegistryReference, options: &Options) -> Result<Reached, Error> {
    let (mirrors, own) = options.mirrors.candidates(reference)?;
    let mut failures = Vec::new();
    for mirror in &mirrors {
        match reach_one(mirror, options) {
            Ok(reached) => return Ok(reached),
            Err(error) => failures.push(nex_text::excerpt(error.to_string())),
        }
    }
    reach_one(&own, options).map_err(|error| match failures.is_empty() {
        true => error,
        false => Error::AfterMirrors { source: Box::new(error), failures: failures.join("; ") },
    })
}

/// A place by each way that is allowed.
fn reach_one(candidate: &Candidate, options: &Options) -> Result<Reached, Error> {
    let (first, next) = candidate.ways(options);
    match (ask(candidate, &first, options), next) {
        (Err(Error::Registry(error)), Some(next)) if speaks_no_tls(&error) => ask(candidate, &next, options),
        (answer, _) => answer,
    }
}

fn ask(candidate: &Candidate, way: &Options, options: &Options) -> Result<Reached, Error> {
    let reference = &candidate.reference;
    let registry = Registry::connect(reference, way)?;
    let (media_type, content) = match registry.manifest(&reference.tag_or_digest()) {
        Ok(answer) => answer,
        Err(error) if candidate.is_mirror => return Err(error.into()),
        Err(error) => return Err(with_tags(&registry, reference, error)),
    };
    let digest = reference.digest.unwrap_or_else(|| Digest::sha256(&content));
    check_digest(&format!("manifest of {reference}"), &content, digest)?;
    let mirror = candidate.is_mirror.then(|| reference.to_string());
    Ok(Reached { registry: registry.with_retry(options.retry.clone()), mirror, media_type, content, digest })
}

/// Whether a server may be one that speaks HTTP alone.
fn speaks_no_tls(error: &registry::Error) -> bool {
    use registry::Error;
    matches!(error, Error::Tls { .. } | Error::ConnectionRefused { .. } | Error::Connection { .. })
}
