//! Names of errors, for programs.

use std::fmt;

/// The stable name of a kind of error, such as `registry-unauthorized`: the area, then what is wrong.
///
/// A code keeps its meaning for good. An error that means something else gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    id: &'static str,
    meaning: &'static str,
}

impl Code {
    /// A code with what it means, in one line. Crates define theirs with [`codes!`](crate::codes).
    pub const fn new(id: &'static str, meaning: &'static str) -> Self {
        Self { id, meaning }
    }

    /// The name.
    pub const fn id(self) -> &'static str {
        self.id
    }

    /// What it means, in one line of Markdown.
    pub fn meaning(self) -> &'static str {
        self.meaning.trim()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

/// Defines the codes of a crate's errors, and `ALL`, the list of them. The comment is the meaning.
///
/// ```
/// nex_fault::codes! {
///     /// The registry asks for credentials, or does not take those that it got.
///     UNAUTHORIZED = "registry-unauthorized";
///     /// The registry has no such repository.
///     NO_REPOSITORY = "registry-no-repository";
/// }
///
/// assert_eq!(ALL.len(), 2);
/// assert_eq!(ALL[0].meaning(), "The registry asks for credentials, or does not take those that it got.");
/// ```
#[macro_export]
macro_rules! codes {
    ($(#[doc = $meaning:literal] $name:ident = $id:literal;)+) => {
        $(#[doc = $meaning] pub const $name: $crate::Code = $crate::Code::new($id, $meaning);)+

        /// All of them, in the order of the documentation.
        pub const ALL: &[$crate::Code] = &[$($name),+];
    };
}
