//! Errors of libraries in the words of the command line: the fact, then what to do, with flags where settings are meant.

use nex_fault::Fault;

use crate::diagnostic::Diagnostic;

/// What went wrong, and what the user can do about it.
pub fn diagnostic(error: impl Fault) -> Diagnostic {
    let remedy = error.remedy().map(|remedy| remedy.words(|setting| format!("--{}", setting.name())));
    let fact = nex_fault::whole(&error);
    Diagnostic::new(remedy.map_or_else(|| fact.clone(), |remedy| format!("{fact}; {remedy}")))
}
