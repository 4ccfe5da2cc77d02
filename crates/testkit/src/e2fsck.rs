//! The e2fsck programs that judge: the one installed here, and one of the generation before, which knows less.
//!
//! `scripts/setup-tests` unpacks the older one into `target/e2fsck-older`, where it can be had.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Once;
use std::time::{Duration, SystemTime};

use crate::{Failure, Result, command, places};

/// The first words of what `-V` prints.
const PROGRAM: &str = "e2fsck ";

/// An e2fsck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct E2fsck {
    program: PathBuf,
    /// How far the time that it goes by is ahead of this machine's.
    ahead: Duration,
}

impl E2fsck {
    /// The one installed here.
    pub fn installed() -> Self {
        Self { program: "e2fsck".into(), ahead: Duration::ZERO }
    }

    /// The older one. `None` where it could not be had.
    pub fn older() -> Option<Self> {
        let program = directory().join("e2fsck");
        program.is_file().then_some(Self { program, ahead: Duration::ZERO })
    }

    /// All of them. The first call of a process says which they are.
    ///
    /// # Errors
    /// When one does not run.
    pub fn all() -> Result<Vec<Self>> {
        static SAID: Once = Once::new();
        let all: Vec<Self> = [Self::installed()].into_iter().chain(Self::older()).collect();
        let versions = all.iter().map(Self::version).collect::<Result<Vec<_>>>()?;
        SAID.call_once(|| {
            eprintln!("judged by e2fsck {}", versions.join(" and "));
            if all.len() == 1 {
                eprintln!("LEFT OUT: an older e2fsck: {}", why_not_older());
            }
        });
        Ok(all)
    }

    /// The same a day later: clocks of emulated guests run ahead now and then, and it minds what was written in its future.
    pub fn tomorrow(self) -> Self {
        Self { ahead: Duration::from_secs(24 * 60 * 60), ..self }
    }

    /// Its version, such as `1.47.0`.
    ///
    /// # Errors
    /// When it does not run, or calls itself otherwise.
    pub fn version(&self) -> Result<String> {
        let result = command::output(Command::new(&self.program).arg("-V"))?;
        let text = String::from_utf8_lossy(&result.stderr).into_owned();
        let version = text.strip_prefix(PROGRAM).and_then(|rest| rest.split_whitespace().next());
        version.map(str::to_owned).ok_or_else(|| Failure::new(format!("{} -V: {text}", self.program.display())))
    }

    /// Runs it on an image.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, options: &[&str], image: &Path) -> Result<Output> {
        let now = SystemTime::now() + self.ahead;
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|error| Failure::new(error.to_string()))?;
        let mut e2fsck = Command::new(&self.program);
        e2fsck.args(options).arg(image).env("LC_ALL", "C").env("E2FSCK_TIME", now.as_secs().to_string());
        command::output(&mut e2fsck)
    }
}

fn directory() -> PathBuf {
    places::workspace().join("target/e2fsck-older")
}

fn why_not_older() -> String {
    let reason = fs::read_to_string(directory().join("left-out"));
    reason.map_or("scripts/setup-tests unpacks one".into(), |reason| reason.trim().into())
}
