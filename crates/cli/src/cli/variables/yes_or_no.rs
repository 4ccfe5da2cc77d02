//! The variables of flags without a value: yes or no, or how often.

use std::ffi::OsStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, ArgAction, Command};

/// What gives the flag.
const YES: [&str; 4] = ["1", "true", "yes", "on"];

/// What does not.
const NO: [&str; 4] = ["0", "false", "no", "off"];

/// Whether the flag is given.
pub fn is_yes(value: &OsStr) -> bool {
    is_one_of(&YES, value)
}

/// How often a flag is given that counts: a number, or once for yes.
pub fn times(value: &OsStr) -> usize {
    /// More says no more.
    const MOST: usize = 9;
    number(value).unwrap_or_else(|| usize::from(is_yes(value))).min(MOST)
}

/// Why a value says neither.
pub fn refusal(command: &Command, flag: &Arg, value: &OsStr) -> Option<clap::Error> {
    let is_number = matches!(flag.get_action(), ArgAction::Count) && number(value).is_some();
    if is_number || is_one_of(&YES, value) || is_one_of(&NO, value) {
        return None;
    }
    PossibleValuesParser::new(YES.iter().chain(&NO).copied()).parse_ref(command, Some(flag), value).err()
}

fn is_one_of(words: &[&str], value: &OsStr) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn number(value: &OsStr) -> Option<usize> {
    value.to_str()?.parse().ok()
}
