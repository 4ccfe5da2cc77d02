//! What to do about an error.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use crate::Setting;

/// What to do about an error: words for people, with steps between them that a program can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(Cow<'static, str>),
    Step(Step),
}

/// A change of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Raise this limit, or give more time.
    Raise(Setting),
    /// Lower what is asked for.
    Lower(Setting),
    /// Name something, or something else.
    Choose(Setting),
    /// Give this value.
    Set(Setting, Cow<'static, str>),
    /// Turn this on.
    Allow(Setting),
    /// Do without it.
    Omit(Setting),
}

impl Step {
    /// What it changes.
    pub const fn setting(&self) -> Setting {
        match self {
            Self::Raise(setting)
            | Self::Lower(setting)
            | Self::Choose(setting)
            | Self::Set(setting, _)
            | Self::Allow(setting)
            | Self::Omit(setting) => *setting,
        }
    }
}

impl Remedy {
    /// Begins with words. Parts are joined by a space; words that begin with `,`, `;`, `:` or `)` follow without one, and so does
    /// what follows a `(`.
    pub fn say(words: impl Into<Cow<'static, str>>) -> Self {
        Self(vec![Part::Words(words.into())])
    }

    /// Goes on with words.
    #[must_use]
    pub fn and(self, words: impl Into<Cow<'static, str>>) -> Self {
        self.with(Part::Words(words.into()))
    }

    /// Goes on with a limit to be raised.
    #[must_use]
    pub fn raise(self, setting: Setting) -> Self {
        self.with(Part::Step(Step::Raise(setting)))
    }

    /// Goes on with a demand to be lowered.
    #[must_use]
    pub fn lower(self, setting: Setting) -> Self {
        self.with(Part::Step(Step::Lower(setting)))
    }

    /// Goes on with a setting that should name something, or something else.
    #[must_use]
    pub fn choose(self, setting: Setting) -> Self {
        self.with(Part::Step(Step::Choose(setting)))
    }

    /// Goes on with a setting and its value.
    #[must_use]
    pub fn set(self, setting: Setting, value: impl Into<Cow<'static, str>>) -> Self {
        self.with(Part::Step(Step::Set(setting, value.into())))
    }

    /// Goes on with a setting to be turned on.
    #[must_use]
    pub fn allow(self, setting: Setting) -> Self {
        self.with(Part::Step(Step::Allow(setting)))
    }

    /// Goes on with a setting to be left out.
    #[must_use]
    pub fn omit(self, setting: Setting) -> Self {
        self.with(Part::Step(Step::Omit(setting)))
    }

    /// Goes on with another remedy, behind a semicolon.
    #[must_use]
    pub fn also(mut self, other: impl Into<Self>) -> Self {
        self.0.push(Part::Words(";".into()));
        self.0.extend(other.into().0);
        self
    }

    /// The steps, for programs.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.0.iter().filter_map(|part| match part {
            Part::Step(step) => Some(step),
            Part::Words(_) => None,
        })
    }

    /// For people: the words, with each setting as `named` calls it.
    pub fn words(&self, named: impl Fn(Setting) -> String) -> String {
        let mut words = String::new();
        for part in self.0.iter().filter(|part| !matches!(part, Part::Words(words) if words.is_empty())) {
            let part: Cow<'_, str> = match part {
                Part::Words(words) => words.as_ref().into(),
                Part::Step(Step::Set(setting, value)) => format!("{} {value}", named(*setting)).into(),
                Part::Step(step) => named(step.setting()).into(),
            };
            let joined =
                words.is_empty() || words.ends_with(['(', '\'']) || part.starts_with([',', ';', ':', ')', '\'']);
            if !joined {
                words.push(' ');
            }
            words.push_str(&part);
        }
        words
    }

    fn with(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }
}

impl From<&'static str> for Remedy {
    fn from(words: &'static str) -> Self {
        Self::say(words)
    }
}

impl From<String> for Remedy {
    fn from(words: String) -> Self {
        Self::say(words)
    }
}

/// In the command line's documents for programs, settings have the names of its flags.
impl Serialize for Remedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words(Setting::flag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_by_the_user_of_the_library() {
        let remedy = Remedy::say("leave")
            .omit(Setting::JailUser)
            .and("out, or take")
            .set(Setting::Vmm, "firecracker")
            .and("(a limit,")
            .raise(Setting::MaxKernel)
            .and(")");
        let flags = remedy.words(Setting::flag);
        assert_eq!(flags, "leave --jail-user out, or take --vmm firecracker (a limit, --max-kernel)");
        let keys = remedy.words(|setting| setting.name().replace('-', "_"));
        assert_eq!(keys, "leave jail_user out, or take vmm firecracker (a limit, max_kernel)");
        let steps: Vec<_> = remedy.steps().map(Step::setting).collect();
        assert_eq!(steps, [Setting::JailUser, Setting::Vmm, Setting::MaxKernel]);
        let both = Remedy::say("wait").also(Remedy::say("").raise(Setting::Timeout).and("gives more"));
        assert_eq!(both.words(Setting::flag), "wait; --timeout gives more");
    }
}
