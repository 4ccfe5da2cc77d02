//! The agent that comes with nex.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::codes::NO_AGENT;
use crate::diagnostic::Diagnostic;

/// The program's name.
const NAME: &str = "nex-agent";

/// Where it stands in an installation, seen from the directory above that of `nex`.
const INSTALLED: &str = "lib/nex";

/// The variable that names it where it stands elsewhere. It is no flag's: it says where nex is installed, not what one command
/// is to do.
const VARIABLE: &str = "NEX_AGENT";

/// The agent that came with nex, if it is there, or that [`VARIABLE`] names, there or not.
pub fn own_agent() -> Option<PathBuf> {
    found(std::env::var_os(VARIABLE), &std::env::current_exe().ok()?)
}

/// The same, or why there is no agent.
///
/// # Errors
/// When the system does not say where nex is, or there is no agent.
pub fn own_agent_or_advice() -> Result<PathBuf, Diagnostic> {
    let program = std::env::current_exe().map_err(Diagnostic::system)?;
    found(std::env::var_os(VARIABLE), &program).ok_or_else(|| missing(&program))
}

/// An empty variable counts for nothing.
fn found(variable: Option<OsString>, program: &Path) -> Option<PathBuf> {
    let named = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
    named.or_else(|| places(program).into_iter().find(|agent| agent.exists()))
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
    use std::fs;

    use super::*;

    #[test]
    fn the_variable_counts_more_than_the_neighbour_and_that_more_than_the_installation() {
        let place = tempfile::tempdir().unwrap();
        let (bin, lib) = (place.path().join("bin"), place.path().join("lib/nex"));
        let program = bin.join("nex");
        assert_eq!(found(None, &program), None);
        fs::create_dir_all(&lib).unwrap();
        fs::write(lib.join(NAME), "").unwrap();
        assert_eq!(found(None, &program), Some(lib.join(NAME)));
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join(NAME), "").unwrap();
        assert_eq!(found(None, &program), Some(bin.join(NAME)));
        assert_eq!(found(Some("".into()), &program), Some(bin.join(NAME)));
        // Who names one wants no other, so what is not there is for the build to tell.
        assert_eq!(found(Some("elsewhere".into()), &program), Some("elsewhere".into()));
    }

    #[test]
    fn the_error_says_where_one_is_looked_for_and_how_to_get_one() {
        let advice = missing(Path::new("/opt/nex/bin/nex")).text();
        for part in ["/opt/nex/bin/nex-agent", "/opt/nex/lib/nex/nex-agent", "make install", "NEX_AGENT", "--agent"] {
            assert!(advice.contains(part), "{part}: {advice}");
        }
    }
}
