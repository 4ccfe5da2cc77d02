//! The flags that every command has.

use clap::{ArgAction, Args, ValueEnum};

use super::format::Format;

/// What every command has.
#[derive(Clone, Copy, Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "Reports and messages")]
pub struct CommonArgs {
    /// The form of the report.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Show no progress and no notes.
    #[arg(short, long, global = true)]
    pub quiet: bool,

    /// Say more on standard error; may be given several times.
    ///
    /// Once: what registries are asked, what is taken from the cache and put into it, and who runs a guest and why. Twice:
    /// redirects, attempts and more of that. Each line has a time, and none has a password, a token or a query. NEX_LOG
    /// chooses by kinds: NEX_LOG=registry=debug,cache=info.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// When messages and the help have colours.
    ///
    /// NO_COLOR in the environment counts with auto.
    #[arg(long, global = true, value_enum, default_value_t = ColorArg::Auto)]
    pub color: ColorArg,
}

/// The value of `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}
