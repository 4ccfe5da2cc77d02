//! Images in registries: mirrors, blobs that are named several times, images that were uploaded.

mod mirrors;
mod repeated;
mod support;
mod uploaded;
