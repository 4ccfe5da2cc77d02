//! The environment of the process, read once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The variables that are set, with their values. An empty one counts as unset.
#[derive(Debug, Default)]
pub struct Environ(BTreeMap<OsString, OsString>);

impl Environ {
    /// That of this process.
    pub fn of_this_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of a variable.
    pub fn value(&self, name: &str) -> Option<OsString> {
        self.0.get(OsStr::new(name)).cloned()
    }

    /// The names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &OsStr> {
        self.0.keys().map(OsString::as_os_str)
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environ {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(variables.filter(|(_, value)| !value.is_empty()).collect())
    }
}
