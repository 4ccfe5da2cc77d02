//! Landlock's scopes: no process in them connects to an abstract Unix socket of others, or signals others.
//!
//! Namespaces keep scripts from both already, where they can be had. These hold on the host's network too, and for whoever
//! finds a way out of a namespace.

use landlock::{
    ABI, Access, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
};

/// All of them or an error: before Linux 6.12 there are none.
fn ruleset() -> Result<RulesetCreated, RulesetError> {
    let scopes = Scope::from_all(ABI::V6);
    Ruleset::default().set_compatibility(CompatLevel::HardRequirement).scope(scopes)?.create()
}

/// Whether the kernel has them.
pub fn are_there() -> bool {
    ruleset().is_ok()
}

/// Puts this process, and all that it starts, into them, where the kernel has them. What they may connect to and signal is
/// what has been made in them.
///
/// Setuid programs of the tree stay what they are, so the process must be root of its user namespace.
///
/// # Errors
/// When the kernel has them and does not let us in.
pub fn enter() -> Result<(), RulesetError> {
    match ruleset() {
        Ok(ruleset) => ruleset.no_new_privs(false).restrict_self().map(drop),
        Err(_) => Ok(()),
    }
}
