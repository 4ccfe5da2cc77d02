//! A layer as an image describes it, before it is read.

use std::fmt;

use nex_registry::Digest;
use nex_text::short_digest;

/// One layer, as the manifest and the config describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of the blob; `None` where no manifest says it.
    pub digest: Option<Digest>,
    /// The digest of the tar inside the blob.
    pub diff_id: Option<Digest>,
    /// Bytes of the blob, if known before it is read.
    pub size: Option<u64>,
    /// The media type that the manifest gives.
    pub media_type: Option<String>,
    /// The build step that made it, from the config's history.
    pub created_by: Option<String>,
}

/// What a message knows a layer by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerDigest {
    /// The digest of its blob.
    Blob(Digest),
    /// The digest of its tar, where no manifest says that of its blob.
    DiffId(Digest),
}

impl Layer {
    /// What a message knows it by; `None` before it is read where nothing is promised about it.
    pub fn known_by(&self) -> Option<LayerDigest> {
        self.digest.map(LayerDigest::Blob).or(self.diff_id.map(LayerDigest::DiffId))
    }
}

impl fmt::Display for LayerDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerDigest::Blob(digest) => f.write_str(&short_digest(&digest.to_string())),
            LayerDigest::DiffId(digest) => write!(f, "diff id {}", short_digest(&digest.to_string())),
        }
    }
}
