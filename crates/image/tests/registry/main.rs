//! Images in registries: mirrors, blobs that are named several times.

mod mirrors;
mod repeated;
mod support;
