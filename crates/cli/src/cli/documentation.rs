//! The command line with all that is documented about it.

use clap::Command;

use super::variables::names;
use super::{exit_codes, groups};

/// How much the help says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `-h`: the usual flags, and examples.
    Short,
    /// `--help` and the manual: all flags with their variables, what is to be known, and exit codes.
    Long,
}

/// The command line with what there is to know about it, for who reads about it.
pub fn documented(command: Command, form: Form) -> Command {
    // The library looks at what it builds for whether there is more to say than -h does.
    let mut command = exit_codes::told(command, &[]);
    command.build();
    let command = groups::grouped(command, &[]);
    match form {
        Form::Short => with_examples_alone(command),
        Form::Long => names::named(command, &[]),
    }
}

/// Leaves out what the help says behind the flags, but for the examples.
fn with_examples_alone(command: Command) -> Command {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples = help.split("\n\n").find(|part| part.starts_with("Examples:")).unwrap_or_default().to_owned();
    command.after_help(examples).mut_subcommands(with_examples_alone)
}
