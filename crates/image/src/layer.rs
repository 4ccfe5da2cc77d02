//! The verified layer stream.
//!
//! Each stage is a thread of its own, and hands full buffers to the next one through a bounded pipe:
//!
//! ```text
//! blob source ─> [read, hash the blob] ─> [decompress] ─> [hash the tar] ─> LayerReader
//!                 blob.rs                  decompress.rs    tar_hash.rs      (the caller's thread)
//! ```
//!
//! A stage that fails sends its error instead of more data, so it surfaces in order at the reader. A reader that goes
//! away closes the pipes, and each stage ends at its next buffer.

mod blob;
pub(crate) mod decoder;
mod decompress;
mod gzip;
pub(crate) mod pipe;
mod tar_hash;

use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nex_cancel::Cancel;
use nex_text::short_digest;

use self::pipe::PipeReader;
use crate::digest::Digest;
use crate::error::{Error, LayerError};
use crate::limits::Limits;
use crate::progress::Progress;
use crate::source::Blob;

/// How a blob is compressed. Found by looking at its first bytes; the media type is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar.
    None,
    /// RFC 1952, one or several members.
    Gzip,
    /// RFC 8878, one or several frames.
    Zstd,
    /// The .xz file format, one or several streams; of root filesystems only, as layers of images never have it.
    Xz,
}

impl Compression {
    /// How something is compressed that begins so. `None` for what is not compressed, or in a way that no decompressor here undoes.
    pub fn of(start: &[u8]) -> Option<Self> {
        use nex_file::kind::{Format, compression};
        match compression(start)? {
            Format::Gzip => Some(Self::Gzip),
            Format::Zstd => Some(Self::Zstd),
            Format::Xz => Some(Self::Xz),
            _ => None,
        }
    }

    /// Whether archives of images, and layers in them, are read that are compressed so.
    pub fn packs_archives(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "uncompressed",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Xz => "xz",
        })
    }
}

/// One layer, as the manifest and the config describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of the blob; `None` where no manifest says it.
    pub digest: Option<Digest>,
    /// The digest of the tar inside the blob.
    pub diff_id: Option<Digest>,
    /// Bytes of the blob, if known before it is read.
    pub size: Option<u64>,
    /// The media type that the manifest gives.
    pub media_type: Option<String>,
    /// The build step that made it, from the config's history.
    pub created_by: Option<String>,
}

/// What a message knows a layer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerDigest {
    /// The digest of its blob.
    Blob(Digest),
    /// The digest of its tar, where no manifest says that of its blob.
    DiffId(Digest),
}

impl Layer {
    /// What a message knows it by; `None` before it is read where nothing is promised about it.
    pub fn known_by(&self) -> Option<LayerDigest> {
        self.digest.map(LayerDigest::Blob).or(self.diff_id.map(LayerDigest::DiffId))
    }
}

impl fmt::Display for LayerDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerDigest::Blob(digest) => f.write_str(&short_digest(&digest.to_string())),
            LayerDigest::DiffId(digest) => write!(f, "diff id {}", short_digest(&digest.to_string())),
        }
    }
}

/// What a layer turned out to be, after all of it was read and every promise was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerSummary {
    /// The digest of the blob.
    pub digest: Digest,
    /// The digest of the tar.
    pub diff_id: Digest,
    /// Bytes of the blob.
    pub compressed: u64,
    /// Bytes of the tar.
    pub uncompressed: u64,
    /// How the blob is compressed.
    pub compression: Compression,
}

/// What the pipeline needs to know about a layer.
pub(crate) struct Job {
    /// The layer's place in the image, for errors and progress.
    pub index: usize,
    pub layer: Layer,
    /// What messages call it, where it is a root filesystem and no layer of an image.
    pub root: Option<String>,
    pub limits: Limits,
    /// Decompressed bytes of all layers of the image that were taken so far.
    pub unpacked: Arc<AtomicU64>,
    pub progress: Arc<dyn Progress>,
}

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
        let tar = blob::start(blob, &job)
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
