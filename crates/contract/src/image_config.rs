//! What the image says about its workload.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{IMAGE_FILE, Json, MAX_FILE, Pid1, Root, Workload};

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
    /// Who is process 1, which is nex's own word and no image's.
    #[serde(skip_serializing_if = "Pid1::is_agent")]
    pub pid1: Pid1,
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

/// An empty value and a missing one are the same, as they are in an image; what it does not know it passes over.
impl Json for ImageConfig {}

impl ImageConfig {
    /// Reads it from a root; `None` where the root has none, as when nex has not made it.
    ///
    /// # Errors
    /// When it cannot be read, or is no such configuration.
    pub fn of(root: &dyn Root) -> Result<Option<Self>, String> {
        let Some(json) = root.read(IMAGE_FILE, MAX_FILE + 1)? else { return Ok(None) };
        if json.len() as u64 > MAX_FILE {
            return Err(format!("it is longer than {MAX_FILE} bytes"));
        }
        Self::from_json(&json).map(Some).map_err(|error| error.to_string())
    }

    /// The image's program as a workload, with these arguments in place of the image's, if there are any; its `program` is empty where
    /// nobody names one.
    pub fn workload(self, args: Vec<String>) -> Workload {
        let Self { cmd, entrypoint, env, pid1, stop_signal, user, working_dir, .. } = self;
        let mut words = entrypoint.into_iter().chain(if args.is_empty() { cmd } else { args });
        let program = words.next().unwrap_or_default();
        Workload { program, args: words.collect(), env, user, working_dir, stop_signal, pid1, ..Workload::default() }
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
        let handed_over = ImageConfig { pid1: Pid1::Image, ..ImageConfig::default() };
        assert_eq!(handed_over.to_json().unwrap(), b"{\"pid1\":\"image\"}\n");
        assert_eq!(ImageConfig::from_json(br#"{"pid1":"image"}"#).unwrap(), handed_over);
        assert!(ImageConfig::from_json(br#"{"pid1":"nobody"}"#).is_err());
    }

    #[test]
    fn arguments_take_the_place_of_the_command_behind_the_entrypoint() {
        let strings = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let config =
            ImageConfig { entrypoint: strings(&["/entry", "-x"]), cmd: strings(&["serve"]), ..ImageConfig::default() };
        let run = |config: &ImageConfig, args: &[&str]| {
            let workload = config.clone().workload(strings(args));
            (workload.program, workload.args)
        };
        assert_eq!(run(&config, &[]), ("/entry".into(), strings(&["-x", "serve"])));
        assert_eq!(run(&config, &["test", ""]), ("/entry".into(), strings(&["-x", "test", ""])));
        let without = ImageConfig { entrypoint: Vec::new(), ..config };
        assert_eq!(run(&without, &["uname", "-a"]), ("uname".into(), strings(&["-a"])));
        assert_eq!(run(&ImageConfig::default(), &[]), (String::new(), Vec::new()));
    }
}
