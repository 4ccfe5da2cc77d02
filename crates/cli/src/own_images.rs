//! Where the images are that are installed with nex, or for one user: those that `nex:NAME` names.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nex_image::ImageDirectories;

/// Where they stand in an installation, seen from the directory above that of `nex`.
const INSTALLED: &str = "share/nex/images";

/// Where they stand among what a user has of all programs.
const OF_USER: &str = "nex/images";

/// The variable that names the one directory. It is no flag's: it says where nex is installed, not what one command is to do.
const VARIABLE: &str = "NEX_IMAGES";

/// The directories, in the order in which they are looked at. Who owns nex could have put another one there as well as an image.
pub fn directories() -> ImageDirectories {
    let program = std::env::current_exe().ok();
    let trusted = program.as_ref().and_then(|program| program.metadata().ok()).map(|metadata| metadata.uid());
    of(|name| std::env::var_os(name), program.as_deref(), trusted)
}

/// The directory that [`VARIABLE`] names, and no other then; else nex's own, and the user's. An empty variable counts for nothing,
/// and neither does one of the system's that holds no absolute path.
fn of(variable: impl Fn(&str) -> Option<OsString>, program: Option<&Path>, trusted: Option<u32>) -> ImageDirectories {
    if let Some(named) = variable(VARIABLE).filter(|value| !value.is_empty()) {
        return ImageDirectories::Named(named.into());
    }
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let with_nex = program.and_then(|program| Some(program.parent()?.parent()?.join(INSTALLED)));
    let home = || absolute("HOME").map(|home| home.join(".local/share"));
    let of_user = absolute("XDG_DATA_HOME").or_else(home).map(|data| data.join(OF_USER));
    let mut directories: Vec<PathBuf> = with_nex.into_iter().chain(of_user).collect();
    // An installation of one user's has both in one place.
    directories.dedup();
    ImageDirectories::Usual { directories, trusted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories_of(variables: &[(&str, &str)], program: &str) -> Vec<String> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        let paths = match of(value, Some(Path::new(program)), Some(7)) {
            ImageDirectories::Named(directory) => vec![directory],
            ImageDirectories::Usual { directories, trusted } => {
                assert_eq!(trusted, Some(7));
                directories
            }
        };
        paths.into_iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_installation_counts_more_than_the_user_and_the_variable_alone() {
        let (system, user) = ("/usr/local/share/nex/images", "/home/a/.local/share/nex/images");
        let home = ("HOME", "/home/a");
        let nex = "/usr/local/bin/nex";
        assert_eq!(directories_of(&[home], nex), [system, user]);
        assert_eq!(directories_of(&[home, ("XDG_DATA_HOME", "/data")], nex), [system, "/data/nex/images"]);
        assert_eq!(directories_of(&[home, ("XDG_DATA_HOME", "data"), ("NEX_IMAGES", "")], nex), [system, user]);
        assert_eq!(directories_of(&[("HOME", "")], nex), [system]);
        assert_eq!(directories_of(&[home], "/home/a/.local/bin/nex"), [user]);
        assert_eq!(directories_of(&[home, ("NEX_IMAGES", "images")], nex), ["images"]);
    }
}
