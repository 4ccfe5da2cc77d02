//! What the image says about its workload, kept for the agent in `/etc/nex/image.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::change::Layer;

/// The part of an image's configuration that concerns who runs it.
///
/// The fields stand in the order of their JSON names, so that the same image gives the same bytes from any source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageConfig {
    /// Default arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// The command that arguments are appended to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// Environment, each `NAME=value`, in the image's order: a later one wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Ports, each `80/tcp`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_ports: BTreeSet<String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The signal that stops the workload.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// User, or user and group, by name or number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The directory that the workload starts in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
}

/// Adds the file. An empty value and a missing one are the same, as they are in an image.
pub(crate) fn add(config: &ImageConfig, layer: &mut Layer) -> serde_json::Result<()> {
    let mut json = serde_json::to_vec(config)?;
    json.push(b'\n');
    layer.file(b"/etc/nex/image.json", 0o644, json);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::change::{Change, FileContent};

    #[test]
    fn keys_are_sorted_and_empty_values_left_out() {
        let config = ImageConfig {
            working_dir: "/srv".into(),
            env: vec!["Z=1".into(), "A=2".into()],
            cmd: vec!["serve".into()],
            labels: [("b".into(), "2".into()), ("a".into(), "\u{1f980}\"".into())].into(),
            exposed_ports: ["80/tcp".into(), "53/udp".into()].into(),
            ..ImageConfig::default()
        };
        let mut layer = Layer::default();
        add(&config, &mut layer).unwrap();
        let Change::File { content: FileContent::Bytes(json), .. } = &layer.changes[0] else { panic!("a file") };
        let expected = "{\"cmd\":[\"serve\"],\"env\":[\"Z=1\",\"A=2\"],\"exposedPorts\":[\"53/udp\",\"80/tcp\"],\
                        \"labels\":{\"a\":\"\u{1f980}\\\"\",\"b\":\"2\"},\"workingDir\":\"/srv\"}\n";
        assert_eq!(String::from_utf8_lossy(json), expected);
    }

    #[test]
    fn an_image_without_config_gives_an_empty_object() {
        let mut layer = Layer::default();
        add(&ImageConfig::default(), &mut layer).unwrap();
        let Change::File { content, .. } = &layer.changes[0] else { panic!("a file") };
        assert_eq!(*content, FileContent::Bytes(b"{}\n".to_vec()));
    }
}
