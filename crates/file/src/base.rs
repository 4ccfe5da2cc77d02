//! The directories in which a user's programs keep what is theirs, by the XDG Base Directory Specification.

use std::ffi::OsString;
use std::path::PathBuf;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// What can be made again.
    Cache,
    /// What the user wants to keep.
    Data,
    /// What programs note of their work.
    State,
}

impl Base {
    /// Where programs keep it: what the variable names, else a directory of the user's home; `None` when the environment names
    /// neither. A path that is not absolute counts for nothing, as the specification says, nor does a home that is not there.
    pub fn find(self) -> Option<PathBuf> {
        self.find_in(|name| std::env::var_os(name))
    }

    fn find_in(self, variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
        let (name, below_home) = match self {
            Self::Cache => ("XDG_CACHE_HOME", ".cache"),
            Self::Data => ("XDG_DATA_HOME", ".local/share"),
            Self::State => ("XDG_STATE_HOME", ".local/state"),
        };
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || absolute("HOME").filter(|home| home.is_dir()).map(|home| home.join(below_home));
        absolute(name).or_else(home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_counts_more_than_the_home_and_a_relative_path_for_nothing() {
        let find = |variables: &[(&str, &str)]| {
            let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, path)| path.into());
            Base::State.find_in(variable)
        };
        assert_eq!(find(&[("XDG_STATE_HOME", "/s"), ("HOME", "/")]), Some("/s".into()));
        for relative in ["", "s", "./s"] {
            assert_eq!(find(&[("XDG_STATE_HOME", relative), ("HOME", "/")]), Some("/.local/state".into()));
        }
        assert_eq!(find(&[("HOME", "relative")]), None);
        assert_eq!(find(&[("HOME", "/nobody/has/this/home")]), None);
        assert_eq!(find(&[]), None);
    }
}
