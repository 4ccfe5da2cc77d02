//! The verified layer stream.
//!
//! Each stage is a thread of its own, and hands full buffers to the next one through a bounded pipe:
//!
//! ```text
//! blob source ─> [read, hash the blob] ─> [decompress] ─> [hash the tar] ─> LayerReader
//!                 read.rs                  decompress.rs    tar_hash.rs      (the caller's thread)
//! ```
//!
//! A stage that fails sends its error instead of more data, so it surfaces in order at the reader. A reader that goes
//! away closes the pipes, and each stage ends at its next buffer.

pub(crate) mod budget;
mod decompress;
mod job;
mod read;
mod tar_hash;

use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nex_cancel::Cancel;

use crate::blob::Blob;
use crate::error::{Error, LayerError};
use crate::layer::LayerDigest;
use crate::pipe::PipeReader;
use crate::progress::Progress;

pub(crate) use self::job::Job;
pub use self::job::LayerSummary;

/// A layer's tar, decompressed, in large pieces: `fill_buf` lends the pipeline's own buffers.
///
/// The end of the stream is only reported when size, blob digest and diff_id are right; otherwise the last read fails.
/// An `io::Error` from here carries an [`enum@Error`].
pub struct LayerReader {
    index: usize,
    /// What errors know the layer by.
    digest: Option<LayerDigest>,
    progress: Arc<dyn Progress>,
    tar: PipeReader<LayerSummary>,
    total: Total,
}

/// Counts what is taken of all layers, in their order, against the limit on all of them.
struct Total {
    unpacked: Arc<AtomicU64>,
    limit: u64,
}

impl Total {
    fn check(&self) -> Result<(), LayerError> {
        let limit = self.limit;
        if self.unpacked.load(Ordering::Relaxed) > limit { Err(LayerError::TooManyBytes { limit }) } else { Ok(()) }
    }
}

impl LayerReader {
    /// Starts the stages.
    pub(crate) fn start(blob: Box<dyn Blob>, job: Job) -> Result<LayerReader, Error> {
        let (index, progress) = (job.index, Arc::clone(&job.progress));
        progress.layer_started(index, job.layer.size);
        let diff_id = job.layer.diff_id;
        let digest = job.layer.known_by();
        let tar = read::start(blob, &job)
            .and_then(|blob| decompress::start(blob, &job))
            .and_then(|tar| tar_hash::start(tar, diff_id))
            .map_err(|problem| Error::layer(index, digest, problem))?;
        let total = Total { unpacked: job.unpacked, limit: job.limits.uncompressed_bytes };
        Ok(LayerReader { index, digest, progress, tar, total })
    }

    /// The same, which fails once this is cancelled.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: &Cancel) -> Self {
        self.tar.fail_at(cancel.clone());
        self
    }

    /// Reads what is left, and gives the layer's facts once all of them are checked.
    pub fn finish(mut self) -> Result<LayerSummary, Error> {
        let (index, digest) = (self.index, self.digest);
        let failed = |problem| Error::layer(index, digest, problem);
        loop {
            let rest = self.piece().map_err(failed)?.len();
            if rest == 0 {
                break;
            }
            self.consume(rest);
        }
        let summary = self.tar.end().cloned().ok_or(LayerError::StageDied { stage: "verify" }).map_err(failed)?;
        self.progress.layer_finished(self.index);
        Ok(summary)
    }

    fn piece(&mut self) -> Result<&[u8], LayerError> {
        self.total.check()?;
        self.tar.piece()
    }
}

impl BufRead for LayerReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (index, digest) = (self.index, self.digest);
        self.piece().map_err(|problem| io::Error::other(Error::layer(index, digest, problem)))
    }

    fn consume(&mut self, amount: usize) {
        self.total.unpacked.fetch_add(amount as u64, Ordering::Relaxed);
        self.tar.consume(amount);
    }
}

impl Read for LayerReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let length = piece.len().min(out.len());
        out[..length].copy_from_slice(&piece[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl fmt::Debug for LayerReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayerReader").field("index", &self.index).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
