//! What a workload drive says about its program.

use serde::{Deserialize, Serialize};

use crate::form;
use crate::{Json, Pid1, Restart, Stdin, Terminal};

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
    /// Where its standard streams lead.
    #[serde(skip_serializing_if = "Streams::are_lines")]
    pub streams: Streams,
}

/// Where the standard streams of a workload lead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Streams {
    /// Its output becomes lines of the agent's, and it has no input.
    #[default]
    Lines,
    /// They go over the channel to the host, which attaches to them ([`Request::Attach`](crate::Request::Attach)). The workload begins
    /// once it has.
    Channel(#[serde(deserialize_with = "form::object")] ChannelStreams),
}

impl Streams {
    /// Whether output becomes lines.
    pub fn are_lines(&self) -> bool {
        *self == Self::Lines
    }
}

/// A workload's standard streams on the channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ChannelStreams {
    /// Its standard input. That of the channel goes to the first program that runs; a workload that is started again goes on with it.
    #[serde(deserialize_with = "form::word")]
    pub stdin: Stdin,
    /// A terminal of its own in place of pipes, whose output is all standard output.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "form::some_object")]
    pub terminal: Option<Terminal>,
}

/// What it does not know is an error.
impl Json for Workload {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TerminalSize;

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
    fn streams_have_the_documented_form_and_come_back() {
        let of = |streams: &str| Workload::from_json(format!(r#"{{"streams":{streams}}}"#).as_bytes());
        let terminal = Terminal { size: TerminalSize { rows: 24, columns: 80 }, term: "xterm".into() };
        for (json, streams) in [
            (r#"{"channel":{"stdin":"null"}}"#, ChannelStreams::default()),
            (
                r#"{"channel":{"stdin":"stream","terminal":{"size":{"rows":24,"columns":80},"term":"xterm"}}}"#,
                ChannelStreams { stdin: Stdin::Stream, terminal: Some(terminal) },
            ),
        ] {
            let workload = of(json).unwrap();
            assert_eq!(workload.streams, Streams::Channel(streams));
            let written = String::from_utf8(workload.to_json().unwrap()).unwrap();
            assert!(written.contains(&format!(r#""streams":{json}"#)), "{written}");
        }
        assert_eq!(of(r#"{"channel":{}}"#).unwrap().streams, Streams::Channel(ChannelStreams::default()));
        assert_eq!(of(r#""lines""#).unwrap(), Workload::default());
        for json in [
            "null",
            "{}",
            r#""channel""#,
            r#"{"channel":{"tty":true}}"#,
            r#"{"channel":{"stdin":"file"}}"#,
            r#"{"channel":{"terminal":null}}"#,
            r#"{"channel":["stream"]}"#,
        ] {
            assert!(of(json).is_err(), "{json}");
        }
    }

    #[test]
    fn everything_may_be_missing_and_nothing_may_be_unknown() {
        assert_eq!(Workload::from_json(b"{}").unwrap(), Workload::default());
        assert!(Workload::from_json(br#"{"usr":"nex"}"#).is_err());
        assert!(Workload::from_json(br#"{"restart":"sometimes"}"#).unwrap_err().to_string().contains("restart policy"));
    }
}
