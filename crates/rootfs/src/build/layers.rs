//! The image's layers, each read once and placed.

use std::sync::Arc;

use nex_image::{LayerReader, Progress, Reference};

use super::stages::{Build, ext4_error};
use crate::error::Error;
use crate::layer::TarError;
use crate::place::{PlaceCause, PlaceError, Rules, place_layer};
use crate::report::LayerReport;

impl Build<'_> {
    /// Places the next layer.
    ///
    /// # Errors
    /// When it cannot be read, an entry cannot be taken, or the output cannot be written.
    pub fn place_layer(&mut self, index: usize, progress: Arc<dyn Progress>) -> Result<(), Error> {
        let mut reader = self.image.open_layer(index, progress)?;
        let is_plain = matches!(self.options.reference, Reference::Tar(_) | Reference::Directory(_));
        let rules = Rules { limits: self.options.limits, whiteouts: !is_plain };
        let result = place_layer(&mut reader, &mut self.writer, &mut self.merge, &mut self.placed, &rules);
        let entries = match result {
            Ok(entries) => entries,
            Err(error) => return Err(self.layer_error(index, reader, error)),
        };
        let summary = reader.finish()?;
        self.layers.push(LayerReport {
            digest: summary.digest.to_string(),
            diff_id: summary.diff_id.to_string(),
            bytes: summary.compressed,
            tar_bytes: summary.uncompressed,
            entries,
            created_by: self.image.layers[index].created_by.clone(),
        });
        Ok(())
    }

    /// A layer whose bytes are not what they should be is the cause of whatever else is wrong with it.
    fn layer_error(&self, index: usize, reader: LayerReader, error: PlaceError) -> Error {
        let PlaceError { number, path, cause } = error;
        let cause = match cause {
            PlaceCause::Tar(TarError::Read(cause)) => match cause.downcast::<nex_image::Error>() {
                Ok(error) => return Error::Image(error),
                Err(cause) => PlaceCause::Tar(TarError::Read(cause)),
            },
            PlaceCause::Tar(cause) => match reader.finish() {
                Err(error) => return Error::Image(error),
                Ok(_) => PlaceCause::Tar(cause),
            },
            PlaceCause::Output(error @ nex_ext4::Error::Io { .. }) => return ext4_error(self.options, error),
            cause => cause,
        };
        let layer = &self.image.layers[index];
        let digest =
            layer.digest.as_ref().or(layer.diff_id.as_ref()).map_or_else(String::new, |digest| format!(" ({digest})"));
        Error::Layer { number: index + 1, digest, cause: PlaceError { number, path, cause } }
    }
}
