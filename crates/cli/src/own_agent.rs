//! The agent that comes with nex.
//!
//! It becomes the first process of guests. Where others can write to a directory on the way to it, such as `/tmp`, they could put an
//! agent there; so one that nobody has named must stand where only root, the caller or the owner of nex itself could have put it. It
//! is opened once, and what was looked at is what guests get.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nex_fault::{Note, whole};
use nex_file::to_read::ToRead;
use nex_file::way::{self, WayError};

use crate::codes::NO_AGENT;
use crate::diagnostic::Diagnostic;

/// The program's name.
const NAME: &str = "nex-agent";

/// Where it stands in an installation, seen from the directory above that of `nex`.
const INSTALLED: &str = "lib/nex";

/// The variable that names it where it stands elsewhere. It is no flag's: it says where nex is installed, not what one command
/// is to do.
const VARIABLE: &str = "NEX_AGENT";

/// The agent that came with nex, if it is there, or that [`VARIABLE`] names, there or not; why it is not taken, where that is so.
pub fn own_agent() -> (Option<ToRead>, Option<Note>) {
    let found = std::env::current_exe().map(|program| found(std::env::var_os(VARIABLE), &program));
    match found {
        Ok(Ok(agent)) => (agent, None),
        Ok(Err(refused)) => (None, Some(Note::new(refused.fact()).advising(Refused::remedy()))),
        Err(_) => (None, None),
    }
}

/// The same, or why there is no agent.
///
/// # Errors
/// When the system does not say where nex is, or there is no agent, or none but one that somebody else may have put there.
pub fn own_agent_or_advice() -> Result<ToRead, Diagnostic> {
    let program = std::env::current_exe().map_err(Diagnostic::system)?;
    let found = found(std::env::var_os(VARIABLE), &program);
    found.map_err(|refused| refused.told())?.ok_or_else(|| missing(&program))
}

/// An agent that somebody else may have put there, or that cannot be opened.
#[derive(Debug)]
struct Refused {
    agent: PathBuf,
    why: WayError,
}

impl Refused {
    fn told(&self) -> Diagnostic {
        Diagnostic::new(NO_AGENT, self.fact()).hinting(Self::remedy())
    }

    fn fact(&self) -> String {
        format!("the agent '{}' is not taken: {}", self.agent.display(), whole(&self.why))
    }

    fn remedy() -> String {
        format!("if it is the one that came with nex, name it with --agent or {VARIABLE}; else remove it")
    }
}

/// An empty variable counts for nothing.
fn found(variable: Option<OsString>, program: &Path) -> Result<Option<ToRead>, Refused> {
    if let Some(named) = variable.filter(|value| !value.is_empty()) {
        return Ok(Some(PathBuf::from(named).into()));
    }
    // Who could have put another nex there is trusted with its agent.
    let owner = program.metadata().ok().map(|metadata| metadata.uid());
    for agent in places(program) {
        // A way that nobody has gone yet is nobody's fault.
        if agent.symlink_metadata().is_ok() {
            match way::open_file(&agent, owner) {
                Ok(Some(file)) => return Ok(Some(ToRead::found(agent, file))),
                Ok(None) => {}
                Err(why) => return Err(Refused { agent, why }),
            }
        }
    }
    Ok(None)
}

/// Where an agent would be taken from: a build's is beside `nex`, an installation's is not on the `PATH`.
fn places(program: &Path) -> [PathBuf; 2] {
    let directory = program.parent().unwrap_or(program);
    let above = directory.parent().unwrap_or(directory);
    [directory.join(NAME), above.join(INSTALLED).join(NAME)]
}

fn missing(program: &Path) -> Diagnostic {
    let [beside, installed] = places(program);
    let message = format!(
        "there is no agent: no --agent is given, and neither {} nor {} is there",
        beside.display(),
        installed.display()
    );
    Diagnostic::new(NO_AGENT, message).hinting(format!(
        "install nex whole, with its agent ('make install' in its sources, install.sh of a release, or the package nex), set {VARIABLE} \
         to a {NAME}, or name a program of your own with --agent"
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::*;

    fn path(variable: Option<OsString>, program: &Path) -> Option<PathBuf> {
        found(variable, program).unwrap().map(|agent| agent.path().into())
    }

    #[test]
    fn the_variable_counts_more_than_the_neighbour_and_that_more_than_the_installation() {
        let place = tempfile::tempdir().unwrap();
        let (bin, lib) = (place.path().join("bin"), place.path().join("lib/nex"));
        let program = bin.join("nex");
        assert_eq!(path(None, &program), None);
        fs::create_dir_all(&lib).unwrap();
        fs::write(lib.join(NAME), "").unwrap();
        assert_eq!(path(None, &program), Some(lib.join(NAME)));
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(NAME), "").unwrap();
        fs::write(&program, "").unwrap();
        assert_eq!(path(None, &program), Some(bin.join(NAME)));
        assert_eq!(path(Some("".into()), &program), Some(bin.join(NAME)));
        // Who names one wants no other, so what is not there is for the build to tell.
        assert_eq!(path(Some("elsewhere".into()), &program), Some("elsewhere".into()));
    }

    #[test]
    fn what_somebody_else_has_put_beside_the_program_is_not_taken() {
        let place = tempfile::tempdir().unwrap();
        let (program, agent) = (place.path().join("nex"), place.path().join(NAME));
        for file in [&program, &agent] {
            fs::write(file, "").unwrap();
        }
        fs::set_permissions(&agent, Permissions::from_mode(0o757)).unwrap();
        let refused = found(None, &program).unwrap_err();
        assert_eq!(refused.agent, agent);
        assert!(refused.told().text().contains("can be written to by others"));
        assert_eq!(path(Some(agent.clone().into()), &program), Some(agent.clone()));
        fs::set_permissions(&agent, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(path(None, &program), Some(agent.clone()));
        if !rustix::process::geteuid().is_root() {
            crate::output::tell("LEFT OUT: giving files to others is root's");
            return;
        }
        let is_taken = |file: &Path, owner| {
            lchown(file, Some(owner), None).unwrap();
            found(None, &program).is_ok_and(|found| found.is_some())
        };
        assert!(!is_taken(&agent, 61_001));
        // Who owns the program could have changed that.
        assert!(is_taken(&program, 61_001) && !is_taken(&program, 61_002));
        // But nobody else can write to it then, either.
        assert!(is_taken(&program, 61_001));
        fs::set_permissions(&agent, Permissions::from_mode(0o757)).unwrap();
        assert!(found(None, &program).is_err());
        fs::remove_file(&agent).unwrap();
        symlink(&program, &agent).unwrap();
        assert!(is_taken(&program, 0) && !is_taken(&agent, 61_001));
    }

    /// Nex in a directory of its own, in one where all may make names, and the installation's place made by another user.
    #[test]
    fn what_somebody_else_has_put_on_the_way_is_not_taken() {
        let place = tempfile::tempdir().unwrap();
        let shared = place.path().join("shared");
        let (program, lib) = (shared.join("mine/nex"), shared.join("lib"));
        fs::create_dir_all(shared.join("mine")).unwrap();
        fs::create_dir_all(lib.join("nex")).unwrap();
        fs::write(&program, "").unwrap();
        fs::write(lib.join("nex").join(NAME), "own").unwrap();
        fs::set_permissions(&shared, Permissions::from_mode(0o1777)).unwrap();
        assert!(found(None, &program).unwrap().is_some());
        fs::set_permissions(&lib, Permissions::from_mode(0o777)).unwrap();
        let refused = found(None, &program).unwrap_err().told().text();
        assert!(refused.contains(&format!("it is reached through '{}'", lib.display())), "{refused}");
        fs::set_permissions(&lib, Permissions::from_mode(0o755)).unwrap();
        if !rustix::process::geteuid().is_root() {
            crate::output::tell("LEFT OUT: giving files to others is root's");
            return;
        }
        lchown(&lib, Some(61_001), None).unwrap();
        assert!(found(None, &program).is_err());
    }

    #[test]
    fn the_agent_that_was_looked_at_is_the_one_that_is_read() {
        let place = tempfile::tempdir().unwrap();
        let (program, agent) = (place.path().join("nex"), place.path().join(NAME));
        fs::write(&program, "").unwrap();
        fs::write(&agent, "own").unwrap();
        let found = found(None, &program).unwrap().unwrap();
        fs::rename(&agent, place.path().join("moved")).unwrap();
        fs::write(&agent, "planted").unwrap();
        assert_eq!(io::read_to_string(found.open().unwrap()).unwrap(), "own");
    }

    #[test]
    fn the_error_says_where_one_is_looked_for_and_how_to_get_one() {
        let advice = missing(Path::new("/opt/nex/bin/nex")).text();
        for part in ["/opt/nex/bin/nex-agent", "/opt/nex/lib/nex/nex-agent", "make install", "NEX_AGENT", "--agent"] {
            assert!(advice.contains(part), "{part}: {advice}");
        }
    }
}
