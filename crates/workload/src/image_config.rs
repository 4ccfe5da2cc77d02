//! What the image says about its workload.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The part of an image's configuration that concerns who runs it.
///
/// The fields stand in the order of their JSON names, so that the same image gives the same bytes from any source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
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

impl ImageConfig {
    /// The file's content. An empty value and a missing one are the same, as they are in an image.
    ///
    /// # Errors
    /// None that a value of this type can give.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads the file's content; what it does not know it passes over.
    ///
    /// # Errors
    /// When that is no such configuration.
    pub fn from_json(json: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let json = config.to_json().unwrap();
        let expected = "{\"cmd\":[\"serve\"],\"env\":[\"Z=1\",\"A=2\"],\"exposedPorts\":[\"53/udp\",\"80/tcp\"],\
                        \"labels\":{\"a\":\"\u{1f980}\\\"\",\"b\":\"2\"},\"workingDir\":\"/srv\"}\n";
        assert_eq!(String::from_utf8_lossy(&json), expected);
        assert_eq!(ImageConfig::from_json(&json).unwrap(), config);
    }

    #[test]
    fn an_image_without_config_gives_an_empty_object() {
        assert_eq!(ImageConfig::default().to_json().unwrap(), b"{}\n");
        assert_eq!(ImageConfig::from_json(br#"{"later":1}"#).unwrap(), ImageConfig::default());
    }
}
