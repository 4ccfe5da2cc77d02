//! The image's layers: taken from the cache, or each read once and placed.

use std::fs::File;
use std::io::{self, ErrorKind};

use nex_cache::{Cache, Key, Shelf};
use nex_ext4::BLOCK_SIZE;
use nex_fault::whole;
use nex_image::{Instead, LayerReader, NoRoot, ReadAhead};

use super::stages::{Build, ext4_error};
use crate::error::Error;
use crate::layer::Entry;
use crate::layer_cache::{Chain, Copier, Expected, Facts, NewPlacedLayer, PlacedLayer, entries};
use crate::merge::MergeError;
use crate::place::{Output, PlaceCause, PlaceError, Placed, Rules, place_layer};
use crate::report::LayerReport;
use nex_tar::Error as TarError;

/// The cache as a build's layers use it.
pub struct LayerCache<'a> {
    cache: &'a Cache,
    /// The layers so far; `None` once there was one of which no digest is known before it is read.
    chain: Option<Chain>,
    copier: Option<Copier>,
    image: File,
}

impl<'a> LayerCache<'a> {
    /// For layers that go into `image`.
    ///
    /// # Errors
    /// When there is no descriptor to be had.
    pub fn new(cache: &'a Cache, build: &Build, image: &File) -> io::Result<Self> {
        let data_begins = build.writer.taken_end();
        let limits = (&build.options.limits, &build.options.image.limits);
        let chain = Chain::new(format!("data begins at {data_begins}, {limits:?}"));
        Ok(Self { cache, chain: Some(chain), copier: None, image: image.try_clone()? })
    }

    /// The layers that have to be read, because the cache does not have them placed.
    pub fn missing(&self, layers: &[nex_image::Layer]) -> Vec<usize> {
        let mut chain = self.chain.clone();
        let mut is_there = |layer| next_key(&mut chain, layer).is_some_and(|key| self.cache.has(Shelf::Layers, &key));
        let missing = layers.iter().enumerate().filter(|(_, layer)| !is_there(layer));
        missing.map(|(index, _)| index).collect()
    }

    /// Keeps a layer that is placed and written.
    fn keep(&mut self, layer: NewPlacedLayer, facts: &Facts) {
        let begun = layer.placed(facts).and_then(|placing| {
            let copier = match self.copier.take() {
                Some(copier) => copier,
                None => Copier::start(self.cache, &self.image)?,
            };
            self.copier.insert(copier).copy(placing);
            Ok(())
        });
        begun.unwrap_or_else(|error| self.cache.not_stored(&error));
    }

    /// Waits until the image may change where layers are.
    pub fn wait(&mut self) {
        if let Some(copier) = &mut self.copier {
            copier.wait();
        }
    }
}

/// The key of the next layer.
fn next_key(chain: &mut Option<Chain>, layer: &nex_image::Layer) -> Option<Key> {
    match (&mut *chain, &layer.diff_id) {
        (Some(chain), Some(diff_id)) => {
            chain.push(diff_id);
            chain.key()
        }
        _ => {
            *chain = None;
            None
        }
    }
}

impl Build<'_> {
    /// Takes the next layer from the cache, or places and keeps it. True when it was in the cache.
    ///
    /// # Errors
    /// When it cannot be read, an entry cannot be taken, or the output cannot be written.
    pub fn add_layer(
        &mut self,
        index: usize,
        mut cache: Option<&mut LayerCache>,
        ahead: &mut ReadAhead,
    ) -> Result<bool, Error> {
        let key = cache.as_mut().and_then(|cache| next_key(&mut cache.chain, &self.image.layers[index]));
        let (Some(cache), Some(key)) = (cache, key) else {
            self.place_layer(index, ahead, None)?;
            return Ok(false);
        };
        if let Some(layer) = self.cached_layer(index, cache, &key)
            && self.take_layer(index, &layer, cache, &key)?
        {
            return Ok(true);
        }
        let about = format!("layer {} of {}", index + 1, self.image.name);
        let mut new = NewPlacedLayer::begin(cache.cache, &key, &about);
        let facts = self.place_layer(index, ahead, new.as_mut())?;
        self.writer.flush().map_err(|error| ext4_error(self.options, error))?;
        // What lies past the size limit was only counted.
        if let Some(new) = new.filter(|_| !self.writer.is_past_limit()) {
            cache.keep(new, &facts);
        }
        Ok(false)
    }

    /// A layer that the cache has, as far as it can be told before it is taken.
    fn cached_layer(&self, index: usize, cache: &LayerCache, key: &Key) -> Option<PlacedLayer> {
        let (limits, image_limits) = (&self.options.limits, &self.options.image.limits);
        let tar_bytes = self.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.tar_bytes));
        let expected = Expected {
            start: self.writer.taken_end(),
            diff_id: self.image.layers[index].diff_id.as_ref()?,
            most: Placed {
                entries: limits.entries.saturating_sub(self.placed.entries),
                metadata: limits.metadata.saturating_sub(self.placed.metadata),
                ..Placed::default()
            },
            most_tar_bytes: image_limits.uncompressed_bytes.saturating_sub(tar_bytes),
        };
        PlacedLayer::get(cache.cache, key, &expected)
    }

    /// Takes a layer from the cache. False when that did not do; nothing has changed then.
    ///
    /// # Errors
    /// [`Error::Cached`] when the layer makes no sense, and else when the output cannot be written.
    fn take_layer(&mut self, index: usize, layer: &PlacedLayer, cache: &LayerCache, key: &Key) -> Result<bool, Error> {
        let PlacedLayer { facts, record, .. } = layer;
        let nonsense = |what: String| Error::Cached { shelf: Shelf::Layers, key: key.clone(), what };
        let limit = self.options.file_system.layout(self.options.size).size_limit;
        self.writer.flush().map_err(|error| ext4_error(self.options, error))?;
        if let Err(error) = layer.put_into(&cache.image, limit.map_or(u64::MAX, |size| size / BLOCK_SIZE)) {
            // Blocks of zeros are not written, and must not find others' bytes.
            let end = self.writer.taken_end() * BLOCK_SIZE;
            cache.image.set_len(end).map_err(|cause| self.options.output.error(cause))?;
            // Where the output has no room for it, the layer is none the worse.
            if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
                cache.cache.note(format!("layer {} could not be taken from the cache: {}", index + 1, whole(&error)));
            } else {
                cache.cache.discard(Shelf::Layers, key, &whole(&error));
            }
            return Ok(false);
        }
        self.writer.take_over(facts.blocks.end).map_err(|error| match error {
            error @ nex_ext4::Error::Io { .. } => ext4_error(self.options, error),
            error => nonsense(whole(&error)),
        })?;
        self.merge.start_layer();
        let mut applied = 0;
        for entry in entries(record, facts.blocks.clone()) {
            let entry = entry.map_err(|error| nonsense(whole(&error)))?;
            let path = entry.path.clone();
            let contradicts = |error: MergeError| nonsense(format!("'{}' {error}", path.as_bytes().escape_ascii()));
            self.merge.apply(entry).map_err(contradicts)?;
            applied += 1;
        }
        if applied != facts.recorded {
            return Err(nonsense(format!("it has {applied} entries, not {}", facts.recorded)));
        }
        self.placed.add(&facts.placed);
        self.image.skip_layer(facts.tar_bytes);
        self.report_layer(index, facts, true);
        Ok(true)
    }

    /// Reads the next layer and places it. All that the merge is told is taken down in `new`.
    fn place_layer(
        &mut self,
        index: usize,
        ahead: &mut ReadAhead,
        mut new: Option<&mut NewPlacedLayer>,
    ) -> Result<Facts, Error> {
        let mut reader = ahead.take(index)?.cancelled_by(&self.options.cancel);
        let is_plain = self.options.reference.is_root_filesystem();
        let rules = Rules { limits: self.options.limits, whiteouts: !is_plain };
        let (start, before) = (self.writer.taken_end(), self.placed);
        let Self { writer, merge, placed, .. } = self;
        let mut on_entry = |entry: &Entry| {
            if let Some(new) = &mut new {
                new.record.add(entry);
            }
        };
        let mut output = Output { writer, merge, placed, on_entry: &mut on_entry };
        if let Err(error) = place_layer(&mut reader, &mut output, &rules) {
            return Err(self.layer_error(index, reader, error));
        }
        let summary = reader.finish()?;
        let facts = Facts {
            blocks: start..self.writer.taken_end(),
            digest: summary.digest.to_string(),
            diff_id: summary.diff_id.to_string(),
            bytes: summary.compressed,
            tar_bytes: summary.uncompressed,
            placed: self.placed.since(&before),
            recorded: new.map_or(0, |new| new.record.entries()),
        };
        if is_plain && facts.placed.entries == 0 {
            let (name, compression) = (self.image.name.clone(), summary.compression);
            let no_root = NoRoot { name, found: Instead::NoEntries, compression };
            return Err(nex_image::Error::NoRoot(Box::new(no_root)).into());
        }
        self.report_layer(index, &facts, false);
        Ok(facts)
    }

    fn report_layer(&mut self, index: usize, facts: &Facts, cached: bool) {
        let layer = &self.image.layers[index];
        self.layers.push(LayerReport {
            // The same tar may have been in another blob when it was kept.
            digest: layer.digest.map_or_else(|| facts.digest.clone(), |digest| digest.to_string()),
            diff_id: facts.diff_id.clone(),
            bytes: layer.size.unwrap_or(facts.bytes),
            tar_bytes: facts.tar_bytes,
            entries: facts.placed.entries,
            cached,
            created_by: layer.created_by.clone(),
        });
    }

    /// A layer whose bytes are not what they should be is the cause of whatever else is wrong with it.
    fn layer_error(&self, index: usize, reader: LayerReader, error: PlaceError) -> Error {
        let PlaceError { at, cause } = error;
        let cause = match cause {
            PlaceCause::Tar(TarError::Read(cause)) => match cause.downcast::<nex_image::Error>() {
                Ok(error) => return error.into(),
                Err(cause) => PlaceCause::Tar(TarError::Read(cause)),
            },
            PlaceCause::Tar(cause) => match reader.finish() {
                Err(error) => return error.into(),
                Ok(_) => PlaceCause::Tar(cause),
            },
            PlaceCause::Output(error @ nex_ext4::Error::Io { .. }) => return ext4_error(self.options, error),
            cause => cause,
        };
        let layer = &self.image.layers[index];
        let digest = layer.known_by().map_or_else(String::new, |digest| format!(" ({digest})"));
        Error::Layer { number: index + 1, digest, entry: at, cause }
    }
}
