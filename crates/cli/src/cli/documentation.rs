//! The command line with all that is documented about it.

use clap::CommandFactory;

use super::variables::names;
use super::{Cli, exit_codes};

/// The command line with all that there is to know about it, for who reads about it: variables and exit codes.
pub fn documented() -> clap::Command {
    exit_codes::told(names::named(Cli::command(), &[]), &[])
}
