//! Lines of JSON: an object with `schemaVersion` and one more member, which says what the line is.

use std::fmt;

use nex_contract::Document;
use nex_fault::{Code, Fault, Remedy};
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::api::codes;

/// The most bytes of a supervisor's line, with its end: a report has the last of a guest's console in it.
pub const LONGEST_LINE: usize = 4 << 20;

/// The most bytes of a client's line, with its end.
pub const LONGEST_REQUEST: usize = 64 << 10;

/// What says which form a line has.
const VERSION: &str = "schemaVersion";

/// Why a line says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LineError {
    /// It is longer than lines may be.
    #[error("a line of more than {0} bytes")]
    TooLong(usize),
    /// It is of a form that another nex writes.
    #[error("a line of version {0}, and this nex speaks version 1")]
    Version(u32),
    /// It is no such object.
    #[error("no line of this protocol: {0}")]
    Form(String),
}

impl Fault for LineError {
    fn code(&self) -> Code {
        codes::REQUEST
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Version(_) => Some(Remedy::say("use the nex that has started the guest")),
            Self::TooLong(_) | Self::Form(_) => None,
        }
    }
}

/// A line, with its end.
///
/// # Errors
/// When it is too long.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, LineError> {
    let json = serde_json::to_string(message).map_err(form)?;
    let body = json.strip_prefix('{').ok_or_else(|| LineError::Form("no object".into()))?;
    let line = format!("{{\"{VERSION}\":{},{body}\n", Document::Supervisor.schema_version());
    if line.len() > LONGEST_LINE { Err(LineError::TooLong(LONGEST_LINE)) } else { Ok(line.into_bytes()) }
}

/// Reads a line, which is without its end.
///
/// # Errors
/// When it is of another version, or says nothing that this one knows.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, LineError> {
    let Members(members) = serde_json::from_slice(line).map_err(form)?;
    let (versions, bodies): (Vec<_>, Vec<_>) = members.into_iter().partition(|(name, _)| name == VERSION);
    match versions.as_slice() {
        [(_, version)] => match version.get().parse() {
            Ok(version) if version == Document::Supervisor.schema_version() => {}
            Ok(version) => return Err(LineError::Version(version)),
            Err(_) => return Err(LineError::Form(format!("{VERSION} is no number"))),
        },
        _ => return Err(LineError::Form(format!("it needs one {VERSION}"))),
    }
    let [(name, body)] = bodies.as_slice() else {
        return Err(LineError::Form(format!("it needs one member beside {VERSION}")));
    };
    // Derived readers would take a list of values for an object.
    if !body.get().starts_with('{') {
        return Err(LineError::Form("its member is no object".into()));
    }
    let name = serde_json::to_string(name).map_err(form)?;
    serde_json::from_str(&format!("{{{name}:{}}}", body.get())).map_err(form)
}

fn form(error: serde_json::Error) -> LineError {
    LineError::Form(nex_text::one_line(&error.to_string()))
}

/// The members of an object as they stand there, be they there twice.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// Puts lines together from what a socket gives.
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    longest: usize,
}

impl Default for LineBuffer {
    /// For the lines of a supervisor.
    fn default() -> Self {
        Self::up_to(LONGEST_LINE)
    }
}

impl LineBuffer {
    /// For lines of so many bytes at most, with their ends.
    pub fn up_to(longest: usize) -> Self {
        Self { bytes: Vec::new(), longest }
    }

    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next line, without its end; `None` when it is not whole yet.
    ///
    /// # Errors
    /// When it is longer than lines may be. It stays so.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        match self.bytes.iter().take(self.longest).position(|byte| *byte == b'\n') {
            Some(end) => {
                let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
                line.pop();
                Ok(Some(line))
            }
            None if self.bytes.len() >= self.longest => Err(LineError::TooLong(self.longest)),
            None => Ok(None),
        }
    }

    /// What was read behind the last line: the beginning of what is no line, such as frames.
    pub fn into_rest(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Answer, Ended, Failure, Notice, Order, Request};
    use crate::reason::Reason;

    #[test]
    fn requests_have_the_documented_form_and_come_back() {
        for (request, json) in [
            (Request::Inspect {}, r#""inspect":{}"#),
            (Request::Events {}, r#""events":{}"#),
            (Request::Stop { timeout_ms: None }, r#""stop":{}"#),
            (Request::Stop { timeout_ms: Some(5) }, r#""stop":{"timeoutMs":5}"#),
            (Request::Kill { signal: 15 }, r#""kill":{"signal":15}"#),
            (Request::Channel {}, r#""channel":{}"#),
        ] {
            let line = encode(&request).unwrap();
            assert_eq!(String::from_utf8_lossy(&line), format!("{{\"schemaVersion\":1,{json}}}\n"));
            assert_eq!(decode::<Request>(&line).unwrap(), request);
        }
        let order = Order::Signal { number: 2 };
        assert_eq!(decode::<Order>(&encode(&order).unwrap()).unwrap(), order);
    }

    #[test]
    fn what_is_unknown_twice_or_missing_is_refused() {
        for json in [
            "",
            "[]",
            "{}",
            r#"{"inspect":{}}"#,
            r#"{"schemaVersion":1}"#,
            r#"{"schemaVersion":1,"schemaVersion":1,"inspect":{}}"#,
            r#"{"schemaVersion":1,"inspect":{},"inspect":{}}"#,
            r#"{"schemaVersion":1,"inspect":{},"stop":{}}"#,
            r#"{"schemaVersion":1,"inspect":{"all":true}}"#,
            r#"{"schemaVersion":1,"inspect":null}"#,
            r#"{"schemaVersion":1,"inspect":[]}"#,
            r#"{"schemaVersion":1,"kill":[9]}"#,
            r#"{"schemaVersion":1,"dance":{}}"#,
            r#"{"schemaVersion":1,"kill":{"signal":256}}"#,
            r#"{"schemaVersion":"1","inspect":{}}"#,
            r#"{"schemaVersion":1,"inspect":{}} x"#,
        ] {
            assert!(matches!(decode::<Request>(json.as_bytes()), Err(LineError::Form(_))), "{json}");
        }
        let later = decode::<Request>(br#"{"schemaVersion":2,"inspect":{}}"#);
        assert_eq!(later, Err(LineError::Version(2)));
    }

    #[test]
    fn an_end_keeps_the_report_as_it_was_written() {
        let report = RawValue::from_string(r#"{"schemaVersion":1,"b":1,"a":"\u202e"}"#.into()).unwrap();
        let ended =
            Ended { report: Some(report), text: vec!["a".into()], ..Ended::because_of(Reason::Exited { code: 3 }) };
        let line = encode(&Notice::Ended(ended)).unwrap();
        let json = r#"{"schemaVersion":1,"ended":{"reason":"exited","code":3,"exitCode":3,"report":{"schemaVersion":1,"b":1,"a":"\u202e"},"text":["a"]}}"#;
        assert_eq!(String::from_utf8_lossy(&line), format!("{json}\n"));
        let Notice::Ended(ended) = decode(&line).unwrap() else { panic!("another line") };
        assert_eq!(ended.reason, Reason::Exited { code: 3 });
        assert_eq!(ended.report.unwrap().get(), r#"{"schemaVersion":1,"b":1,"a":"\u202e"}"#);
        let failure =
            Failure { code: "c".into(), message: "m".into(), causes: vec!["d".into()], hint: Some("h".into()) };
        assert_eq!(failure.to_string(), "m: d; h");
        let Answer::Error(back) = decode(&encode(&Answer::Error(failure.clone())).unwrap()).unwrap() else { panic!() };
        assert_eq!(back, failure);
    }

    #[test]
    fn lines_are_found_however_they_come() {
        let mut buffer = LineBuffer::default();
        buffer.push(b"one\ntw");
        assert_eq!(buffer.next_line(), Ok(Some(b"one".to_vec())));
        assert_eq!(buffer.next_line(), Ok(None));
        buffer.push(b"o\n\x89rest");
        assert_eq!(buffer.next_line(), Ok(Some(b"two".to_vec())));
        assert_eq!(buffer.into_rest(), b"\x89rest");
        let mut buffer = LineBuffer::up_to(LONGEST_REQUEST);
        buffer.push(&[b'x'; LONGEST_REQUEST - 1]);
        assert_eq!(buffer.next_line(), Ok(None));
        buffer.push(b"x");
        assert_eq!(buffer.next_line(), Err(LineError::TooLong(LONGEST_REQUEST)));
    }
}
