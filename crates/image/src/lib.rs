//! Finds container images and yields their layers as verified tar streams.
//!
//! A [`Reference`] names an image, [`open`] resolves it to an [`Image`], and [`Image::open_layer`] gives a layer's tar
//! with every digest checked on the way:
//!
//! ```text
//! reference ──> manifest ──> config
//!                   └──────> layer: blob ──> hash ──> decompression ──> hash ──> reader
//! ```

pub mod digest;
pub mod platform;
pub mod reference;
pub mod registry;

pub use digest::Digest;
pub use platform::Platform;
pub use reference::{ImageName, Reference, ReferenceError, RegistryReference, TarSource};
