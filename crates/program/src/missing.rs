//! What a program lacks.

use std::fmt::{self, Display, Formatter};

/// One thing that a program needs and the root filesystem lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The loader of a dynamic program.
    Loader(String),
    /// A library.
    Library {
        /// Its name.
        name: String,
        /// The program or library that needs it.
        needed_by: String,
    },
    /// A version of a library that is there.
    Version {
        /// The version.
        name: String,
        /// The library's name.
        library: String,
        /// The newest version of the same family that it has.
        newest: Option<String>,
    },
    /// What a loader might find where nex looks no longer: it searches in too many places, or too much is named.
    Unfollowed,
}

impl Display for Missing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loader(path) => write!(f, "the loader {path}"),
            Self::Library { name, needed_by } => write!(f, "{name} (for {needed_by})"),
            Self::Version { name, library, newest: Some(newest) } => {
                write!(f, "{name} in {library} (which goes up to {newest})")
            }
            Self::Version { name, library, newest: None } => write!(f, "{name} in {library}"),
            Self::Unfollowed => f.write_str("libraries in more places than nex looks at"),
        }
    }
}
