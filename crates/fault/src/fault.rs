//! What each error of a library says beside its words.

use std::error::Error;

use crate::{Code, Remedy, Setting};

/// An error with a code, and with a remedy where there is one.
///
/// An enum that wraps errors of other crates passes their code and their remedy on.
pub trait Fault: Error {
    /// Its stable name.
    fn code(&self) -> Code;

    /// What its user can do about it.
    fn remedy(&self) -> Option<Remedy> {
        None
    }
}

/// An error with its sources, as one line says it: `cannot read 'x': Permission denied`.
pub fn whole(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}

/// An error with its sources and its remedy, as one line says it: `cannot read 'x': Permission denied; name another`. For tests: a
/// program shows the parts, and what is no error to its user is a [`Note`](crate::Note).
pub fn advised(error: &dyn Fault, named: impl Fn(Setting) -> String) -> String {
    let words = whole(error);
    match error.remedy() {
        Some(remedy) => format!("{words}; {}", remedy.words(named)),
        None => words,
    }
}
