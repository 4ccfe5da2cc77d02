//! Copies layers into the cache while the build goes on: a thread takes their blocks out of the image, and makes entries of them.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nex_cache::Cache;

use super::placed_layer::Placing;

/// A thread that copies layers into the cache. Dropped, it still copies those that it was given.
pub struct Copier {
    layers: Option<Sender<Placing>>,
    /// One word for each layer whose blocks are copied.
    copied: Receiver<()>,
    /// Layers that were given and not copied yet.
    pending: usize,
    thread: Option<JoinHandle<()>>,
}

impl Copier {
    /// Starts for an image that is being made.
    ///
    /// # Errors
    /// When there is no descriptor or no thread to be had.
    pub fn start(cache: &Cache, image: &File) -> io::Result<Self> {
        let (cache, image) = (cache.clone(), image.try_clone()?);
        let (layers, given) = channel::<Placing>();
        let (word, copied) = channel();
        let thread = std::thread::Builder::new().name("copy layers".into()).spawn(move || {
            for layer in given {
                let entry = layer.copy(&cache, &image);
                // Whoever is gone does not wait.
                let _ = word.send(());
                match entry {
                    Ok(entry) => cache.publish(entry),
                    Err(error) => cache.not_stored(&error),
                }
            }
        })?;
        Ok(Self { layers: Some(layers), copied, pending: 0, thread: Some(thread) })
    }

    /// Copies a layer, whose blocks must stay as they are until [`wait`](Self::wait) comes back.
    pub fn copy(&mut self, layer: Placing) {
        if self.layers.as_ref().is_some_and(|layers| layers.send(layer).is_ok()) {
            self.pending += 1;
        }
    }

    /// Waits until the blocks of all layers are copied.
    pub fn wait(&mut self) {
        for _ in 0..std::mem::take(&mut self.pending) {
            if self.copied.recv().is_err() {
                return;
            }
        }
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        self.layers = None;
        // A thread that failed has kept less, and that is all.
        drop(self.thread.take().map(JoinHandle::join));
    }
}
