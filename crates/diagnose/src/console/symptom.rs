//! What a line of a console tells.

use nex_fault::Remedy;
use serde::Serialize;

use super::rules;
use super::text::Message;
use crate::{Finding, Rule};

/// A finding, and the line that it was read from.
#[derive(Clone, Debug, Serialize)]
pub struct Symptom {
    /// What it means, and what to do.
    #[serde(flatten)]
    pub finding: Finding,
    /// The line; `None` for what follows from the absence of lines.
    pub line: Option<Quote>,
    #[serde(skip)]
    pub(super) weight: Weight,
}

/// A line of the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// Its number, from 1 on.
    pub number: u64,
    /// Its text, without the time and without control characters.
    pub text: String,
}

/// What a symptom is worth beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It explains what follows.
    Cause,
    /// It is how the boot ended: something else may explain it.
    Outcome,
    /// Many boots go well with it.
    Suspect,
}

impl Symptom {
    /// Something that explains what follows.
    pub(super) fn cause(rule: &Rule, message: &Message, words: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Weight::Cause, rule, Some(message), words, remedy)
    }

    /// How a boot ended.
    pub(super) fn outcome(rule: &Rule, message: &Message, words: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Weight::Outcome, rule, Some(message), words, remedy)
    }

    /// Something that may be harmless.
    pub(super) fn suspect(rule: &Rule, message: &Message, words: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self::new(Weight::Suspect, rule, Some(message), words, remedy)
    }

    /// What follows from where the console ends.
    pub(super) fn at_the_end(
        rule: &Rule,
        message: Option<&Message>,
        words: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> Self {
        Self::new(Weight::Outcome, rule, message, words, remedy)
    }

    fn new(
        weight: Weight,
        rule: &Rule,
        message: Option<&Message>,
        words: impl Into<String>,
        remedy: impl Into<Remedy>,
    ) -> Self {
        let line = message.map(|message| Quote { number: message.line, text: message.quote() });
        Self { finding: Finding::new(rule, words, remedy), line, weight }
    }

    /// Whether it says more than a line that may be harmless.
    pub(super) fn outweighs_suspects(&self) -> bool {
        self.finding.id != rules::AGENT_SILENT.id && self.finding.id != rules::GUEST_ENDED.id
    }
}
