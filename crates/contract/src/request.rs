//! What a stream of the channel between host and guest is opened for.

use serde::{Deserialize, Serialize};

use crate::ByteString;
use crate::form;
use crate::request_error::RequestError;
use crate::request_limits::{MAX_NAME, MAX_PATH, MAX_REQUEST, MAX_STRING, MAX_STRINGS};
use crate::tar_request::{TarIn, TarOut};

/// What the guest is asked to do, with the standard streams of the channel.
///
/// ```json
/// {"exec":{"argv":["ls","-l"],"env":["LANG=C.UTF-8"],"user":"1000","workingDir":"/srv","stdin":"stream",
///          "terminal":{"size":{"rows":24,"columns":80},"term":"xterm"}}}
/// {"tarIn":{"path":"/srv","place":"copy","owners":"kept"}}
/// {"tarOut":{"path":"/etc/hosts","link":"followed"}}
/// {"attach":{"stdin":"stream","size":{"rows":24,"columns":80}}}
/// ```
///
/// A field that the guest does not know is an error: what was asked for must not be left out in silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// Runs a program.
    Exec(#[serde(deserialize_with = "form::object")] Exec),
    /// Writes what the tar of the standard input holds.
    TarIn(#[serde(deserialize_with = "form::object")] TarIn),
    /// Reads a file or a directory, as a tar on the standard output.
    TarOut(#[serde(deserialize_with = "form::object")] TarOut),
    /// Connects with the workload, which runs already.
    Attach(#[serde(deserialize_with = "form::object")] Attach),
}

/// A program, and how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exec {
    /// The program, by its path or by a name to be looked up in `PATH`, and its arguments.
    pub argv: Vec<ByteString>,
    /// Environment beside that of the workload, each `NAME=value`: a later one wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<ByteString>,
    /// User, or user and group with a colon between, by name or number; the workload's without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The directory that the program starts in, an absolute path; the workload's without one.
    #[serde(default, skip_serializing_if = "ByteString::is_empty")]
    pub working_dir: ByteString,
    /// The program's standard input.
    #[serde(default, deserialize_with = "form::word")]
    pub stdin: Stdin,
    /// A terminal of its own for the program, in place of pipes. Its output is all standard output.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "form::some_object")]
    pub terminal: Option<Terminal>,
}

/// Where a program's standard input comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stdin {
    /// Nowhere: it is `/dev/null`.
    #[default]
    Null,
    /// From the channel.
    Stream,
}

/// A terminal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Terminal {
    /// Its size at the start.
    #[serde(deserialize_with = "form::object")]
    pub size: TerminalSize,
    /// Its type (`TERM`), of printable ASCII without spaces; empty where the host does not know it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub term: String,
}

/// The size of a terminal, in characters; 0 where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// A connection with the workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Attach {
    /// Whether the workload gets input.
    #[serde(default, deserialize_with = "form::word")]
    pub stdin: Stdin,
    /// The size that the workload's terminal, if it has one, gets at the start.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "form::some_object")]
    pub size: Option<TerminalSize>,
}

impl Request {
    /// Whether the host has standard input for it.
    pub fn stdin(&self) -> Stdin {
        match self {
            Self::Exec(exec) => exec.stdin,
            Self::TarIn(_) => Stdin::Stream,
            Self::TarOut(_) => Stdin::Null,
            Self::Attach(attach) => attach.stdin,
        }
    }

    /// The request as JSON.
    ///
    /// # Errors
    /// When it is over a limit, or asks for what makes no sense; the guest would refuse it.
    pub fn to_json(&self) -> Result<Vec<u8>, RequestError> {
        self.check()?;
        let json = serde_json::to_vec(self).map_err(RequestError::Json)?;
        if json.len() > MAX_REQUEST { Err(RequestError::TooLong(json.len())) } else { Ok(json) }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// When this version does not know it, or when it is over a limit, or asks for what makes no sense.
    pub fn from_json(json: &[u8]) -> Result<Self, RequestError> {
        if json.len() > MAX_REQUEST {
            return Err(RequestError::TooLong(json.len()));
        }
        let request: Self = serde_json::from_slice(json).map_err(RequestError::Json)?;
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), RequestError> {
        match self {
            Self::Exec(exec) => exec.check(),
            Self::TarIn(TarIn { path, .. }) | Self::TarOut(TarOut { path, .. }) => check_path(path),
            Self::Attach(_) => Ok(()),
        }
    }
}

impl Exec {
    fn check(&self) -> Result<(), RequestError> {
        if self.argv.first().is_none_or(ByteString::is_empty) {
            return Err(RequestError::NoProgram);
        }
        for strings in [&self.argv, &self.env] {
            if strings.len() > MAX_STRINGS {
                return Err(RequestError::TooManyStrings(strings.len()));
            }
            if let Some(long) = strings.iter().find(|string| string.as_bytes().len() > MAX_STRING) {
                return Err(RequestError::LongString(long.clone()));
            }
        }
        let is_variable = |variable: &ByteString| variable.as_bytes().iter().position(|&byte| byte == b'=') > Some(0);
        if let Some(other) = self.env.iter().find(|variable| !is_variable(variable)) {
            return Err(RequestError::Variable(other.clone()));
        }
        if !self.working_dir.is_empty() {
            check_path(&self.working_dir)?;
        }
        let term = self.terminal.as_ref().map_or("", |terminal| &terminal.term);
        if self.user.len() > MAX_NAME || self.user.contains('\0') {
            return Err(RequestError::User(self.user.clone()));
        }
        if term.len() > MAX_NAME || !term.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RequestError::Term(term.to_owned()));
        }
        Ok(())
    }
}

fn check_path(path: &ByteString) -> Result<(), RequestError> {
    let is_path = path.as_bytes().starts_with(b"/") && path.as_bytes().len() <= MAX_PATH;
    if is_path { Ok(()) } else { Err(RequestError::Path(path.clone())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar_request::{TarLink, TarOwners, TarPlace};

    fn bytes(text: &str) -> ByteString {
        ByteString::new(text).unwrap()
    }

    fn exec(argv: &[&str]) -> Exec {
        Exec { argv: argv.iter().map(|argument| bytes(argument)).collect(), ..Exec::default() }
    }

    #[test]
    fn requests_have_the_documented_form_and_come_back() {
        let full = Exec {
            argv: vec![bytes("ls"), ByteString::new(*b"\xff").unwrap()],
            env: vec![bytes("A=")],
            user: "1:2".into(),
            working_dir: bytes("/srv"),
            stdin: Stdin::Stream,
            terminal: Some(Terminal { size: TerminalSize { rows: 24, columns: 80 }, term: "xterm".into() }),
        };
        let path = || bytes("/a/.");
        let (place, owners) = (TarPlace::default(), TarOwners::default());
        let size = Some(TerminalSize { rows: 1, columns: 2 });
        for (request, json) in [
            (
                Request::Exec(full),
                concat!(
                    r#"{"exec":{"argv":["ls",{"hex":"ff"}],"env":["A="],"user":"1:2","workingDir":"/srv","stdin":"stream","#,
                    r#""terminal":{"size":{"rows":24,"columns":80},"term":"xterm"}}}"#
                ),
            ),
            (Request::Exec(exec(&["a"])), r#"{"exec":{"argv":["a"],"stdin":"null"}}"#),
            (
                Request::TarIn(TarIn { path: path(), place, owners }),
                r#"{"tarIn":{"path":"/a/.","place":"below","owners":"own"}}"#,
            ),
            (
                Request::TarIn(TarIn { path: path(), place: TarPlace::Copy, owners: TarOwners::Kept }),
                r#"{"tarIn":{"path":"/a/.","place":"copy","owners":"kept"}}"#,
            ),
            (
                Request::TarOut(TarOut { path: path(), link: TarLink::Kept }),
                r#"{"tarOut":{"path":"/a/.","link":"kept"}}"#,
            ),
            (
                Request::TarOut(TarOut { path: path(), link: TarLink::Followed }),
                r#"{"tarOut":{"path":"/a/.","link":"followed"}}"#,
            ),
            (Request::Attach(Attach::default()), r#"{"attach":{"stdin":"null"}}"#),
            (
                Request::Attach(Attach { stdin: Stdin::Stream, size }),
                r#"{"attach":{"stdin":"stream","size":{"rows":1,"columns":2}}}"#,
            ),
        ] {
            assert_eq!(String::from_utf8(request.to_json().unwrap()).unwrap(), json);
            assert_eq!(Request::from_json(json.as_bytes()).unwrap(), request);
        }
        assert_eq!(Request::from_json(br#"{"exec":{"argv":["a"]}}"#).unwrap(), Request::Exec(exec(&["a"])));
        let short = Request::from_json(br#"{"tarIn":{"path":"/a/."}}"#).unwrap();
        assert_eq!(short, Request::TarIn(TarIn { path: path(), place, owners }));
    }

    #[test]
    fn what_is_unknown_twice_or_missing_is_refused() {
        for json in [
            "",
            "null",
            "{}",
            r#""exec""#,
            r#"{"exec":{}}"#,
            r#"{"exec":{"argv":["a"],"usr":"b"}}"#,
            r#"{"exec":{"argv":["a"],"argv":["b"]}}"#,
            r#"{"exec":{"argv":["a"]},"attach":{}}"#,
            r#"{"exec":{"argv":["a"],"terminal":{"size":{"rows":24}}}}"#,
            r#"{"exec":{"argv":["a"],"terminal":{"size":{"rows":65536,"columns":1}}}}"#,
            r#"{"exec":{"argv":["a"],"stdin":true}}"#,
            r#"{"tarIn":{"path":"/a","mode":1}}"#,
            r#"{"attach":{"tty":true}}"#,
            r#"{"run":{"argv":["a"]}}"#,
            r#"{"attach":{}} x"#,
            // What serde would take, and the documentation does not have.
            r#"{"exec":[["copy",{"hex":"ff"}],[],"","","stream"]}"#,
            r#"{"tarIn":["/a"]}"#,
            r#"{"tarOut":["/a"]}"#,
            r#"{"attach":[]}"#,
            r#"{"exec":{"argv":["a",["ff"]]}}"#,
            r#"{"exec":{"argv":["a"],"stdin":{"stream":null}}}"#,
            r#"{"exec":{"argv":["a"],"stdin":null}}"#,
            r#"{"exec":{"argv":["a"],"terminal":null}}"#,
            r#"{"exec":{"argv":["a"],"terminal":[{"rows":1,"columns":1}]}}"#,
            r#"{"exec":{"argv":["a"],"terminal":{"size":[1,1]}}}"#,
            r#"{"exec":{"argv":["a"],"user":null}}"#,
            r#"{"exec":{"argv":["a"],"env":null}}"#,
            r#"{"tarIn":{"path":"/a","place":{"copy":null}}}"#,
            r#"{"tarIn":{"path":"/a","owners":{"kept":null}}}"#,
            r#"{"tarOut":{"path":"/a","link":{"kept":null}}}"#,
            r#"{"attach":{"stdin":{"stream":null}}}"#,
            r#"{"attach":{"size":null}}"#,
            r#"{"attach":{"size":[1,1]}}"#,
        ] {
            let error = Request::from_json(json.as_bytes()).unwrap_err();
            assert!(matches!(error, RequestError::Json(_)), "{json}: {error}");
        }
    }

    #[test]
    fn limits_hold_for_who_asks_and_for_who_is_asked() {
        let request = |change: fn(&mut Exec)| {
            let mut exec = exec(&["a"]);
            change(&mut exec);
            Request::Exec(exec)
        };
        let of = |change| {
            let request = request(change);
            let error = request.to_json().unwrap_err();
            let sent = serde_json::to_vec(&request).unwrap();
            assert_eq!(error.to_string(), Request::from_json(&sent).unwrap_err().to_string());
            error
        };
        assert!(matches!(of(|exec| exec.argv.clear()), RequestError::NoProgram));
        assert!(matches!(of(|exec| exec.argv = vec![bytes("")]), RequestError::NoProgram));
        assert!(matches!(of(|exec| exec.argv = vec![bytes("a"); MAX_STRINGS + 1]), RequestError::TooManyStrings(4097)));
        assert!(matches!(of(|exec| exec.env = vec![bytes("a="); MAX_STRINGS + 1]), RequestError::TooManyStrings(4097)));
        assert!(matches!(of(|exec| exec.argv.push(bytes(&"a".repeat(MAX_STRING + 1)))), RequestError::LongString(_)));
        assert!(matches!(of(|exec| exec.env = vec![bytes("a")]), RequestError::Variable(_)));
        assert!(matches!(of(|exec| exec.env = vec![bytes("=a")]), RequestError::Variable(_)));
        assert!(matches!(of(|exec| exec.working_dir = bytes("a")), RequestError::Path(_)));
        assert!(matches!(of(|exec| exec.working_dir = bytes(&"/".repeat(MAX_PATH + 1))), RequestError::Path(_)));
        assert!(matches!(of(|exec| exec.user = "u".repeat(MAX_NAME + 1)), RequestError::User(_)));
        let term =
            |exec: &mut Exec| exec.terminal = Some(Terminal { size: TerminalSize::default(), term: "a b".into() });
        assert!(matches!(of(term), RequestError::Term(_)));
        let long = |exec: &mut Exec| exec.argv = vec![bytes(&"a".repeat(MAX_STRING)); 3];
        assert!(matches!(of(long), RequestError::TooLong(_)));
        let relative = Request::TarOut(TarOut { path: bytes("a"), link: TarLink::Kept });
        assert!(matches!(relative.to_json(), Err(RequestError::Path(_))));
        let largest = request(|exec| {
            exec.argv = vec![bytes("a"); MAX_STRINGS];
            exec.env = vec![bytes(&format!("A={}", "a".repeat(MAX_STRING - 2)))];
            exec.working_dir = bytes(&"/".repeat(MAX_PATH));
        });
        assert_eq!(Request::from_json(&largest.to_json().unwrap()).unwrap(), largest);
    }
}
