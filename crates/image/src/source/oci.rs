//! From a manifest to an image, the same for registries, layouts and archives: they differ only in where blobs are.

use std::cell::Cell;
use std::io::Read;
use std::sync::Arc;

use nex_registry::Digest;

use crate::blob::{Ahead, Blob, Expected, OpenBlob};
use crate::config::Config;
use crate::document::{Descriptor, Document, Manifest, read_document};
use crate::error::{Error, Mismatch};
use crate::image::{Found, Image, Options};
use crate::layer::Layer;
use crate::platform::Platform;

/// Indexes inside indexes, at most.
const MAX_DEPTH: usize = 2;

/// Manifests that are fetched at most because their indexes do not say what they are for. An honest index has one for each
/// platform, and there are some 15.
const MAX_LOOKED_AT: usize = 32;

/// A place that has blobs by their digests. It need not be trusted: everything is verified here.
pub(super) trait Provider: Send + Sync {
    /// A manifest's or an index's content.
    fn manifest(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>, Error> {
        self.blob(digest, size)
    }

    /// A config's content.
    fn config(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>, Error> {
        self.blob(digest, size)
    }

    /// A blob's content.
    fn blob(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>, Error>;

    /// A layer's content.
    fn layer(&self, layer: &Expected) -> Result<Box<dyn Blob>, Error> {
        Ok(Box::new(self.blob(&layer.digest, layer.size)?))
    }

    /// Who is to be told of layers before they are read.
    fn ahead(&self) -> Option<Arc<dyn Ahead>> {
        None
    }
}

/// Follows descriptors from the first document to the config.
pub(super) struct Resolver<'a> {
    pub store: Arc<dyn Provider>,
    /// The image's canonical reference.
    pub name: &'a str,
    pub options: &'a Options,
    /// Manifests that were fetched to see what they are for.
    pub looked_at: Cell<usize>,
}

/// What an index has for a platform.
#[derive(Default)]
struct Offer {
    /// The best image, with what it is worth. Of equals it is the first.
    best: Option<(u32, Image)>,
    /// Whether another one is worth as much.
    has_equal: bool,
    /// What the others are for.
    others: Vec<Platform>,
    /// Why the first of those that are no images is none.
    artifact: Option<Error>,
}

impl<'a> Resolver<'a> {
    /// For the image of this name in a store.
    pub(super) fn new(store: Arc<dyn Provider>, name: &'a str, options: &'a Options) -> Resolver<'a> {
        Resolver { store, name, options, looked_at: Cell::new(0) }
    }

    /// Chooses among descriptors by platform, and follows the one chosen.
    pub(super) fn choose(&self, candidates: &[Descriptor]) -> Result<Image, Error> {
        self.choose_at(candidates, 0)
    }

    /// The same among descriptors that nothing tells apart but what their configs say. `None` when that does not, either.
    pub(super) fn choose_only(&self, candidates: &[Descriptor]) -> Result<Option<Image>, Error> {
        let candidates: Vec<&Descriptor> = candidates.iter().collect();
        let offer = self.look_at(&candidates, 0, false)?;
        if offer.has_equal { Ok(None) } else { self.settle(offer).map(Some) }
    }

    /// Goes on from a first document that was found by its tag.
    pub(super) fn document(&self, media_type: Option<&str>, content: &[u8], digest: Digest) -> Result<Image, Error> {
        self.document_at(media_type, content, digest, 0)
    }

    fn choose_at(&self, candidates: &[Descriptor], depth: usize) -> Result<Image, Error> {
        let images = candidates.iter().filter(|descriptor| descriptor.may_be_image());
        let (mut named, mut unnamed) = (Vec::new(), Vec::new());
        for descriptor in images {
            match descriptor.platform() {
                Some(platform) => named.push((descriptor, platform)),
                None => unnamed.push(descriptor),
            }
        }
        let mut best: Option<(u32, &Descriptor)> = None;
        for (descriptor, platform) in &named {
            // Of equals the first one wins.
            let score = self.options.platform.suits(platform);
            if let Some(score) = score.filter(|&score| best.is_none_or(|(so_far, _)| score > so_far)) {
                best = Some((score, descriptor));
            }
        }
        if let Some((_, descriptor)) = best {
            return self.follow(descriptor, depth);
        }
        let mut offer = self.look_at(&unnamed, depth, true)?;
        offer.others.splice(..0, named.into_iter().map(|(_, platform)| platform));
        self.settle(offer)
    }

    /// Fetches manifests to see what they are for, as it is in their configs. `is_enough` says whether the first that fits
    /// exactly ends the search.
    fn look_at(&self, candidates: &[&Descriptor], depth: usize, is_enough: bool) -> Result<Offer, Error> {
        let mut offer = Offer::default();
        for descriptor in candidates {
            self.looked_at.set(self.looked_at.get() + 1);
            if candidates.len() > 1 && self.looked_at.get() > MAX_LOOKED_AT {
                let what = format!("an index of {}, with manifests that it gives no platform,", self.name);
                return Err(Error::Limit { what, limit: MAX_LOOKED_AT as u64, unit: "such manifests" });
            }
            match self.follow(descriptor, depth) {
                Ok(image) => {
                    // One that does not say what it is for fits where nothing else does.
                    let score = image.config.platform().map_or(Some(0), |own| self.options.platform.suits(&own));
                    let score = score.unwrap_or_default();
                    let so_far = offer.best.as_ref().map(|(so_far, _)| *so_far);
                    offer.has_equal = so_far == Some(score) || offer.has_equal && so_far > Some(score);
                    if so_far.is_none_or(|so_far| score > so_far) {
                        offer.best = Some((score, image));
                    }
                    if is_enough && score == u32::MAX {
                        break;
                    }
                }
                Err(Error::NoSuchPlatform { available, .. }) => offer.others.extend(available),
                Err(error @ Error::Artifact { .. }) => offer.artifact = offer.artifact.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Ok(offer)
    }

    /// The best image of an offer, or why there is none.
    fn settle(&self, offer: Offer) -> Result<Image, Error> {
        let Offer { best, others: available, artifact, .. } = offer;
        match (best, artifact) {
            (Some((_, image)), _) => Ok(image),
            (None, Some(artifact)) if available.is_empty() => Err(artifact),
            _ => Err(Error::NoSuchPlatform {
                image: self.name.to_owned(),
                wanted: self.options.platform.clone(),
                available,
            }),
        }
    }

    fn follow(&self, descriptor: &Descriptor, depth: usize) -> Result<Image, Error> {
        let what = format!("manifest {} of {}", descriptor.digest, self.name);
        let source = self.store.manifest(&descriptor.digest, descriptor.size)?;
        let content = self.verified(&what, source, descriptor)?;
        let media_type = Some(descriptor.media_type.as_str()).filter(|media_type| !media_type.is_empty());
        self.document_at(media_type, &content, descriptor.digest, depth)
    }

    fn document_at(
        &self,
        media_type: Option<&str>,
        content: &[u8],
        digest: Digest,
        depth: usize,
    ) -> Result<Image, Error> {
        let what = format!("manifest {digest} of {}", self.name);
        match Document::parse(&what, media_type, content)? {
            Document::Manifest(manifest) => self.image(*manifest, digest),
            Document::Index(_) if depth >= MAX_DEPTH => Err(Error::document(
                what,
                format!("is an index, the third one inside another; {MAX_DEPTH} are allowed"),
            )),
            Document::Index(index) => self.choose_at(&index.manifests, depth + 1),
        }
    }

    fn image(&self, manifest: Manifest, digest: Digest) -> Result<Image, Error> {
        let what = format!("config {} of {}", manifest.config.digest, self.name);
        let source = self.store.config(&manifest.config.digest, manifest.config.size)?;
        let content = self.verified(&what, source, &manifest.config)?;
        let parsed = Config::parse(&what, &content);
        let (config, diff_ids) = if manifest.has_plain_config() {
            parsed?
        } else {
            let is_image =
                |(_, diff_ids): &(Config, Vec<Digest>)| !diff_ids.is_empty() && diff_ids.len() == manifest.layers.len();
            let of = format!("manifest {digest} of {}", self.name);
            parsed.ok().filter(is_image).ok_or_else(|| manifest.artifact(&of))?
        };
        let layers = pair_layers((&what, self.name), &config, &diff_ids, manifest.layers.len())?;
        let blobs = manifest.layers.into_iter().enumerate().map(|(index, layer)| self.open_blob(index, layer));
        let layers = layers.into_iter().zip(blobs).map(|(layer, (descriptor, blob))| {
            let Descriptor { digest, size, media_type, .. } = descriptor;
            let media_type = Some(media_type).filter(|media_type| !media_type.is_empty());
            (Layer { digest: Some(digest), size: Some(size), media_type, ..layer }, blob)
        });
        let found =
            Found { name: self.name.to_owned(), manifest_digest: Some(digest), config, layers: layers.collect() };
        Ok(Image::new(found, self.options)?.ahead_by(self.store.ahead()))
    }

    fn open_blob(&self, index: usize, descriptor: Descriptor) -> (Descriptor, OpenBlob) {
        let store = Arc::clone(&self.store);
        let layer = Expected { index, digest: descriptor.digest, size: descriptor.size };
        (descriptor, Arc::new(move || store.layer(&layer)))
    }

    fn verified(&self, what: &str, source: impl Read, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let limit = self.options.limits.document_bytes;
        if descriptor.size > limit {
            return Err(Error::Limit { what: what.to_owned(), limit, unit: "bytes" });
        }
        let content = read_document(what, source, limit)?;
        let got = content.len() as u64;
        if got != descriptor.size {
            return Err(Error::Size { what: what.to_owned(), expected: descriptor.size, got });
        }
        check_digest(what, &content, descriptor.digest)?;
        Ok(content)
    }
}

/// Checks a document that is in memory.
pub(super) fn check_digest(what: &str, content: &[u8], expected: Digest) -> Result<(), Error> {
    let got = Digest::of(expected.algorithm(), content);
    match got == expected {
        true => Ok(()),
        false => Err(Error::Digest { what: what.to_owned(), mismatch: Box::new(Mismatch { expected, got }) }),
    }
}

/// What the config, which is called `what`, says about each of the `count` layers of an image.
pub(super) fn pair_layers(
    (what, image): (&str, &str),
    config: &Config,
    diff_ids: &[Digest],
    count: usize,
) -> Result<Vec<Layer>, Error> {
    if diff_ids.len() != count {
        let problem = format!("names {} layers by diff_id, but the manifest has {count}", diff_ids.len());
        return Err(Error::document(what, problem));
    }
    if count == 0 {
        return Err(Error::NoLayers { image: image.to_owned() });
    }
    let layer = |(diff_id, created_by): (&Digest, Option<String>)| Layer {
        digest: None,
        diff_id: Some(*diff_id),
        size: None,
        media_type: None,
        created_by,
    };
    Ok(diff_ids.iter().zip(config.created_by(count)).map(layer).collect())
}
