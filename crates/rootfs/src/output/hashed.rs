//! A writer that counts and hashes what goes through it.

use std::io::{self, Write};

use nex_text::hex;
use sha2::{Digest, Sha256};

/// Counts what is written, and hashes it if that is wanted.
pub struct Hashed<W> {
    inner: W,
    hasher: Option<Sha256>,
    bytes: u64,
}

impl<W: Write> Hashed<W> {
    /// Goes on to `inner`. Without `digest` it only counts.
    pub fn new(inner: W, digest: bool) -> Self {
        Self { inner, hasher: digest.then(Sha256::new), bytes: 0 }
    }

    /// The SHA-256 in hex, if it was wanted, and the number of bytes.
    pub fn finish(self) -> (Option<String>, u64) {
        (self.hasher.map(|hasher| hex(hasher.finalize())), self.bytes)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[..written]);
        }
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
