//! OCI image layouts, written without any tool, so that a test decides about every field.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::failure::Context;
use crate::layer::{self, Entry};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
/// Where an index names a manifest's tag.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// How layers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Plain tar.
    None,
    /// One gzip member.
    Gzip,
    /// Two gzip members, one after the other, as some builders write.
    GzipMembers,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// What it adds to a layer's media type.
    fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip | Self::GzipMembers => "+gzip",
            Self::Zstd => "+zstd",
        }
    }

    fn compress(self, tar: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::None => Ok(tar.to_vec()),
            Self::Gzip => gzip(tar),
            Self::GzipMembers => {
                let (first, second) = tar.split_at(tar.len() / 2);
                Ok([gzip(first)?, gzip(second)?].concat())
            }
            Self::Zstd => Ok(zstd::encode_all(tar, 3)?),
        }
    }
}

/// An image to be written.
#[derive(Clone, Debug)]
pub struct Image {
    /// The layers' tar streams, the lowest first.
    pub layers: Vec<Vec<u8>>,
    /// How all of them are compressed.
    pub compression: Compression,
    /// Whether manifest and index have the `mediaType` field, which the specification leaves open.
    pub media_type: bool,
    /// The architecture in the image's config.
    pub architecture: &'static str,
    /// The `config` object of the image's config: `Env`, `Cmd` and the like.
    pub config: Value,
}

impl Image {
    /// An image for linux/amd64 with these layers, gzip, `mediaType` present.
    ///
    /// # Errors
    /// When an entry cannot be written as tar.
    pub fn of(layers: &[Vec<Entry>]) -> Result<Self> {
        let layers: Result<Vec<_>> = layers.iter().map(|entries| layer::tar(entries)).collect();
        Ok(Self {
            layers: layers?,
            compression: Compression::Gzip,
            media_type: true,
            architecture: "amd64",
            config: json!({ "Env": ["PATH=/bin"], "Cmd": ["/bin/sh"] }),
        })
    }

    /// The same image, compressed in another way.
    #[must_use]
    pub fn compressed(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Writes a layout with this image in it under `tag`.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write(&self, layout: &Path, tag: &str) -> Result<()> {
        let manifest = self.write_manifest(layout, tag)?;
        write_index(layout, vec![manifest], self.media_type)
    }

    /// Writes the blobs, and gives the descriptor for the index.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn write_manifest(&self, layout: &Path, tag: &str) -> Result<Value> {
        let media_type = format!("{LAYER_TYPE}{}", self.compression.suffix());
        let blob = |tar: &Vec<u8>| write_blob(layout, &media_type, &self.compression.compress(tar)?);
        let layers: Result<Vec<Value>> = self.layers.iter().map(blob).collect();
        let diff_ids: Vec<String> = self.layers.iter().map(|tar| digest(tar)).collect();
        let config = json!({
            "created": "2024-05-06T07:08:09Z",
            "architecture": self.architecture,
            "os": "linux",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = write_blob(layout, CONFIG_TYPE, &serde_json::to_vec(&config)?)?;
        let mut manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers? });
        if self.media_type {
            manifest["mediaType"] = MANIFEST_TYPE.into();
        }
        let mut descriptor = write_blob(layout, MANIFEST_TYPE, &serde_json::to_vec(&manifest)?)?;
        descriptor["annotations"] = json!({ REF_NAME: tag });
        descriptor["platform"] = json!({ "architecture": self.architecture, "os": "linux" });
        Ok(descriptor)
    }
}

/// Writes `index.json` and `oci-layout` for manifests whose blobs are there.
///
/// # Errors
/// When the directory cannot be written.
pub fn write_index(layout: &Path, manifests: Vec<Value>, media_type: bool) -> Result<()> {
    let mut index =
        Map::from_iter([("schemaVersion".to_owned(), json!(2)), ("manifests".to_owned(), json!(manifests))]);
    if media_type {
        index.insert("mediaType".to_owned(), INDEX_TYPE.into());
    }
    fs::create_dir_all(layout).context(layout.display())?;
    fs::write(layout.join("index.json"), serde_json::to_vec(&index)?)?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(())
}

/// Writes a blob under its digest, and gives its descriptor.
///
/// # Errors
/// When the directory cannot be written.
pub fn write_blob(layout: &Path, media_type: &str, bytes: &[u8]) -> Result<Value> {
    let digest = digest(bytes);
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).context(blobs.display())?;
    fs::write(blobs.join(digest.trim_start_matches("sha256:")), bytes)?;
    Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
}

/// The digest of these bytes: `sha256:` and hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    let digits: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// One gzip member.
///
/// # Errors
/// Never, for it is made in memory.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}
