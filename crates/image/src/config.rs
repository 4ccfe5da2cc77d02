//! The image's config: what to run, as whom, and how the layers came to be.
//!
//! All of it is data from outside: nothing here is interpreted, and who prints it must escape it.

use std::collections::BTreeMap;

use nex_registry::Digest;
use nex_text::short_name;
use serde::Deserialize;

use crate::document::json;
use crate::error::Error;
use crate::platform::Platform;
use crate::timestamp;

/// An image's config, the same whether OCI's or Docker's JSON said it. An empty field is one that was not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The arguments after these, or the program if there is no entrypoint.
    pub cmd: Vec<String>,
    /// `NAME=value`, in the image's order.
    pub env: Vec<String>,
    /// `user`, `uid`, `user:group`, `uid:gid`, as the image says it.
    pub user: String,
    /// The working directory.
    pub working_dir: String,
    /// The signal that ends the program.
    pub stop_signal: String,
    /// Labels, by name.
    pub labels: BTreeMap<String, String>,
    /// `80/tcp` and the like, sorted.
    pub exposed_ports: Vec<String>,
    /// Directories that are volumes, sorted.
    pub volumes: Vec<String>,
    /// When the image was made, in seconds since 1970. Times before that are none: tools without a clock write year 1.
    pub created: Option<i64>,
    /// The system that it is for; empty if the image does not say.
    pub os: String,
    /// The architecture that it is for; empty if the image does not say.
    pub architecture: String,
    /// The architecture's variant.
    pub variant: Option<String>,
    /// The build steps, first one first.
    pub history: Vec<History>,
}

/// A build step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct History {
    /// The command.
    pub created_by: String,
    /// Whether the step made no layer.
    pub empty_layer: bool,
}

/// The document, with the names that the specification gives.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    created: Option<String>,
    os: String,
    architecture: String,
    variant: Option<String>,
    config: RawRun,
    rootfs: Rootfs,
    history: Vec<History>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawRun {
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    env: Vec<String>,
    user: String,
    working_dir: String,
    stop_signal: String,
    labels: BTreeMap<String, String>,
    exposed_ports: BTreeMap<String, serde::de::IgnoredAny>,
    volumes: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rootfs {
    diff_ids: Vec<String>,
}

impl Config {
    /// Reads a config; gives it with the diff_ids, lowest layer first. `what` names it in errors.
    pub(crate) fn parse(what: &str, content: &[u8]) -> Result<(Config, Vec<Digest>), Error> {
        let raw: Raw = json(what, content)?;
        let wrong = |problem: String| Error::document(what, problem);
        let diff_ids = raw.rootfs.diff_ids.iter().map(|text| text.parse()).collect::<Result<_, _>>();
        let diff_ids = diff_ids.map_err(|error| wrong(format!("has a wrong diff_id: {error}")))?;
        let created = raw.created.as_deref().filter(|text| !text.is_empty()).map(|text| {
            timestamp::seconds(text)
                .ok_or_else(|| wrong(format!("has '{}' for a creation time; expected RFC 3339", short_name(text))))
        });
        let config = Config {
            entrypoint: raw.config.entrypoint,
            cmd: raw.config.cmd,
            env: raw.config.env,
            user: raw.config.user,
            working_dir: raw.config.working_dir,
            stop_signal: raw.config.stop_signal,
            labels: raw.config.labels,
            exposed_ports: raw.config.exposed_ports.into_keys().collect(),
            volumes: raw.config.volumes.into_keys().collect(),
            created: created.transpose()?.filter(|&seconds| seconds >= 0),
            os: raw.os,
            architecture: raw.architecture,
            variant: raw.variant.filter(|variant| !variant.is_empty()),
            history: raw.history,
        };
        if let Some(text) = config.texts().find(|text| text.contains('\0')) {
            return Err(wrong(format!("has a NUL in '{}'", short_name(text))));
        }
        Ok((config, diff_ids))
    }

    /// The platform, if the config says one.
    pub(crate) fn platform(&self) -> Option<Platform> {
        let is_said = !self.os.is_empty() && !self.architecture.is_empty();
        is_said.then(|| Platform::new(&self.os, &self.architecture, self.variant.as_deref()))
    }

    /// The build step of each of `layers` layers. Nothing if the history does not fit, which no rule demands.
    pub(crate) fn created_by(&self, layers: usize) -> Vec<Option<String>> {
        let steps: Vec<_> = self.history.iter().filter(|step| !step.empty_layer).collect();
        if steps.len() != layers {
            return vec![None; layers];
        }
        steps.iter().map(|step| Some(step.created_by.clone()).filter(|step| !step.is_empty())).collect()
    }

    /// Everything that may end up in a guest's file, where a NUL would cut it.
    fn texts(&self) -> impl Iterator<Item = &String> {
        let lists = [&self.entrypoint, &self.cmd, &self.env, &self.exposed_ports, &self.volumes];
        let labels = self.labels.iter().flat_map(|(name, value)| [name, value]);
        lists.into_iter().flatten().chain([&self.user, &self.working_dir, &self.stop_signal]).chain(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_and_oci_say_the_same() {
        let oci = br#"{"created":"2024-05-22T18:18:11Z","architecture":"amd64","os":"linux",
            "config":{"Env":["PATH=/bin"],"Cmd":["/bin/sh"]},"rootfs":{"type":"layers","diff_ids":[]}}"#;
        let docker =
            br#"{"architecture":"amd64","config":{"Hostname":"","User":"","ExposedPorts":null,"Env":["PATH=/bin"],
            "Cmd":["/bin/sh"],"Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null},
            "container_config":{"Cmd":["x"]},"created":"2024-05-22T18:18:11Z","docker_version":"20","os":"linux",
            "history":null,"rootfs":{"type":"layers","diff_ids":null}}"#;
        let (oci, _) = Config::parse("oci", oci).expect("a config");
        assert_eq!(oci.created, Some(1_716_401_891));
        assert_eq!(oci, Config::parse("docker", docker).expect("a config").0);
    }

    #[test]
    fn a_time_before_1970_is_no_time() {
        let created = |time: &str| {
            let json = format!(r#"{{"created":"{time}"}}"#);
            Config::parse("config", json.as_bytes()).expect("a config").0.created
        };
        assert_eq!(created("0001-01-01T00:00:00Z"), None);
        assert_eq!(created("1969-12-31T23:59:59Z"), None);
        assert_eq!(created("1970-01-01T00:00:00Z"), Some(0));
    }

    #[test]
    fn history_names_the_layers_only_if_it_fits() {
        let json = br#"{"history":[{"created_by":"ADD a"},{"created_by":"CMD b","empty_layer":true}]}"#;
        let (config, _) = Config::parse("config", json).expect("a config");
        assert_eq!(config.created_by(1), [Some("ADD a".to_owned())]);
        assert_eq!(config.created_by(2), [None, None]);
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for json in [
            &br#"[]"#[..],
            br#"{"created":"yesterday"}"#,
            br#"{"rootfs":{"diff_ids":["sha256:0"]}}"#,
            br#"{"config":{"Env":["A=\u0000"]}}"#,
            br#"{"config":{"Env":[1]}}"#,
        ] {
            assert!(Config::parse("config", json).is_err(), "{}", String::from_utf8_lossy(json));
        }
    }
}
