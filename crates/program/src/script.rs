//! A script as a program: `#!interpreter argument`.

use nex_fault::{Code, Fault, Remedy};
use nex_inspect::{View, is_executable, name};

use crate::codes;

/// As much of the first line as the kernel looks at (`BINPRM_BUF_SIZE`).
pub const LONGEST_LINE: usize = 256;

/// Where programs are looked for by name in a guest.
const PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The first line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The program that runs it.
    pub interpreter: Vec<u8>,
    /// All that stands behind, which is one argument.
    argument: Option<Vec<u8>>,
}

/// Why the kernel starts no script that begins so, or not what was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadScript {
    /// The line ends as on Windows: the CR belongs to the name of the interpreter, or to its argument.
    #[error("its first line ends with CRLF, as on Windows, so that the CR becomes a part of '{}'", nex_text::short_name(.0))]
    Crlf(Vec<u8>),
    /// No interpreter is named.
    #[error("it begins with #! and names no interpreter behind it")]
    NoInterpreter,
    /// The interpreter's name does not end in what the kernel reads.
    #[error("the interpreter behind #! is longer than the {LONGEST_LINE} bytes that the kernel reads of a script")]
    TooLong,
}

impl Fault for BadScript {
    fn code(&self) -> Code {
        codes::SCRIPT
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Crlf(_) => Some(Remedy::say("end its lines with LF alone: sed -i 's/\\r$//' FILE")),
            Self::NoInterpreter | Self::TooLong => None,
        }
    }
}

impl Script {
    /// Reads the first line as the kernel does (`load_script` in its `fs/binfmt_script.c`); `None` when it is no script. `start` is
    /// the file's beginning: the first [`LONGEST_LINE`] bytes, or all of a shorter one.
    ///
    /// # Errors
    /// When the kernel refuses it, or would look for a name that ends with a CR.
    pub fn parse(start: &[u8]) -> Result<Option<Self>, BadScript> {
        let start = &start[..start.len().min(LONGEST_LINE)];
        let Some(rest) = start.strip_prefix(b"#!") else { return Ok(None) };
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let is_end = |byte: &u8| is_blank(byte) || *byte == 0;
        let end = rest.iter().position(|&byte| byte == b'\n');
        let line = &rest[..end.unwrap_or(rest.len())];
        let first = line.iter().position(|byte| !is_blank(byte)).ok_or(BadScript::NoInterpreter)?;
        let line = &line[first..];
        // Behind a file that is shorter there are NULs.
        if end.is_none() && start.len() == LONGEST_LINE && !line[..line.len() - 1].iter().any(is_end) {
            return Err(BadScript::TooLong);
        }
        if let (Some(_), Some(b'\r')) = (end, line.last()) {
            let word = line.rsplit(is_end).next().unwrap_or_default();
            return Err(BadScript::Crlf(word.to_vec()));
        }
        let (interpreter, behind) = line.split_at(line.iter().position(is_end).unwrap_or(line.len()));
        if interpreter.is_empty() {
            return Err(BadScript::NoInterpreter);
        }
        let argument = behind.split(|&byte| byte == 0).next().unwrap_or_default();
        let start = argument.iter().position(|byte| !is_blank(byte));
        let last = argument.iter().rposition(|byte| !is_blank(byte));
        let argument = start.zip(last).map(|(start, last)| argument[start..=last].to_vec());
        Ok(Some(Self { interpreter: interpreter.to_vec(), argument }))
    }

    /// What the script needs and the image lacks: the interpreter, or what `env` would look for.
    pub fn missing(&self, view: &dyn View) -> Option<String> {
        let missing = |path: &[u8]| Some(nex_text::short_name(path));
        if !is_executable(view, &self.interpreter) {
            return missing(&self.interpreter);
        }
        let argument = self.argument.as_ref().filter(|argument| !argument.starts_with(b"-"))?;
        if name(&self.interpreter) != b"env" || argument.contains(&b'/') || argument.contains(&b'=') {
            return None;
        }
        let is_in = |directory: &str| is_executable(view, &[directory.as_bytes(), b"/", argument].concat());
        if PATH.into_iter().any(is_in) { None } else { missing(argument) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn parsed(start: &[u8]) -> Result<Option<(String, Option<String>)>, BadScript> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ok(Script::parse(start)?.map(|script| (text(script.interpreter), script.argument.map(text))))
    }

    #[test]
    fn the_line_is_read_as_the_kernel_reads_it() {
        let script =
            |interpreter: &str, argument: Option<&str>| Ok(Some((interpreter.to_owned(), argument.map(str::to_owned))));
        assert_eq!(parsed(b"echo #!/bin/sh\n"), Ok(None));
        assert_eq!(parsed(b"#!/bin/sh\necho\r\n"), script("/bin/sh", None));
        assert_eq!(parsed(b"#! \t/bin/sh  -e x \t\n"), script("/bin/sh", Some("-e x")));
        assert_eq!(parsed(b"#!/usr/bin/env python3 -u"), script("/usr/bin/env", Some("python3 -u")));
        assert_eq!(parsed(b"#!/bin/sh\0-e\n"), script("/bin/sh", None));
        assert_eq!(parsed(b"#!\x0b/bin/sh\n"), script("\x0b/bin/sh", None));
        for bad in [&b"#!"[..], b"#!\n/bin/sh\n", b"#! \t \n", b"#!\0/bin/sh\n"] {
            assert_eq!(parsed(bad), Err(BadScript::NoInterpreter), "{}", bad.escape_ascii());
        }
        let long = [b"#!/".as_slice(), &[b'x'; 300]].concat();
        assert_eq!(parsed(&long), Err(BadScript::TooLong));
        assert_eq!(parsed(&[b"#!/bin/sh ".as_slice(), &[b'x'; 300]].concat()).map(|script| script.is_some()), Ok(true));
    }

    #[test]
    fn a_cr_is_named() {
        for (line, word) in
            [("#!/bin/sh\r\n", r"/bin/sh\r"), ("#!/bin/sh -e\r\n", r"-e\r"), ("#!/bin/sh \r\necho\r\n", r"\r")]
        {
            let said = Script::parse(line.as_bytes()).expect_err(line).to_string();
            assert!(said.contains("CRLF") && said.contains(&format!("'{word}'")), "{said}");
        }
    }

    /// This machine's kernel is asked, by execve(2) alone: shells run what it refuses as scripts of their own.
    #[test]
    fn the_kernel_agrees() {
        const EXECUTE: &str = "
import os, sys
try: os.execv(sys.argv[1], sys.argv[1:])
except OSError as error: os._exit(100 + error.errno)";
        const RUNS: i32 = 7;
        const NO_SUCH_FILE: i32 = 102;
        const NO_PROGRAM: i32 = 108;
        const BUSY: i32 = 126;
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("script");
        for start in [
            "#!/bin/sh\n",
            "#! /bin/sh -e\n",
            "#!/bin/sh\t-e \t\n",
            "#!/bin/sh\r\n",
            "#!/bin/sh -e\r\n",
            "#!\n",
            "#!  \n",
            "#!\x0b/bin/sh\n",
            &format!("#!/{}\n", "x".repeat(300)),
        ] {
            fs::write(&file, format!("{start}exit 7\n")).expect("it is ours");
            fs::set_permissions(&file, Permissions::from_mode(0o755)).expect("it is ours");
            let execute = || {
                let ended = Command::new("python3").args(["-c", EXECUTE]).arg(&file).output().expect("python3");
                ended.status.code().unwrap_or_default()
            };
            // Another test's process may still have the file open for writing.
            let code = std::iter::repeat_with(execute).find(|code| *code != BUSY).expect("it does not end");
            let is_as_expected = match Script::parse(start.as_bytes()) {
                Ok(Some(script)) if script.interpreter.starts_with(b"/bin/sh") => code == RUNS,
                Ok(_) => code == NO_SUCH_FILE,
                Err(BadScript::Crlf(_)) => code != RUNS,
                Err(BadScript::NoInterpreter | BadScript::TooLong) => code == NO_PROGRAM,
            };
            assert!(is_as_expected, "{start:?}: {code}");
        }
    }
}
