//! What was typed, in contrast to defaults.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

/// Whether a flag was typed.
pub fn is_given(flag: &Arg, matches: &ArgMatches) -> bool {
    matches!(matches.value_source(flag.get_id().as_str()), Some(ValueSource::CommandLine))
}
