//! Stacks that one of the programs does not take, and which of these refusals the rules know.

use std::collections::BTreeMap;
use std::sync::Mutex;

use nex_testkit::{Failure, Result};

use crate::stack::{Stack, What};

/// Counts the refusals of each class.
#[derive(Default)]
pub struct Refusals(Mutex<BTreeMap<String, u32>>);

impl Refusals {
    /// Counts a member that both refuse, when the rules have a name for it.
    ///
    /// # Errors
    /// When they have none.
    pub fn both(&self, stack: &Stack, number: usize, reason: &str) -> Result<()> {
        let class = match () {
            () if reason.contains("does not exist in this or a lower layer") => "a hard link to nothing",
            () if reason.contains("is a hard link to the directory") => "a hard link to a directory",
            () if reason.contains("is not a directory") => "a name below a file",
            () if reason.contains("symbolic links") => "a loop of symbolic links",
            () => return Err(refused("both refuse, for an unknown reason", stack, number, reason)),
        };
        self.count(&format!("refused by both: {class}"));
        Ok(())
    }

    /// Counts a member that only umoci refuses, when nex has a reason to take it: umoci removes what a link replaces before
    /// it looks for the link's target.
    ///
    /// # Errors
    /// When there is no such reason.
    pub fn only_theirs(&self, stack: &Stack, number: usize, reason: &str) -> Result<()> {
        let member = stack.members().nth(number);
        let class = match member.map(|member| &member.what) {
            Some(What::HardLink(_)) if reason.contains("no such file or directory") => {
                "a hard link that replaces its own target, or a directory on the way to it"
            }
            _ => return Err(refused("only umoci refuses", stack, number, reason)),
        };
        self.count(&format!("refused by umoci only: {class}"));
        Ok(())
    }

    fn count(&self, class: &str) {
        let mut counts = self.0.lock().expect("no holder panics");
        *counts.entry(class.to_owned()).or_default() += 1;
    }

    /// The counts, one a line.
    pub fn summary(&self) -> String {
        let counts = self.0.lock().expect("no holder panics");
        counts.iter().map(|(class, count)| format!("  {count:6}  {class}\n")).collect()
    }
}

/// What to tell about a member that is refused.
pub fn refused(what: &str, stack: &Stack, number: usize, reason: &str) -> Failure {
    let member = stack.members().nth(number).map(|member| format!("{member:?}")).unwrap_or_default();
    Failure::new(format!("{what}: {member}\n{reason}"))
}

/// Reads from an error such as `layer 2 (sha256:...), entry 3 'a/b': ...` which member of a stack it blames.
pub fn our_member(stack: &Stack, text: &str) -> Option<usize> {
    let layer = number_behind(text, "layer ")?;
    let entry = number_behind(text, ", entry ")?;
    let below: usize = stack.0.iter().take(layer - 1).map(Vec::len).sum();
    Some(below + entry - 1)
}

fn number_behind(text: &str, words: &str) -> Option<usize> {
    let (_, rest) = text.split_once(words)?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|number| *number > 0)
}
