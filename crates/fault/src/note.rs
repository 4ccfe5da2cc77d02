//! What is good to know, and no failure.

use serde::{Serialize, Serializer};

use crate::{Fault, Remedy, Setting, whole};

/// A remark of a library: the fact, and what its user can do about it where there is something. As errors do, it names settings as
/// values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    fact: String,
    remedy: Option<Remedy>,
}

impl Note {
    /// A fact.
    pub fn new(fact: impl Into<String>) -> Self {
        Self { fact: fact.into(), remedy: None }
    }

    /// An error with its sources that is no failure here, and its remedy.
    pub fn of(error: &dyn Fault) -> Self {
        Self { fact: whole(error), remedy: error.remedy() }
    }

    /// The same with what it is about in front: `built without a cache: ...`.
    #[must_use]
    pub fn about(self, what: &str) -> Self {
        Self { fact: format!("{what}: {}", self.fact), ..self }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn advising(self, remedy: impl Into<Remedy>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// The fact alone.
    pub fn fact(&self) -> &str {
        &self.fact
    }

    /// What to do about it.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.remedy.as_ref()
    }

    /// For people, in one line: the fact and the remedy, with each setting as `named` calls it.
    pub fn words(&self, named: impl Fn(Setting) -> String) -> String {
        match &self.remedy {
            Some(remedy) => format!("{}; {}", self.fact, remedy.words(named)),
            None => self.fact.clone(),
        }
    }
}

impl From<&str> for Note {
    fn from(fact: &str) -> Self {
        Self::new(fact)
    }
}

impl From<String> for Note {
    fn from(fact: String) -> Self {
        Self::new(fact)
    }
}

/// As its words, with the flags of the command line.
impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words(Setting::flag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_names_settings_as_its_reader_does() {
        let note = Note::new("no room is left")
            .about("not kept")
            .advising(Remedy::say("allow more with").raise(Setting::CacheLimit));
        assert_eq!(note.fact(), "not kept: no room is left");
        assert_eq!(note.words(Setting::flag), "not kept: no room is left; allow more with --cache-limit");
        assert_eq!(
            note.words(|setting| setting.name().to_owned()),
            "not kept: no room is left; allow more with cache-limit"
        );
        assert_eq!(Note::from("all is well").words(Setting::flag), "all is well");
    }
}
