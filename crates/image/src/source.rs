//! Where images come from: one file for each kind of place.

mod archive;
mod docker_archive;
mod form;
mod layout;
mod oci;
mod plain;
mod registry;
mod unpack;

use std::io::Read;
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::Error;
use crate::image::{Image, Options};
use crate::reference::{Reference, TarSource};

/// A layer's blob on its way: its bytes in order, not verified.
pub(crate) trait Blob: Read + Send {
    /// All of it has been read, and size and digest are what was promised.
    fn verified(self: Box<Self>) {}
}

impl Blob for Box<dyn Read + Send> {}

/// A layer that will be read.
pub(crate) struct Expected {
    /// Its place in the image.
    pub index: usize,
    pub digest: Digest,
    pub size: u64,
}

/// Layers that come from far, and can be on their way before they are read.
pub(crate) trait Ahead: Send + Sync {
    /// These will be read, in this order.
    fn expect(&self, layers: &[Expected]);

    /// This one is waited for from now on.
    fn take_turn(&self, index: usize);
}

/// Opens a layer's blob.
pub(crate) type OpenBlob = Arc<dyn Fn() -> Result<Box<dyn Blob>, Error> + Send + Sync>;

/// Opens a blob for which nothing is to be done once it is verified.
fn plain_blob(open: impl Fn() -> Result<Box<dyn Read + Send>, Error> + Send + Sync + 'static) -> OpenBlob {
    Arc::new(move || Ok(Box::new(open()?)))
}

/// Resolves a reference: afterwards, all is known about the image except its layers' content.
pub(crate) fn open(reference: &Reference, options: &Options) -> Result<Image, Error> {
    let name = reference.to_string();
    match reference {
        Reference::Registry(reference) => registry::open(reference, options),
        Reference::OciLayout { directory, name: image } => {
            layout::open_directory(directory, image.as_ref(), &name, options)
        }
        Reference::OciArchive { file, name: image } => layout::open_archive(file, image.as_ref(), &name, options),
        Reference::DockerArchive { file, name: image } => docker_archive::open(file, image.as_ref(), &name, options),
        Reference::Tar(TarSource::File(file)) => plain::open_tar(file, name, options),
        Reference::Tar(TarSource::Stdin) => plain::open_stdin(name, options),
        Reference::Directory(directory) => plain::open_directory(directory, name, options),
        Reference::Scratch => plain::scratch(name, options),
    }
}

/// Reads a document that may have `limit` bytes at most.
fn read_document(what: &str, content: impl Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = content.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| Error::Io { action: "read", place: what.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(Error::Limit { what: what.to_owned(), limit, unit: "bytes" });
    }
    Ok(bytes)
}
