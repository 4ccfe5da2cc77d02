//! The end of a build: what the image is called follows from what went into it, and all metadata is written.

use std::io;

use super::stages::{Build, ext4_error, image_config};
use crate::error::{Error, TooSmall, largest};
use crate::identity::Identity;
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

    /// Everything that decides a byte of the image.
    fn identity(&self) -> Identity {
        let inputs = [
            self.image.platform.to_string(),
            self.agent.report.sha256.clone(),
            self.time.seconds.to_string(),
            format!("{:?}", self.options.size),
            format!("{:?}", self.options.guest),
            format!("{:?}", image_config(&self.image.config)),
        ];
        let diff_ids = self.layers.iter().map(|layer| &layer.diff_id);
        let file_system = self.options.file_system.identity();
        let script = &self.script_digest;
        let boot_script = self.options.boot_script.as_ref().map(|script| format!("boot script {:?}", script.content));
        let inputs = inputs.iter().chain(diff_ids).chain(&file_system).chain(script).chain(&boot_script);
        Identity::of(inputs.map(String::as_str))
    }

    /// Writes the metadata.
    ///
    /// # Errors
    /// When the content does not fit, or the output cannot be written.
    pub fn finish(self) -> Result<(nex_ext4::Report, Vec<LayerReport>, Identity), Error> {
        let file_system = &self.options.file_system;
        let derived = self.identity();
        let identity = Identity { uuid: file_system.uuid.unwrap_or(derived.uuid), ..derived };
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
