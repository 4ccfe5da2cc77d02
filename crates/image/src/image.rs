//! An image that has been found: its config, and the layers to be read.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nex_registry::Digest;

use crate::blob::{Ahead, Expected, OpenBlob};
use crate::blob_cache::BlobCache;
use crate::config::Config;
use crate::error::{Error, LayerError};
use crate::installed::ImageDirectories;
use crate::layer::Layer;
use crate::layer_stream::{Job, LayerReader};
use crate::limits::Limits;
use crate::platform::Platform;
use crate::progress::Progress;

/// How images are looked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the image must run on.
    pub platform: Platform,
    /// Whether registries must not be asked.
    pub offline: bool,
    /// How registries are reached.
    pub registry: nex_registry::Options,
    /// What an image may ask for.
    pub limits: Limits,
    /// The cache of what registries send.
    pub cache: Option<Arc<dyn BlobCache>>,
    /// The directory in which layers that are not cached wait for their turns, in files without names.
    pub aside: Option<PathBuf>,
    /// Where the images are that are installed on this machine.
    pub installed: ImageDirectories,
}

/// An image.
pub struct Image {
    /// The reference, with all defaults spelt out.
    pub name: String,
    /// Its name at the mirror that has given it, if that was one.
    pub mirror: Option<String>,
    /// Its file, if it is installed on this machine.
    pub installed: Option<PathBuf>,
    /// The digest of the manifest for the platform; `None` where there is no manifest.
    pub manifest_digest: Option<Digest>,
    /// What the image says it runs on, or else the platform asked for.
    pub platform: Platform,
    /// What to run in it.
    pub config: Config,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    blobs: Vec<OpenBlob>,
    /// Who is told of layers before they are read.
    ahead: Option<Arc<dyn Ahead>>,
    limits: Limits,
    /// Decompressed bytes of all layers that were taken so far.
    unpacked: Arc<AtomicU64>,
}

/// What a source found.
pub(crate) struct Found {
    pub name: String,
    pub manifest_digest: Option<Digest>,
    pub config: Config,
    pub layers: Vec<(Layer, OpenBlob)>,
}

impl Image {
    /// Checks what a source found against what was asked for.
    pub(crate) fn new(found: Found, options: &Options) -> Result<Image, Error> {
        let Found { name, manifest_digest, config, layers } = found;
        let platform = config.platform().unwrap_or_else(|| options.platform.clone());
        if options.platform.suits(&platform).is_none() {
            let wanted = options.platform.clone();
            return Err(Error::NoSuchPlatform { image: name, wanted, available: vec![platform] });
        }
        if layers.len() > options.limits.layers {
            let limit = options.limits.layers as u64;
            return Err(Error::Limit { what: format!("{name} with {} layers", layers.len()), limit, unit: "layers" });
        }
        let (layers, blobs) = layers.into_iter().unzip();
        let (limits, unpacked) = (options.limits.clone(), Arc::default());
        Ok(Image {
            name,
            mirror: None,
            installed: None,
            manifest_digest,
            platform,
            config,
            layers,
            blobs,
            ahead: None,
            limits,
            unpacked,
        })
    }

    /// The same image, whose layers can be on their way before they are read.
    pub(crate) fn ahead_by(self, ahead: Option<Arc<dyn Ahead>>) -> Image {
        Image { ahead, ..self }
    }

    /// Says which layers will be read, in this order, 0 being the lowest: those of a registry are then on their way, several
    /// at once. Without it, each begins when it is opened.
    pub(crate) fn expect(&self, layers: &[usize]) {
        let Some(ahead) = &self.ahead else { return };
        let expected = layers.iter().filter_map(|&index| {
            let layer = self.layers.get(index)?;
            Some(Expected { index, digest: layer.digest?, size: layer.size? })
        });
        ahead.expect(&expected.collect::<Vec<_>>());
    }

    /// Counts a layer that the caller has already, of so many decompressed bytes: the limit on all of them holds for the rest.
    pub fn skip_layer(&self, uncompressed: u64) {
        self.unpacked.fetch_add(uncompressed, Ordering::Relaxed);
    }

    /// Starts to read layer `index`, 0 being the lowest. Each may be opened once, and should be in order.
    ///
    /// # Errors
    /// When there is no such layer, or its blob cannot be opened.
    pub fn open_layer(&self, index: usize, progress: Arc<dyn Progress>) -> Result<LayerReader, Error> {
        self.take_turn(index);
        self.start_layer(index, progress)
    }

    /// Says that a layer is waited for from now on.
    pub(crate) fn take_turn(&self, index: usize) {
        if let Some(ahead) = &self.ahead {
            ahead.take_turn(index);
        }
    }

    /// Starts to read a layer, in its turn or ahead of it.
    pub(crate) fn start_layer(&self, index: usize, progress: Arc<dyn Progress>) -> Result<LayerReader, Error> {
        let (Some(layer), Some(open)) = (self.layers.get(index), self.blobs.get(index)) else {
            return Err(Error::Layer {
                index,
                digest: None,
                problem: LayerError::NoSuchLayer { layers: self.layers.len() },
            });
        };
        let root = (layer.digest.is_none() && layer.diff_id.is_none()).then(|| self.name.clone());
        let (limits, unpacked) = (self.limits.clone(), Arc::clone(&self.unpacked));
        LayerReader::start(open()?, Job { index, layer: layer.clone(), root, limits, unpacked, progress })
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("name", &self.name)
            .field("manifest_digest", &self.manifest_digest)
            .field("platform", &self.platform)
            .field("layers", &self.layers)
            .finish_non_exhaustive()
    }
}
