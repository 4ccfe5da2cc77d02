//! Finds container images and yields their layers as verified tar streams.
//!
//! A [`Reference`] names an image, [`open`] resolves it to an [`Image`], and [`Image::open_layer`] gives a layer's tar
//! with every digest checked on the way:
//!
//! ```text
//! reference ──> manifest ──> config
//!                   └──────> layer: blob ──> hash ──> decompression ──> hash ──> reader
//! ```
//!
//! [`ReadAhead`] gives one layer after the other, and has the next ones decompressed and hashed meanwhile.

mod blob;
mod blob_cache;
pub mod codes;
mod compression;
mod config;
mod decoder;
mod directory;
mod document;
mod error;
mod image;
mod installed;
mod layer;
mod layer_stream;
mod limits;
mod listed;
mod no_root;
mod pipe;
pub mod platform;
mod progress;
mod read_ahead;
pub mod reference;
mod source;
mod timestamp;

pub use blob_cache::{BlobCache, NewBlob, Resolved};
pub use compression::Compression;
pub use config::{Config, History};
pub use error::{Error, LayerError, Mismatch};
pub use image::{Image, Options};
pub use installed::{ImageDirectories, InstalledError, InstalledImage, InstalledName};
pub use layer::{Layer, LayerDigest};
pub use layer_stream::{LayerReader, LayerSummary};
pub use limits::Limits;
pub use no_root::{Instead, NoRoot};
pub use platform::Platform;
pub use progress::{NoProgress, Progress};
pub use read_ahead::ReadAhead;
pub use reference::{ImageName, Reference, ReferenceError, TarSource};
pub use source::open;
