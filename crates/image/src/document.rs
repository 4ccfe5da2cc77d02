//! The JSON documents that describe an image: descriptors, manifests, indexes.
//!
//! OCI and Docker schema 2 have the same shape, with other media types. The fields are ours rather than a library's:
//! Docker writes null where OCI has nothing, `mediaType` may be missing, and a document that could be read as two
//! kinds must be refused (CVE-2021-41190).

use nex_text::short_name;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::digest::Digest;
use crate::error::Error;
use crate::platform::Platform;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

/// What a document points to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default, deserialize_with = "null_is_default")]
    pub media_type: String,
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    pub size: u64,
    #[serde(default, deserialize_with = "null_is_default")]
    urls: Vec<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    annotations: Annotations,
    #[serde(default)]
    platform: Option<RawPlatform>,
}

/// The annotations that matter here.
#[derive(Clone, Debug, Default, Deserialize)]
struct Annotations {
    #[serde(rename = "org.opencontainers.image.ref.name")]
    ref_name: Option<String>,
    #[serde(rename = "vnd.docker.reference.type")]
    reference_type: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct RawPlatform {
    #[serde(default, deserialize_with = "null_is_default")]
    os: String,
    #[serde(default, deserialize_with = "null_is_default")]
    architecture: String,
    variant: Option<String>,
}

impl Descriptor {
    /// The platform, if one is named.
    pub(crate) fn platform(&self) -> Option<Platform> {
        let raw = self.platform.as_ref()?;
        Some(Platform::new(&raw.os, &raw.architecture, raw.variant.as_deref()))
    }

    /// The name that a layout's index gives.
    pub(crate) fn ref_name(&self) -> Option<&str> {
        self.annotations.ref_name.as_deref()
    }

    /// Whether this is an image, or an index of some, rather than an attestation or another artifact.
    pub(crate) fn may_be_image(&self) -> bool {
        let known = ["", OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].contains(&self.media_type.as_str());
        let unknown = Platform::new("unknown", "unknown", None);
        known && self.annotations.reference_type.is_none() && self.platform().is_none_or(|platform| platform != unknown)
    }

    /// Refuses layers that are somewhere else (CVE-2020-15157), or no part of a root filesystem.
    fn check_layer(&self, what: &str, index: usize) -> Result<(), Error> {
        let wrong = |problem: &str| Err(Error::document(what, format!("has a layer {} that {problem}", index + 1)));
        if !self.urls.is_empty() || self.media_type.contains("foreign") || self.media_type.contains("nondistributable")
        {
            return wrong(
                "is fetched from other servers (a foreign layer), which is not supported; push the image with its layers",
            );
        }
        if self.media_type.contains("encrypted") {
            return wrong("is encrypted; decrypt the image first");
        }
        Ok(())
    }
}

/// A document of either kind.
pub(crate) enum Document {
    Manifest(Box<Manifest>),
    Index(Index),
}

/// An image's manifest.
pub(crate) struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// A list of manifests.
pub(crate) struct Index {
    pub manifests: Vec<Descriptor>,
}

/// All the fields by which the two kinds are told apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a manifest or an index. `media_type` is what the descriptor, or else the server, calls it; `what` names it
    /// in errors.
    pub(crate) fn parse(what: &str, media_type: Option<&str>, content: &[u8]) -> Result<Document, Error> {
        let raw: Raw = json(what, content)?;
        let outer = media_type.map(|text| text.split(';').next().unwrap_or_default().trim());
        let is_schema_1 = |text: &str| text.starts_with(SCHEMA_1);
        if raw.fs_layers.is_some() || raw.schema_version == Some(1) || outer.is_some_and(is_schema_1) {
            return Err(Error::document(
                what,
                "is a Docker schema 1 manifest, which has been obsolete since 2016; push the image again with a current tool",
            ));
        }
        if let (Some(inner), Some(outer)) = (&raw.media_type, outer.filter(|outer| is_known(outer)))
            && inner != outer
        {
            return Err(Error::document(
                what,
                format!("calls itself '{}' but is described as '{}'", short_name(inner), short_name(outer)),
            ));
        }
        let named = raw.media_type.as_deref().or(outer.filter(|outer| is_known(outer)));
        match (raw.manifests, raw.layers, raw.config) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Err(Error::document(
                what,
                "has manifests and also layers or a config, so it is neither an index nor a manifest",
            )),
            (Some(manifests), None, None) if named.is_none_or(|named| [OCI_INDEX, DOCKER_LIST].contains(&named)) => {
                Ok(Document::Index(Index { manifests }))
            }
            // Docker writes this into an archive of an image that has no name.
            (None, None, None) if named == Some(OCI_INDEX) => Ok(Document::Index(Index { manifests: Vec::new() })),
            (None, layers, Some(config))
                if named.is_none_or(|named| [OCI_MANIFEST, DOCKER_MANIFEST].contains(&named)) =>
            {
                Manifest::new(what, config, layers.unwrap_or_default())
                    .map(|manifest| Document::Manifest(Box::new(manifest)))
            }
            _ => Err(Error::document(what, "is neither an image manifest nor an index")),
        }
    }
}

fn is_known(media_type: &str) -> bool {
    [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].contains(&media_type)
}

impl Manifest {
    fn new(what: &str, config: Descriptor, layers: Vec<Descriptor>) -> Result<Manifest, Error> {
        if !["", OCI_CONFIG, DOCKER_CONFIG].contains(&config.media_type.as_str()) {
            let kind = nex_text::short_name(&config.media_type);
            return Err(Error::document(
                what,
                format!("is not a container image but an artifact (its config is a {kind})"),
            ));
        }
        layers.iter().enumerate().try_for_each(|(index, layer)| layer.check_layer(what, index))?;
        Ok(Manifest { config, layers })
    }
}

/// Reads JSON, and says in whose document it is wrong.
pub(crate) fn json<T: DeserializeOwned>(what: &str, content: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(content)
        .map_err(|error| Error::document(what, format!("is not valid: {}", nex_text::excerpt(error.to_string()))))
}

/// Go writes null for an empty list or map.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = r#""digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2"#;

    fn refusal(media_type: Option<&str>, json: &str) -> String {
        let json = json.replace("BLOB", BLOB);
        match Document::parse("the manifest", media_type, json.as_bytes()) {
            Ok(_) => panic!("accepted {json}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_manifest_needs_no_media_type() {
        let json = format!(r#"{{"schemaVersion":2,"config":{{{BLOB}}},"layers":[{{{BLOB}}}],"annotations":null}}"#);
        let Ok(Document::Manifest(manifest)) = Document::parse("m", Some("text/plain; charset=utf-8"), json.as_bytes())
        else {
            panic!("no manifest");
        };
        assert_eq!(manifest.layers.len(), 1);
    }

    #[test]
    fn an_index_of_nothing() {
        for manifests in ["[]", "null"] {
            let json = format!(r#"{{"mediaType":"{OCI_INDEX}","manifests":{manifests}}}"#);
            let Ok(Document::Index(index)) = Document::parse("m", None, json.as_bytes()) else { panic!("no index") };
            assert!(index.manifests.is_empty());
        }
    }

    #[test]
    fn a_document_of_two_kinds_is_refused() {
        assert!(refusal(None, r#"{"manifests":[],"layers":[]}"#).contains("neither"));
        assert!(refusal(None, r#"{"manifests":[],"config":{BLOB}}"#).contains("neither"));
        assert!(refusal(None, r#"{"layers":[]}"#).contains("neither"));
        assert!(refusal(None, r#"{"layers":[],"layers":[]}"#).contains("duplicate"));
        let both = format!(r#"{{"mediaType":"{OCI_INDEX}","config":{{BLOB}}}}"#);
        assert!(refusal(None, &both).contains("neither"));
        let other = format!(r#"{{"mediaType":"{OCI_INDEX}","manifests":[]}}"#);
        assert!(refusal(Some(OCI_MANIFEST), &other).contains("calls itself"));
    }

    #[test]
    fn schema_1_is_refused_by_name() {
        assert!(refusal(None, r#"{"schemaVersion":1,"fsLayers":[]}"#).contains("schema 1"));
        assert!(refusal(Some("application/vnd.docker.distribution.manifest.v1+prettyjws"), "{}").contains("schema 1"));
    }

    #[test]
    fn foreign_and_encrypted_layers_are_refused() {
        let urls = r#"{"config":{BLOB},"layers":[{BLOB,"urls":["https://elsewhere"]}]}"#;
        assert!(refusal(None, urls).contains("foreign"));
        let foreign = r#"{"config":{BLOB},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",BLOB}]}"#;
        assert!(refusal(None, foreign).contains("foreign"));
        let encrypted = r#"{"config":{BLOB},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip+encrypted",BLOB}]}"#;
        assert!(refusal(None, encrypted).contains("encrypted"));
    }

    #[test]
    fn artifacts_are_not_images() {
        let chart = r#"{"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json",BLOB},"layers":[]}"#;
        assert!(refusal(None, chart).contains("artifact"));
    }

    #[test]
    fn broken_json_says_where() {
        assert!(refusal(None, r#"{"config":"#).contains("line 1"));
        assert!(refusal(None, r#"{"config":{"digest":"sha256:../..","size":1}}"#).contains("no digest"));
        assert!(refusal(None, &"[".repeat(100_000)).contains("not valid"));
    }
}
