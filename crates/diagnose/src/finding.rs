//! What was found out, in the form in which everything is.

use nex_fault::{Fault, Remedy, advised};
use nex_program::BadScript;
use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does not boot, or its agent does not run.
    Error,
    /// It boots, but something will not be as it was meant.
    Warning,
    /// Good to know.
    Info,
}

/// What is looked for. Its id never changes its meaning, so that programs can rely on it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Words between hyphens.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence on what it means.
    pub meaning: &'static str,
}

/// A rule that applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's.
    pub id: &'static str,
    /// The rule's.
    pub severity: Severity,
    /// What was seen, and where.
    pub evidence: String,
    /// What to do about it.
    pub remedy: Remedy,
}

impl Finding {
    /// Says that a rule applies.
    pub fn new(rule: &Rule, evidence: impl Into<String>, remedy: impl Into<Remedy>) -> Self {
        Self { id: rule.id, severity: rule.severity, evidence: evidence.into(), remedy: remedy.into() }
    }
}

/// What is wrong with a script's first line, and how it is mended, which no setting does.
pub(crate) fn bad_script(error: &BadScript) -> String {
    advised(error, |setting| setting.name().to_owned())
}

/// What to do about an error, before what else helps.
pub(crate) fn remedy_of(error: &dyn Fault, else_helps: &'static str) -> Remedy {
    error.remedy().map_or_else(|| else_helps.into(), |remedy| remedy.also(else_helps))
}
