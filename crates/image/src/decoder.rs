//! Decompressors: for each compression its own, with one count of what goes in.

mod gzip;

use std::io::{self, BufRead, Read};

use self::gzip::GzipReader;
use crate::compression::Compression;
use crate::limits::{XZ_MEMORY, ZSTD_WINDOW_LOG};

pub(crate) use self::gzip::TrailingData;

/// Counts what the decoder takes, for the ratio.
pub(crate) struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.bytes += amount as u64;
        self.inner.consume(amount);
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// A decompressor over counted bytes. Replacing one means one more arm here.
pub(crate) enum Decoder<R: BufRead> {
    Plain(Counted<R>),
    Gzip(GzipReader<Counted<R>>),
    Zstd(Box<zstd::Decoder<'static, Counted<R>>>),
    Xz(Box<lzma_rust2::XzReader<Counted<R>>>),
}

impl<R: BufRead> Decoder<R> {
    /// Nothing is read yet.
    pub(crate) fn new(compressed: R, compression: Compression) -> io::Result<Decoder<R>> {
        let compressed = Counted { inner: compressed, bytes: 0 };
        Ok(match compression {
            Compression::None => Decoder::Plain(compressed),
            Compression::Gzip => Decoder::Gzip(GzipReader::new(compressed)),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(compressed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Decoder::Zstd(Box::new(decoder))
            }
            Compression::Xz => Decoder::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(compressed, true, XZ_MEMORY))),
        })
    }

    /// Compressed bytes taken so far.
    pub(crate) fn compressed_bytes(&self) -> u64 {
        match self {
            Decoder::Plain(blob) => blob.bytes,
            Decoder::Gzip(reader) => reader.get_ref().bytes,
            Decoder::Zstd(decoder) => decoder.get_ref().bytes,
            Decoder::Xz(reader) => reader.inner().bytes,
        }
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(blob) => blob.read(out),
            Decoder::Gzip(reader) => reader.read(out),
            Decoder::Zstd(decoder) => decoder.read(out),
            Decoder::Xz(reader) => reader.read(out),
        }
    }
}
