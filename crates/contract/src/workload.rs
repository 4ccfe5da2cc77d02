//! What a workload drive says about its program.

use serde::{Deserialize, Serialize};

use crate::{Json, Pid1, Restart};

/// How the program of a workload drive is run.
///
/// The program is the drive's own, or, where `program` names one, one of the root's.
///
/// ```json
/// {"argv0":"hello","args":["--name","world"],"env":["LANG=C.UTF-8"],"user":"1000:1000","workingDir":"/srv","restart":"on-failure:3"}
/// ```
///
/// Every field may be missing. A field that the agent does not know is an error: what was asked for must not be left out in
/// silence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Workload {
    /// A program of the root, by its path or by a name to be looked up in `PATH`; without one, the drive's own is run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// The name that the program is called by; without one, `binary` or what `program` says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub argv0: String,
    /// The arguments after that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment, each `NAME=value`: a later one wins. `PATH` and `HOME` have values without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// User, or user and group with a colon between, by name or number; root without one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The directory that the program starts in; `/` without one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// The signal that stops it, by name (`SIGQUIT`, `QUIT`) or number; `SIGTERM` without one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// How many files it may have open, soft and hard; 1,048,576 without it, or as many as the guest's kernel gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Who is process 1: with `image`, the program takes the agent's place, and is not started again.
    #[serde(skip_serializing_if = "Pid1::is_agent")]
    pub pid1: Pid1,
    /// Whether it is started again.
    pub restart: Restart,
}

/// What it does not know is an error.
impl Json for Workload {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_comes_back() {
        let workload = Workload {
            argv0: "hello".into(),
            args: vec!["--name".into(), "w\u{f6}rld\n".into(), String::new()],
            env: vec!["A=1".into()],
            user: "1000:nex".into(),
            restart: Restart::OnFailure { times: Some(3) },
            ..Workload::default()
        };
        let json = workload.to_json().unwrap();
        assert!(json.starts_with(br#"{"argv0":"hello","args":["--name","#), "{}", json.escape_ascii());
        assert_eq!(Workload::from_json(&json).unwrap(), workload);
    }

    #[test]
    fn everything_may_be_missing_and_nothing_may_be_unknown() {
        assert_eq!(Workload::from_json(b"{}").unwrap(), Workload::default());
        assert!(Workload::from_json(br#"{"usr":"nex"}"#).is_err());
        assert!(Workload::from_json(br#"{"restart":"sometimes"}"#).unwrap_err().to_string().contains("restart policy"));
    }
}
