//! How the finished image becomes the output: one pass over its bytes copies, compresses and hashes them.

use std::io::{self, Write};
use std::path::Path;

use flate2::write::GzEncoder;

use super::chunks::for_each_piece;
use super::destination::{Compression, Destination};
use super::error::OutputError;
use super::hashed::Hashed;
use super::unfinished::Unfinished;
use crate::events::Events;

/// The level of zstd's own command line.
const ZSTD_LEVEL: i32 = 3;

/// The finished image, and what is wanted of it.
pub struct Publication<'a> {
    /// The image.
    pub image: Unfinished,
    /// Whether the output's SHA-256 is wanted.
    pub digest: bool,
    /// Is told how far it is.
    pub events: &'a dyn Events,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The SHA-256 of the output's bytes (of the compressed ones, if it is compressed), in hex, if it was wanted.
    pub sha256: Option<String>,
    /// The output's length in bytes.
    pub bytes: u64,
}

impl Publication<'_> {
    /// Turns the image into the output.
    ///
    /// # Errors
    /// When the disk or the reader of standard output fails; a file output is then as it was before.
    pub fn publish(self, destination: &Destination) -> Result<Published, OutputError> {
        match destination {
            Destination::Stdout => self.copy(&mut io::stdout().lock()),
            Destination::File { path, compression: Compression::None } => self.publish_plain(path),
            Destination::File { path, compression } => self.compress(destination.create()?, path, *compression),
        }
        .map_err(|cause| destination.error(cause))
    }

    /// The disk writes while the processor hashes.
    fn publish_plain(self, path: &Path) -> io::Result<Published> {
        if !self.digest {
            let bytes = self.image.file().metadata()?.len();
            self.image.publish(path)?;
            return Ok(Published { sha256: None, bytes });
        }
        let published = std::thread::scope(|scope| {
            let sync = scope.spawn(|| self.image.file().sync_all());
            let published = self.copy(&mut io::sink())?;
            sync.join().map_err(|_| io::Error::other("the thread that syncs the output failed"))??;
            io::Result::Ok(published)
        })?;
        self.image.publish(path)?;
        Ok(published)
    }

    fn compress(self, compressed: Unfinished, path: &Path, compression: Compression) -> io::Result<Published> {
        let published = match compression {
            Compression::None => self.copy(&mut compressed.file())?,
            Compression::Gzip => {
                let mut output = Hashed::new(compressed.file(), self.digest);
                let mut encoder = GzEncoder::new(&mut output, flate2::Compression::default());
                self.copy_bytes(&mut encoder)?;
                encoder.finish()?;
                output.finish()
            }
            Compression::Zstd => {
                let mut output = Hashed::new(compressed.file(), self.digest);
                let mut encoder = zstd::Encoder::new(&mut output, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                self.copy_bytes(&mut encoder)?;
                encoder.finish()?;
                output.finish()
            }
        };
        compressed.publish(path)?;
        Ok(published)
    }

    /// Copies the whole image, holes as zeros, and hashes it on the way.
    fn copy(&self, output: &mut impl Write) -> io::Result<Published> {
        let mut output = Hashed::new(output, self.digest);
        self.copy_bytes(&mut output)?;
        output.flush()?;
        Ok(output.finish())
    }

    fn copy_bytes(&self, output: &mut impl Write) -> io::Result<()> {
        let length = self.image.file().metadata()?.len();
        self.events.output_started(length);
        let mut done = 0;
        for_each_piece(self.image.file(), 0..length, |piece| {
            output.write_all(piece.bytes())?;
            done += piece.bytes().len() as u64;
            self.events.output_advanced(done);
            io::Result::Ok(())
        })?;
        self.events.output_finished();
        Ok(())
    }
}
