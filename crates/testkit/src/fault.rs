//! What an error says, in parts to compare.

use nex_fault::{Fault, Setting, whole};

/// The fact with its causes, the code, and what to do about it, with settings by their flags.
pub fn parts(error: &dyn Fault) -> (String, &'static str, Option<String>) {
    let remedy = error.remedy().map(|remedy| remedy.words(Setting::flag));
    (whole(error), error.code().id(), remedy)
}

/// The same, as a test expects it.
pub fn told(fact: &str, code: &'static str, remedy: Option<&str>) -> (String, &'static str, Option<String>) {
    (fact.to_owned(), code, remedy.map(str::to_owned))
}
