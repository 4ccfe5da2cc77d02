//! A script as a program: `#!interpreter argument`.

use crate::view::View;
use crate::view::{is_executable, name};

/// As much of the first line as the kernel looks at (`BINPRM_BUF_SIZE`).
pub const LONGEST_LINE: usize = 256;

/// Where programs are looked for by name in a guest.
const PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The first line of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The program that runs it.
    pub interpreter: Vec<u8>,
    argument: Option<Vec<u8>>,
}

impl Script {
    /// Reads the first line; `None` when it is no script.
    pub fn parse(start: &[u8]) -> Option<Self> {
        let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(<[u8]>::to_vec);
        Some(Self { interpreter: words.next()?, argument: words.next() })
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
