//! Layers in order: while one is read, the next ones are decompressed and hashed already.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use crate::error::Error;
use crate::image::Image;
use crate::layer_stream::LayerReader;
use crate::progress::Progress;

/// Layers ahead at the most: each one's buffers take some MiB, and its reader a few threads.
const MOST_AHEAD: usize = 3;

/// Some of an image's layers, each to be taken in its turn.
///
/// Those ahead of their turn fill their buffers and then wait, so that memory stays bounded. What fails ahead is told in turn:
/// the error is that of the lowest layer that has one. One that cannot even begin ahead, as for want of threads, begins in its
/// turn.
pub struct ReadAhead<'a> {
    image: &'a Image,
    progress: Arc<dyn Progress>,
    /// Not begun yet, the lowest first.
    waiting: VecDeque<usize>,
    begun: VecDeque<(usize, LayerReader)>,
    most: usize,
}

impl<'a> ReadAhead<'a> {
    /// For these layers, 0 being the lowest, which will be taken in this order. Those of a registry are on their way from now on,
    /// several at once.
    pub fn new(image: &'a Image, layers: &[usize], progress: Arc<dyn Progress>) -> ReadAhead<'a> {
        image.expect(layers);
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let waiting = layers.iter().copied().collect();
        ReadAhead { image, progress, waiting, begun: VecDeque::new(), most: processors.min(MOST_AHEAD) }
    }

    /// Gives the reader of a layer, and begins with those after it. Layers below that were not taken are given up.
    ///
    /// # Errors
    /// When the layer cannot be opened.
    pub fn take(&mut self, index: usize) -> Result<LayerReader, Error> {
        self.begun.retain(|(begun, _)| *begun >= index);
        self.waiting.retain(|waiting| *waiting > index);
        self.image.take_turn(index);
        let reader = match self.begun.front() {
            Some((begun, _)) if *begun == index => self.begun.pop_front().map(|(_, reader)| reader),
            _ => None,
        };
        let reader = reader.map_or_else(|| self.start(index), Ok)?;
        while self.begun.len() < self.most
            && let Some(&next) = self.waiting.front()
            && let Ok(ahead) = self.start(next)
        {
            self.waiting.pop_front();
            self.begun.push_back((next, ahead));
        }
        Ok(reader)
    }

    fn start(&self, index: usize) -> Result<LayerReader, Error> {
        self.image.start_layer(index, Arc::clone(&self.progress))
    }
}
