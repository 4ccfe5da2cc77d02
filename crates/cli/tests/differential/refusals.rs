//! Stacks that one of the programs does not take, and which of these refusals the rules know.

use std::collections::BTreeMap;
use std::sync::Mutex;

use nex_testkit::{Failure, Result};

use crate::model::{self, Refusal};
use crate::stack::{Stack, What};

/// Counts the refusals of each class.
#[derive(Default)]
pub struct Refusals(Mutex<BTreeMap<String, u32>>);

impl Refusals {
    /// Counts a member that all refuse, when nex gives the model's reason for it.
    ///
    /// # Errors
    /// When it gives another.
    pub fn all(&self, stack: &Stack, refusal: &Refusal, reason: &str) -> Result<()> {
        let words = match refusal.rule {
            model::MISSING_TARGET => "does not exist in this or a lower layer",
            model::TARGET_IS_DIRECTORY => "is a hard link to the directory",
            model::BELOW_A_FILE => "is not a directory",
            _ => "symbolic links",
        };
        if !reason.contains(words) {
            return Err(refused(&format!("not refused as {}", refusal.rule), stack, refusal.member, reason));
        }
        self.count(&format!("refused by all: {}", refusal.rule));
        Ok(())
    }

    /// Counts a member that only umoci refuses, when nex has a reason to take it: umoci removes what a link replaces before
    /// it looks for the link's target, and takes names of AUFS for whiteouts.
    ///
    /// # Errors
    /// When there is no such reason.
    pub fn only_theirs(&self, stack: &Stack, number: usize, reason: &str) -> Result<()> {
        let member = stack.members().nth(number);
        let class = match member.map(|member| &member.what) {
            Some(What::HardLink(_)) if reason.contains("no such file or directory") => {
                "a hard link that replaces its own target, or a directory on the way to it"
            }
            Some(What::Bookkeeping(_)) if reason.contains("too many levels of symbolic links") => {
                "a name of AUFS, which means nothing, below a loop of symbolic links"
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
    let below: usize = stack.layers.iter().take(layer - 1).map(Vec::len).sum();
    Some(below + entry - 1)
}

fn number_behind(text: &str, words: &str) -> Option<usize> {
    let (_, rest) = text.split_once(words)?;
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|number| *number > 0)
}
