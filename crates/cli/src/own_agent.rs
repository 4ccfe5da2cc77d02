//! The agent that comes with nex.
//!
//! It becomes the first process of guests. Where others can write to the directory that nex stands in, such as `/tmp`, they could put
//! an agent beside it; so one that nobody has named must belong to root, to the caller or to the owner of nex itself.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nex_fault::Note;
use nex_file::trust::{self, Distrust};
use rustix::fs::OFlags;

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
pub fn own_agent() -> (Option<PathBuf>, Option<Note>) {
    let found = std::env::current_exe().map(|program| found(std::env::var_os(VARIABLE), &program));
    match found {
        Ok(Ok(agent)) => (agent, None),
        Ok(Err(planted)) => (None, Some(Note::new(planted.fact()).advising(Planted::remedy()))),
        Err(_) => (None, None),
    }
}

/// The same, or why there is no agent.
///
/// # Errors
/// When the system does not say where nex is, or there is no agent, or none but one that somebody else may have put there.
pub fn own_agent_or_advice() -> Result<PathBuf, Diagnostic> {
    let program = std::env::current_exe().map_err(Diagnostic::system)?;
    let found = found(std::env::var_os(VARIABLE), &program);
    found.map_err(|planted| planted.told())?.ok_or_else(|| missing(&program))
}

/// An agent that somebody else may have put there.
#[derive(Debug, PartialEq, Eq)]
struct Planted {
    agent: PathBuf,
    why: Distrust,
}

impl Planted {
    fn told(&self) -> Diagnostic {
        Diagnostic::new(NO_AGENT, self.fact()).hinting(Self::remedy())
    }

    fn fact(&self) -> String {
        format!("the agent '{}' is not taken: it {}", self.agent.display(), self.why)
    }

    fn remedy() -> String {
        format!("if it is the one that came with nex, name it with --agent or {VARIABLE}; else remove it")
    }
}

/// An empty variable counts for nothing.
fn found(variable: Option<OsString>, program: &Path) -> Result<Option<PathBuf>, Planted> {
    let named = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
    let Some(agent) = named.is_none().then(|| places(program).into_iter().find(|agent| agent.exists())).flatten()
    else {
        return Ok(named);
    };
    // What cannot be looked at is refused when it is read.
    match trusted(&agent, program) {
        Ok(Err(why)) => Err(Planted { agent, why }),
        Ok(Ok(())) | Err(_) => Ok(Some(agent)),
    }
}

/// Whether nobody could have put an agent there but root, the caller, and who could have put another nex there as well.
fn trusted(agent: &Path, program: &Path) -> io::Result<Result<(), Distrust>> {
    let owner = std::fs::metadata(program)?.uid();
    // The file, and the link that leads to it.
    for follow in [OFlags::empty(), OFlags::NOFOLLOW] {
        let handle = name_only(agent, follow)?;
        match trust::leads_safely(&handle)? {
            Err(Distrust::Owner { owner: other, .. }) if other == owner => {}
            Err(why) => return Ok(Err(why)),
            Ok(()) => {}
        }
    }
    Ok(Ok(()))
}

/// A handle that names a file and opens nothing.
fn name_only(path: &Path, follow: OFlags) -> io::Result<File> {
    let flags = (OFlags::PATH | follow).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
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
    use std::os::unix::fs::{PermissionsExt, lchown, symlink};

    use super::*;

    #[test]
    fn the_variable_counts_more_than_the_neighbour_and_that_more_than_the_installation() {
        let place = tempfile::tempdir().unwrap();
        let (bin, lib) = (place.path().join("bin"), place.path().join("lib/nex"));
        let program = bin.join("nex");
        let found = |variable, program: &Path| found(variable, program).unwrap();
        assert_eq!(found(None, &program), None);
        fs::create_dir_all(&lib).unwrap();
        fs::write(lib.join(NAME), "").unwrap();
        assert_eq!(found(None, &program), Some(lib.join(NAME)));
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(NAME), "").unwrap();
        fs::write(&program, "").unwrap();
        assert_eq!(found(None, &program), Some(bin.join(NAME)));
        assert_eq!(found(Some("".into()), &program), Some(bin.join(NAME)));
        // Who names one wants no other, so what is not there is for the build to tell.
        assert_eq!(found(Some("elsewhere".into()), &program), Some("elsewhere".into()));
    }

    #[test]
    fn what_somebody_else_has_put_beside_the_program_is_not_taken() {
        let place = tempfile::tempdir().unwrap();
        let (program, agent) = (place.path().join("nex"), place.path().join(NAME));
        for file in [&program, &agent] {
            fs::write(file, "").unwrap();
        }
        fs::set_permissions(&agent, Permissions::from_mode(0o757)).unwrap();
        let planted = found(None, &program).unwrap_err();
        assert_eq!((&planted.agent, planted.why), (&agent, Distrust::Writable));
        assert!(planted.told().text().contains("can be written to by others"));
        assert_eq!(found(Some(agent.clone().into()), &program), Ok(Some(agent.clone())));
        fs::set_permissions(&agent, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(found(None, &program), Ok(Some(agent.clone())));
        if !rustix::process::geteuid().is_root() {
            crate::output::tell("LEFT OUT: giving files to others is root's");
            return;
        }
        let is_taken = |file: &Path, owner| {
            lchown(file, Some(owner), None).unwrap();
            found(None, &program) == Ok(Some(agent.clone()))
        };
        assert!(!is_taken(&agent, 61_001));
        // Who owns the program could have changed that.
        assert!(is_taken(&program, 61_001) && !is_taken(&program, 61_002));
        fs::remove_file(&agent).unwrap();
        symlink(&program, &agent).unwrap();
        assert!(is_taken(&program, 0) && !is_taken(&agent, 61_001));
    }

    #[test]
    fn the_error_says_where_one_is_looked_for_and_how_to_get_one() {
        let advice = missing(Path::new("/opt/nex/bin/nex")).text();
        for part in ["/opt/nex/bin/nex-agent", "/opt/nex/lib/nex/nex-agent", "make install", "NEX_AGENT", "--agent"] {
            assert!(advice.contains(part), "{part}: {advice}");
        }
    }
}
