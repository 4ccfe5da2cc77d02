//! From a manifest to an image, the same for registries, layouts and archives: they differ only in where blobs are.

use std::io::Read;
use std::sync::Arc;

use super::{Ahead, Blob, Expected, OpenBlob, read_document};
use crate::config::Config;
use crate::digest::Digest;
use crate::document::{Descriptor, Document, Manifest};
use crate::error::{Error, Mismatch};
use crate::image::{Found, Image, Options};
use crate::layer::Layer;

/// Indexes inside indexes, at most.
const MAX_DEPTH: usize = 2;

/// A place that has blobs by their digests. It need not be trusted: everything is verified here.
pub(super) trait BlobStore: Send + Sync {
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
    pub store: Arc<dyn BlobStore>,
    /// The image's canonical reference.
    pub name: &'a str,
    pub options: &'a Options,
}

impl Resolver<'_> {
    /// Chooses among descriptors by platform, and follows the one chosen.
    pub(super) fn choose(&self, candidates: &[Descriptor]) -> Result<Image, Error> {
        self.choose_at(candidates, 0)
    }

    /// Goes on from a first document that was found by its tag.
    pub(super) fn document(&self, media_type: Option<&str>, content: &[u8], digest: Digest) -> Result<Image, Error> {
        self.document_at(media_type, content, digest, 0)
    }

    fn choose_at(&self, candidates: &[Descriptor], depth: usize) -> Result<Image, Error> {
        let wanted = &self.options.platform;
        let images: Vec<&Descriptor> = candidates.iter().filter(|descriptor| descriptor.may_be_image()).collect();
        if let [descriptor] = images.as_slice()
            && descriptor.platform().is_none()
        {
            return self.follow(descriptor, depth);
        }
        let mut best: Option<(u32, &Descriptor)> = None;
        for descriptor in &images {
            let score = descriptor.platform().and_then(|offered| wanted.suits(&offered));
            // Of equals the first one wins.
            if let Some(score) = score.filter(|&score| best.is_none_or(|(so_far, _)| score > so_far)) {
                best = Some((score, descriptor));
            }
        }
        match best {
            Some((_, descriptor)) => self.follow(descriptor, depth),
            None => Err(Error::NoSuchPlatform {
                image: self.name.to_owned(),
                wanted: wanted.clone(),
                available: images.iter().filter_map(|descriptor| descriptor.platform()).collect(),
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
        let (config, diff_ids) = Config::parse(&what, &content)?;
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
