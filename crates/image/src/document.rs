//! The JSON documents that describe an image: descriptors, manifests, indexes.
//!
//! OCI and Docker schema 2 have the same shape, with other media types. The fields are ours rather than a library's:
//! Docker writes null where OCI has nothing, `mediaType` may be missing, and a document that could be read as two
//! kinds must be refused (CVE-2021-41190).

mod json;

use std::collections::BTreeMap;
use std::io::Read;

use nex_registry::Digest;
use nex_text::short_name;
use serde::{Deserialize, Deserializer};

use crate::error::Error;
use crate::platform::Platform;

pub(crate) use self::json::json;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

/// The annotation that gives an image of a layout its name.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The annotation of what belongs to an image and is none, as `attestation-manifest`.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// What a document points to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    pub size: u64,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    platform: RawPlatform,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RawPlatform {
    os: String,
    architecture: String,
    variant: String,
}

impl Descriptor {
    /// The platform, if one is named: it is optional, and some write it without saying anything in it.
    pub(crate) fn platform(&self) -> Option<Platform> {
        let RawPlatform { os, architecture, variant } = &self.platform;
        let is_said = !os.is_empty() && !architecture.is_empty();
        is_said.then(|| Platform::new(os, architecture, Some(variant)))
    }

    /// The name that a layout's index gives.
    pub(crate) fn ref_name(&self) -> Option<&str> {
        self.annotations.get(REF_NAME).map(String::as_str)
    }

    /// Whether this is an image, or an index of some, rather than an attestation or another artifact.
    pub(crate) fn may_be_image(&self) -> bool {
        let is_known = self.media_type.is_empty() || is_known(&self.media_type);
        let unknown = Platform::new("unknown", "unknown", None);
        is_known && !self.annotations.contains_key(REFERENCE_TYPE) && self.platform() != Some(unknown)
    }

    /// Refuses layers that are somewhere else (CVE-2020-15157), or no part of a root filesystem.
    fn check_layer(&self, what: &str, index: usize) -> Result<(), Error> {
        let wrong = |problem: &str, advice: &'static str| {
            Err(Error::unsupported(what, format!("has a layer {} that {problem}", index + 1), advice))
        };
        if !self.urls.is_empty() || self.media_type.contains("foreign") || self.media_type.contains("nondistributable")
        {
            return wrong(
                "is fetched from other servers (a foreign layer), which is not supported",
                "push the image with its layers",
            );
        }
        if self.media_type.contains("encrypted") {
            return wrong("is encrypted", "decrypt the image first");
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
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: String,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a manifest or an index. `media_type` is what the descriptor, or else the server, calls it; `what` names it
    /// in errors.
    pub(crate) fn parse(what: &str, media_type: Option<&str>, content: &[u8]) -> Result<Document, Error> {
        let raw: Fields = json(what, content)?;
        let outer = media_type.map(|text| text.split(';').next().unwrap_or_default().trim());
        let is_schema_1 = |text: &str| text.starts_with(SCHEMA_1);
        if raw.fs_layers.is_some() || raw.schema_version == Some(1) || outer.is_some_and(is_schema_1) {
            return Err(Error::unsupported(
                what,
                "is a Docker schema 1 manifest, which has been obsolete since 2016",
                "push the image again with a current tool",
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
                Manifest::new(what, &raw.artifact_type, config, layers.unwrap_or_default())
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
    fn new(what: &str, artifact_type: &str, config: Descriptor, layers: Vec<Descriptor>) -> Result<Manifest, Error> {
        let manifest = Manifest { config, layers };
        let is_plain = manifest.has_plain_config();
        if !is_plain && !artifact_type.is_empty() {
            let (what, part, kind) = (what.to_owned(), "artifactType", short_name(artifact_type));
            return Err(Error::Artifact { what, part, kind });
        }
        if !is_plain && manifest.is_of_a_vendor() {
            return Err(manifest.artifact(what));
        }
        manifest.layers.iter().enumerate().try_for_each(|(index, layer)| layer.check_layer(what, index))?;
        Ok(manifest)
    }

    /// Whether the config is called one of an image. Where it is not, its content has to show that it is one: before 2017 pushes
    /// gave it whatever type a server had for the bytes, as `application/octet-stream` and `text/html`.
    pub(crate) fn has_plain_config(&self) -> bool {
        ["", OCI_CONFIG, DOCKER_CONFIG].contains(&self.config.media_type.as_str())
    }

    /// Whether somebody has given the config's type a meaning: no server makes such a name up.
    fn is_of_a_vendor(&self) -> bool {
        let media_type = self.config.media_type.to_ascii_lowercase();
        let name = media_type.split_once('/').map_or("", |(_, name)| name);
        ["vnd.", "prs.", "x.", "x-"].iter().any(|tree| name.starts_with(tree))
    }

    /// That it is none of an image.
    pub(crate) fn artifact(&self, what: &str) -> Error {
        Error::Artifact { what: what.to_owned(), part: "config", kind: short_name(&self.config.media_type) }
    }
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Reads a document that may have `limit` bytes at most.
pub(crate) fn read_document(what: &str, content: impl Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = content.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| Error::Io { action: "read", place: what.to_owned(), source })?;
    if bytes.len() as u64 > limit {
        return Err(Error::Limit { what: what.to_owned(), limit, unit: "bytes" });
    }
    Ok(bytes)
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
        assert!(refusal(None, r#"{"layers":[],"layers":[]}"#).contains("neither"));
        let both = format!(r#"{{"mediaType":"{OCI_INDEX}","config":{{BLOB}}}}"#);
        assert!(refusal(None, &both).contains("neither"));
        let other = format!(r#"{{"mediaType":"{OCI_INDEX}","manifests":[]}}"#);
        assert!(refusal(Some(OCI_MANIFEST), &other).contains("calls itself"));
    }

    #[test]
    fn two_digests_for_one_thing_are_refused() {
        let other = BLOB.replace("sha256:44", "sha256:45");
        let manifest =
            |rest: &str| format!(r#"{{"config":{{BLOB}},"layers":[{{BLOB}}],{rest}}}"#).replace("OTHER", &other);
        for (doubled, field) in [
            (r#""Config":{OTHER}"#, "digest"),
            (r#""config":{"size":3}"#, "size"),
            (r#""layers":[]"#, "layers"),
            (r#""LAYERS":[{OTHER}]"#, "layers"),
            (r#""layers":null"#, "layers"),
            (r#""x":0,"mediaType":"a","mediatype":"b""#, "mediaType"),
        ] {
            let error = refusal(None, &manifest(doubled));
            assert!(error.contains(&format!("'{field}' 2 times, and not always the same")), "{error}");
        }
        let inside = format!(r#"{{"manifests":[{{BLOB,"Digest":"sha256:{}"}}]}}"#, "0".repeat(64));
        assert!(refusal(None, &inside).contains("manifests: it has 'digest' 2 times"));
        assert!(refusal(None, &manifest(r#""MANIFESTS":[]"#)).contains("neither"));
        // Control: what says the same again is ambiguous to nobody.
        let same = manifest(r#""Layers":[{BLOB}],"Config":{BLOB},"layers":[{BLOB}]"#).replace("BLOB", BLOB);
        assert!(matches!(Document::parse("m", None, same.as_bytes()), Ok(Document::Manifest(_))));
    }

    #[test]
    fn a_platform_without_words_is_none() {
        let platform = |said: &str| {
            let json = format!(r#"{{"manifests":[{{{BLOB}{said}}}]}}"#);
            let Ok(Document::Index(index)) = Document::parse("m", None, json.as_bytes()) else { panic!("{said}") };
            index.manifests[0].platform().map(|platform| platform.to_string())
        };
        for none in ["", r#","platform":null"#, r#","platform":{}"#, r#","platform":{"os":"","architecture":""}"#] {
            assert_eq!(platform(none), None, "{none}");
        }
        let said = r#","Platform":{"OS":"linux","Architecture":"arm64","variant":null}"#;
        assert_eq!(platform(said).as_deref(), Some("linux/arm64"));
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
        for (config, artifact_type) in [
            ("application/vnd.oci.empty.v1+json", ""),
            ("application/vnd.wasm.config.v0+json", ""),
            ("application/vnd.oci.empty.v1+json", "application/x"),
            ("application/octet-stream", "application/x"),
        ] {
            let json = r#"{"artifactType":"TYPE","config":{"mediaType":"CONFIG",BLOB},"layers":[]}"#;
            let error = refusal(None, &json.replace("TYPE", artifact_type).replace("CONFIG", config));
            assert!(error.contains("is not a container image but an artifact"), "{error}");
        }
    }

    #[test]
    fn broken_json_says_where() {
        assert!(refusal(None, r#"{"config":"#).contains("line 1"));
        assert!(refusal(None, r#"{"config":{"digest":"sha256:../..","size":1}}"#).contains("no digest"));
        assert!(refusal(None, &"[".repeat(100_000)).contains("not valid"));
    }
}
