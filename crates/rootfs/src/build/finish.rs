//! The end of a build: what the image is called follows from what went into it, and all metadata is written.

use std::io;

use super::stages::{Build, ext4_error};
use crate::error::{Error, TooSmall, largest};
use crate::identity::{Base, Identity};
use crate::report::LayerReport;
use crate::usage::{TreeUsage, largest_directories, largest_layers};

impl Build<'_> {
    /// The error that finishing would give, if it is that the content does not fit.
    pub fn too_small(self) -> Option<Error> {
        self.finish().err().filter(|error| matches!(error, Error::TooSmall(_)))
    }

    /// The error for content past the size, which was only counted.
    pub fn no_room(self) -> Error {
        let output = &self.options.output;
        self.too_small().unwrap_or_else(|| Error::Output(output.error(io::ErrorKind::StorageFull.into())))
    }

    /// The numbers of the file system: those that the user named, or else its base's.
    fn identity(&self) -> Identity {
        let file_system = &self.options.file_system;
        if let Some(uuid) = file_system.uuid {
            return Identity::named(uuid);
        }
        let diff_ids: Vec<_> = self.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let platform = self.image.platform.to_string();
        Identity::of(&Base { platform: &platform, diff_ids: &diff_ids, size: self.options.size, file_system })
    }

    /// Writes the metadata.
    ///
    /// # Errors
    /// When the content does not fit, or the output cannot be written.
    pub fn finish(self) -> Result<(nex_ext4::Report, Vec<LayerReport>, Identity), Error> {
        let file_system = &self.options.file_system;
        let identity = self.identity();
        let options = nex_ext4::Options {
            sizes: file_system.sizes(self.options.size),
            uuid: identity.uuid.into_bytes(),
            hash_seed: identity.hash_seed,
            label: file_system.label,
            time: self.time.seconds,
        };
        let tree = self.merge.into_tree();
        match self.writer.finish(&tree, &options) {
            Ok((_, report)) => Ok((report, self.layers, identity)),
            Err(nex_ext4::Error::TooSmall { needed, size }) => {
                let usage = TreeUsage::of(&tree);
                Err(Error::TooSmall(Box::new(TooSmall {
                    needed,
                    size,
                    content: usage.blocks * nex_ext4::BLOCK_SIZE,
                    inodes: usage.inodes.max(file_system.inodes.unwrap_or(0)),
                    journal: file_system.journal_bytes(),
                    deleted: self.placed.blocks.saturating_sub(usage.blocks) * nex_ext4::BLOCK_SIZE,
                    largest: largest(&largest_directories(&tree), &largest_layers(&self.layers)),
                })))
            }
            Err(error) => Err(ext4_error(self.options, error)),
        }
    }
}
