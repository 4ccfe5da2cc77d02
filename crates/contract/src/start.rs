//! What has to be there for a program to start: its directory and its file.
//!
//! The agent decides it in the guest, and nex before the guest boots, by the same functions: what differs is the [`Root`].

use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nex_fault::{Code, Fault, Remedy};

use crate::codes;

/// Where programs are looked for, when nothing else is said.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// docker's exit code for what keeps a program from starting that is not the program's own.
pub const NOT_STARTED: u8 = 125;

/// The shell's exit code for a program that cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;

/// The shell's exit code for a program that is not there.
pub const NOT_FOUND: u8 = 127;

/// Why a program does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unstarted {
    /// The exit code that says the same: [`NOT_FOUND`], [`NOT_EXECUTABLE`] or [`NOT_STARTED`].
    pub code: u8,
    /// The reason.
    pub reason: String,
    /// What to do about it, where that is known.
    pub remedy: Option<Remedy>,
}

impl Unstarted {
    /// This code for this reason.
    pub fn new(code: u8, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), remedy: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn advising(self, remedy: Remedy) -> Self {
        Self { remedy: Some(remedy), ..self }
    }
}

impl Display for Unstarted {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

impl std::error::Error for Unstarted {}

impl Fault for Unstarted {
    fn code(&self) -> Code {
        match self.code {
            NOT_FOUND => codes::NOT_FOUND,
            NOT_EXECUTABLE => codes::NOT_EXECUTABLE,
            _ => codes::NOT_STARTED,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        self.remedy.clone()
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A directory.
    Directory,
    /// A regular file that somebody may execute.
    Program,
    /// Anything else.
    Other,
    /// Nobody knows before the guest runs: something is mounted there, or made at its boot.
    Hidden,
}

/// A guest's root, as far as a program's start depends on it.
pub trait Root {
    /// What a path leads to; `None` when that is nothing.
    fn find(&self, path: &Path) -> Option<Found>;

    /// The first `limit` bytes of a file; `None` where there is nothing.
    ///
    /// # Errors
    /// When what is there cannot be read.
    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, String>;
}

/// The directory that a program starts in; `/` where the text is empty.
///
/// # Errors
/// When there is no such directory.
pub fn find_directory<'a>(text: &'a (impl AsRef<OsStr> + ?Sized), root: &dyn Root) -> Result<&'a Path, Unstarted> {
    let text = text.as_ref();
    let path = Path::new(if text.is_empty() { OsStr::new("/") } else { text });
    let why = match root.find(&Path::new("/").join(path)) {
        Some(Found::Directory | Found::Hidden) => return Ok(path),
        Some(_) => "is no directory",
        None => "is not there",
    };
    Err(Unstarted::new(NOT_STARTED, format!("the working directory {} {why}", short_path(path))))
}

/// The program's file: a path from the directory on, or the first program of this name in the `PATH` that the environment has.
///
/// # Errors
/// When there is no such file, or nobody may execute it.
pub fn find_program(
    name: &(impl AsRef<OsStr> + ?Sized),
    env: &[impl AsRef<OsStr>],
    directory: &Path,
    root: &dyn Root,
) -> Result<PathBuf, Unstarted> {
    let (name, directory) = (Path::new(name), Path::new("/").join(directory));
    let value = |variable| OsStr::as_bytes(variable).strip_prefix(b"PATH=");
    let path = env.iter().rev().find_map(|variable| value(variable.as_ref())).unwrap_or(PATH.as_bytes());
    let is_path = name.as_os_str().as_bytes().contains(&b'/');
    let places: Vec<PathBuf> = match is_path {
        true => vec![directory.join(name)],
        false => {
            path.split(|&byte| byte == b':').map(|place| directory.join(OsStr::from_bytes(place)).join(name)).collect()
        }
    };
    let found: Vec<_> = places.iter().filter_map(|place| Some((place, root.find(place)?))).collect();
    let first = |wanted| found.iter().find(|(_, found)| *found == wanted).map(|(place, _)| place.to_path_buf());
    if let Some(program) = first(Found::Program).or_else(|| first(Found::Hidden)) {
        return Ok(program);
    }
    Err(match found.first() {
        Some((place, Found::Directory)) => {
            Unstarted::new(NOT_EXECUTABLE, format!("{} is a directory", short_path(place)))
        }
        Some((place, _)) => Unstarted::new(NOT_EXECUTABLE, format!("{} is not executable", short_path(place))),
        None if is_path => Unstarted::new(NOT_FOUND, format!("there is no {}", short_path(name))),
        None => {
            let path = Path::new(OsStr::from_bytes(path));
            Unstarted::new(NOT_FOUND, format!("there is no '{}' in {}", short_path(name), short_path(path)))
        }
    })
}

/// A path as a message may show it, whoever has chosen it.
fn short_path(path: &Path) -> String {
    nex_text::short_name(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn programs_learn_why_a_program_does_not_start() {
        let codes = [NOT_FOUND, NOT_EXECUTABLE, NOT_STARTED].map(|code| Unstarted::new(code, "why").code().id());
        assert_eq!(codes, ["workload-not-found", "workload-not-executable", "workload-not-started"]);
    }

    struct Names(BTreeMap<&'static Path, Found>);

    impl Root for Names {
        fn find(&self, path: &Path) -> Option<Found> {
            self.0.get(path).copied()
        }

        fn read(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, String> {
            Ok(None)
        }
    }

    fn root() -> Names {
        let names = [
            ("/", Found::Directory),
            ("/srv", Found::Directory),
            ("/srv/run", Found::Program),
            ("/run/app", Found::Hidden),
            ("/bin/tool", Found::Program),
            ("/sbin/tool", Found::Other),
            ("/bin/text", Found::Other),
            ("/bin/tree", Found::Directory),
        ];
        Names(names.map(|(path, found)| (Path::new(path), found)).into())
    }

    #[test]
    fn directories_are_there_or_not() {
        for (text, path) in [("", "/"), ("/srv", "/srv"), ("/run/app", "/run/app")] {
            assert_eq!(find_directory(text, &root()), Ok(Path::new(path)));
        }
        let why = |text| find_directory(text, &root()).unwrap_err();
        assert_eq!(why("/none").reason, "the working directory /none is not there");
        assert_eq!(why("/bin/tool").reason, "the working directory /bin/tool is no directory");
        assert_eq!(why("/none").code, 125);
    }

    #[test]
    fn programs_have_a_path_or_are_looked_up() {
        let find = |name, path: &str| {
            find_program(name, &["PATH=/none".into(), format!("PATH={path}")], Path::new("/srv"), &root())
        };
        assert_eq!(find("./run", ""), Ok("/srv/./run".into()));
        assert_eq!(find("/bin/tool", ""), Ok("/bin/tool".into()));
        assert_eq!(find("tool", "/sbin:/bin"), Ok("/bin/tool".into()));
        // An empty place is the directory itself, as shells have it.
        assert_eq!(find("run", "/bin:"), Ok("/srv/run".into()));
        assert_eq!(find("app", "/run:/bin"), Ok("/run/app".into()));
        let unstarted = |name, path: &str| {
            let Unstarted { code, reason, .. } = find(name, path).unwrap_err();
            (code, reason)
        };
        assert_eq!(unstarted("text", "/bin"), (126, "/bin/text is not executable".into()));
        assert_eq!(unstarted("/bin/tree", ""), (126, "/bin/tree is a directory".into()));
        assert_eq!(unstarted("/bin/none", ""), (127, "there is no /bin/none".into()));
        assert_eq!(unstarted("tool", "/usr/bin"), (127, "there is no 'tool' in /usr/bin".into()));
        assert_eq!(find_program("tool", &[""; 0], Path::new("/"), &root()), Ok("/bin/tool".into()));
    }
}
