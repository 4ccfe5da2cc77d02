//! Limits against hostile images. Each stops a kind of bomb; honest images stay far below.

/// How much an image may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one JSON document: an index, a manifest, a config. 4 MiB, as registries have it.
    pub document_bytes: u64,
    /// Layers of an image. 512.
    pub layers: usize,
    /// Decompressed bytes of all layers together. 64 GiB.
    pub uncompressed_bytes: u64,
    /// Decompressed bytes for each compressed byte of a layer, once it is past `ratio_free_bytes`. 200.
    pub ratio: u64,
    /// Decompressed bytes of a layer to which `ratio` does not apply: a small file of zeros is no bomb. 1 GiB.
    pub ratio_free_bytes: u64,
}

/// The largest window of a zstd frame, as a power of two: 128 MiB, which is what `zstd --long` takes without asking.
pub(crate) const ZSTD_WINDOW_LOG: u32 = 27;

/// Memory for a dictionary of xz, in KiB: 64 MiB is what `xz -9` asks for, and twice that is there for others.
pub(crate) const XZ_MEMORY: u32 = 128 << 10;

/// Members of an archive that holds an image (not of a layer), against endless lists of empty ones.
pub(crate) const ARCHIVE_MEMBERS: usize = 65_536;

/// Directories inside one another in a root directory: as many as a layer's tar may have.
pub(crate) const TREE_LEVELS: usize = 2_048;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            document_bytes: 4 << 20,
            layers: 512,
            uncompressed_bytes: 64 << 30,
            ratio: 200,
            ratio_free_bytes: 1 << 30,
        }
    }
}
