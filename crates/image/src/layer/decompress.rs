//! The second stage: finds out how the blob is compressed, and undoes it.

use std::io::{self, BufRead, Read};

use super::blob::BlobFacts;
use super::gzip::GzipReader;
use super::pipe::{PipeReader, PipeWriter, Pool, Stop, spawn_stage};
use super::{Compression, Job};
use crate::error::LayerError;
use crate::limits::{Limits, ZSTD_WINDOW_LOG};

const BUFFER_BYTES: usize = 512 << 10;
const BUFFERS: usize = 8;

/// Bytes of a tar header.
const TAR_BLOCK: usize = 512;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The magic numbers of zstd's skippable frames end so, and begin with 0x50 to 0x5f.
const ZSTD_SKIPPABLE_MAGIC: &[u8] = &[0x2a, 0x4d, 0x18];

/// What else people might hand over, by its first bytes.
const OTHER_FORMS: [(&[u8], &str); 7] = [
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"\x04\x22\x4d\x18", "compressed by lz4"),
    (b"PK\x03\x04", "a zip archive"),
    (b"hsqs", "a squashfs image"),
    (b"{", "a JSON document"),
    (b"<", "an HTML or XML document"),
];

/// What is known when all is decompressed.
#[derive(Clone, Copy)]
pub(super) struct TarFacts {
    pub blob: BlobFacts,
    pub bytes: u64,
    pub compression: Compression,
}

/// Starts the stage.
pub(super) fn start(mut blob: PipeReader<BlobFacts>, job: &Job) -> Result<PipeReader<TarFacts>, LayerError> {
    let mut budget = Budget { limits: job.limits.clone(), here: 0 };
    let is_promised = job.layer.digest.is_some();
    spawn_stage("decompress", BUFFERS, move |pipe| match unpack(&mut blob, &mut budget, pipe) {
        Ok(compression) => finish(&mut blob, budget.here, compression),
        Err(Stop::Failed(error)) if is_promised && error.is_of_content() => Err(blame(&mut blob, error)),
        Err(stop) => Err(stop),
    })
}

/// Decompresses all of the blob into the pipe.
fn unpack(
    blob: &mut PipeReader<BlobFacts>,
    budget: &mut Budget,
    pipe: &PipeWriter<TarFacts>,
) -> Result<Compression, Stop> {
    let pool = Pool::new(BUFFERS, BUFFER_BYTES);
    let compression = detect(blob.piece()?)?;
    let mut source = Counted { inner: blob, bytes: 0 };
    let mut tar = decoder(&mut source, compression)?;
    loop {
        let mut buffer = pool.take();
        let read = buffer.fill(&mut tar).map_err(|error| failure(error, compression))?;
        if read == 0 {
            return Ok(compression);
        }
        budget.spend(read as u64, tar.compressed_bytes())?;
        pipe.send(buffer)?;
    }
}

/// Why the content is bad: if the blob is not the promised one, that says more than where a decompressor stumbled.
fn blame(blob: &mut PipeReader<BlobFacts>, error: LayerError) -> Stop {
    loop {
        match blob.next_piece() {
            Ok(Some(_)) => {}
            Ok(None) => return Stop::Failed(error),
            Err(earlier) => return Stop::Failed(earlier),
        }
    }
}

/// All compressed data is read; what the first stage thinks of it is not yet known.
fn finish(blob: &mut PipeReader<BlobFacts>, bytes: u64, compression: Compression) -> Result<TarFacts, Stop> {
    if !blob.piece()?.is_empty() {
        return Err(Stop::Failed(LayerError::TrailingGarbage { compression }));
    }
    let facts = *blob.end().ok_or(LayerError::StageDied { stage: "read" })?;
    Ok(TarFacts { blob: facts, bytes, compression })
}

/// Counts what the decoder takes, for the ratio.
struct Counted<'a> {
    inner: &'a mut PipeReader<BlobFacts>,
    bytes: u64,
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes += amount as u64;
        self.inner.consume(amount);
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// A decompressor over the counted blob. Replacing one means one more arm here.
enum Decoder<'a, 'b> {
    Plain(&'a mut Counted<'b>),
    Gzip(GzipReader<&'a mut Counted<'b>>),
    Zstd(Box<zstd::Decoder<'static, &'a mut Counted<'b>>>),
}

fn decoder<'a, 'b>(blob: &'a mut Counted<'b>, compression: Compression) -> Result<Decoder<'a, 'b>, LayerError> {
    Ok(match compression {
        Compression::None => Decoder::Plain(blob),
        Compression::Gzip => Decoder::Gzip(GzipReader::new(blob)),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(blob).map_err(LayerError::Read)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(LayerError::Read)?;
            Decoder::Zstd(Box::new(decoder))
        }
    })
}

impl Decoder<'_, '_> {
    /// Bytes of the blob taken so far.
    fn compressed_bytes(&self) -> u64 {
        match self {
            Decoder::Plain(blob) => blob.bytes,
            Decoder::Gzip(reader) => reader.get_ref().bytes,
            Decoder::Zstd(decoder) => decoder.get_ref().bytes,
        }
    }
}

impl Read for Decoder<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(blob) => blob.read(out),
            Decoder::Gzip(reader) => reader.read(out),
            Decoder::Zstd(decoder) => decoder.read(out),
        }
    }
}

/// Counts the decompressed bytes against the limit on how much a blob may grow.
struct Budget {
    limits: Limits,
    /// Bytes of this layer.
    here: u64,
}

impl Budget {
    fn spend(&mut self, bytes: u64, compressed: u64) -> Result<(), LayerError> {
        self.here += bytes;
        if self.here > self.limits.ratio_free_bytes && self.here > compressed.saturating_mul(self.limits.ratio) {
            return Err(LayerError::Ratio { limit: self.limits.ratio });
        }
        Ok(())
    }
}

/// Says by a blob's first piece how it is compressed. An empty blob is an empty tar, as for GNU tar.
fn detect(start: &[u8]) -> Result<Compression, LayerError> {
    let is_skippable = matches!(start, [0x50..=0x5f, rest @ ..] if rest.starts_with(ZSTD_SKIPPABLE_MAGIC));
    if start.starts_with(GZIP_MAGIC) {
        Ok(Compression::Gzip)
    } else if start.starts_with(ZSTD_MAGIC) || is_skippable {
        Ok(Compression::Zstd)
    } else if start.is_empty() || start.get(..TAR_BLOCK).is_some_and(is_tar_block) {
        Ok(Compression::None)
    } else {
        let known = OTHER_FORMS.iter().find(|(magic, _)| start.starts_with(magic));
        Err(LayerError::NotALayer { found: known.map_or("of an unknown form", |&(_, name)| name) })
    }
}

/// Whether a tar may begin so: with the two zero blocks of its end, or with a header whose checksum is right.
fn is_tar_block(block: &[u8]) -> bool {
    block.iter().all(|&byte| byte == 0)
        || tar_core::Header::from_bytes(block.first_chunk::<TAR_BLOCK>().expect("a whole block"))
            .verify_checksum()
            .is_ok()
}

/// Tells the errors of the earlier stage, which pass through the decoder, from the decoder's own.
fn failure(error: io::Error, compression: Compression) -> LayerError {
    let own = error.get_ref().is_none_or(|inner| !inner.is::<LayerError>());
    match (error.kind(), own) {
        (_, false) => LayerError::from_io(error),
        (io::ErrorKind::UnexpectedEof, true) => LayerError::Truncated { compression },
        _ => LayerError::Corrupt { compression, detail: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_form_that_it_does_not_take() {
        for (start, name) in
            [(&b"BZh91AY"[..], "bzip2"), (b"\xfd7zXZ\0\0", "xz"), (b"{}", "JSON"), (b"hello", "unknown")]
        {
            let error = detect(start).expect_err("no layer").to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_tar_needs_a_right_checksum() {
        assert_eq!(detect(&[0; 1024]).expect("an empty tar"), Compression::None);
        assert!(detect(&[b'a'; 1024]).is_err());
        assert!(detect(&[0; 100]).is_err());
    }
}
