//! What registries have sent, cached by digest, and the digests that names had: enough to build again without a network.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use nex_cache::{Cache, Key, NewEntry, Shelf};
use nex_image::{BlobCache, NewBlob, Resolved};
use nex_registry::Digest;
use nex_registry::digest::Hasher;
use serde::{Deserialize, Serialize};

/// The longest of what is known of a name, in bytes.
const MOST_REFERENCE: u64 = 64 << 10;

/// How much is read at once.
const BUFFER: usize = 256 << 10;

/// The only file of such entries.
const CONTENT: &str = "content";

/// What a name was resolved to.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    digest: String,
    media_type: Option<String>,
}

/// The blobs of a cache.
#[derive(Clone, Debug)]
pub struct CachedBlobs(pub Cache);

impl BlobCache for CachedBlobs {
    fn blob(&self, digest: &Digest) -> Option<File> {
        let key = key(digest)?;
        let entry = self.0.get(Shelf::Blobs, &key)?;
        // Checked as a whole: once a layer is half placed, it is too late to ask the registry. And by its digest: a checksum that
        // was made for other bytes is right too.
        match entry.file(CONTENT).and_then(|file| checked(file, digest)) {
            Ok(file) => Some(file),
            Err(error) => {
                self.0.discard(Shelf::Blobs, &key, &nex_fault::whole(&error));
                None
            }
        }
    }

    fn new_blob(&self, digest: &Digest, size: Option<u64>) -> Option<Box<dyn NewBlob>> {
        let mut entry = self.0.begin(Shelf::Blobs, &key(digest)?, "blob of a registry", size.unwrap_or(0))?;
        match entry.file(CONTENT) {
            Ok(file) => Some(Box::new(Blob { cache: self.0.clone(), entry, file })),
            Err(error) => {
                self.0.not_stored(&error);
                None
            }
        }
    }

    fn resolved(&self, name: &str) -> Option<Resolved> {
        let entry = self.0.get(Shelf::References, &reference_key(name))?;
        let read = || -> io::Result<Resolved> {
            let reference: Reference = serde_json::from_slice(&entry.read(CONTENT, MOST_REFERENCE)?)?;
            let digest = reference.digest.parse().map_err(io::Error::other)?;
            Ok(Resolved { digest, media_type: reference.media_type })
        };
        read().map_err(|error| self.0.discard(Shelf::References, &reference_key(name), &nex_fault::whole(&error))).ok()
    }

    fn set_resolved(&self, name: &str, resolved: &Resolved) {
        if self.resolved(name).as_ref() == Some(resolved) {
            return;
        }
        let key = reference_key(name);
        let reference = Reference { digest: resolved.digest.to_string(), media_type: resolved.media_type.clone() };
        let write = |entry: &mut NewEntry| -> io::Result<()> {
            entry.file(CONTENT)?.write_all(&serde_json::to_vec(&reference)?)?;
            // An entry never changes; the name has another digest now.
            self.0.remove(Shelf::References, &key)
        };
        if let Some(mut entry) = self.0.begin(Shelf::References, &key, name, 0) {
            match write(&mut entry) {
                Ok(()) => self.0.publish(entry),
                Err(error) => self.0.not_stored(&error),
            }
        }
    }
}

/// Reads a file to its end. Gives it at its beginning if it has this digest.
fn checked(mut file: &File, digest: &Digest) -> io::Result<File> {
    let (mut hasher, mut buffer) = (Hasher::new(digest.algorithm()), vec![0; BUFFER]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    if hasher.finish() != *digest {
        return Err(io::Error::other("its bytes are not those that its digest names"));
    }
    file.rewind()?;
    file.try_clone()
}

fn key(digest: &Digest) -> Option<Key> {
    Key::of_digest(&digest.to_string())
}

fn reference_key(name: &str) -> Key {
    Key::of([b"nex reference 1", name.as_bytes()])
}

/// A blob on its way into the cache.
struct Blob {
    cache: Cache,
    entry: NewEntry,
    file: File,
}

impl Write for Blob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).inspect_err(|error| self.cache.not_stored(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewBlob for Blob {
    fn reader(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    fn commit(self: Box<Self>) {
        self.cache.clone().publish_aside(self.entry);
    }
}
