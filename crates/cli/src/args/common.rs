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

    /// Print details on standard error; may be given several times.
    ///
    /// Once: requests to registries, uses of the cache, and which VMM runs a guest and why. Twice: also redirects, repeated
    /// attempts and similar details. Each line has a time. No line has a password, a token or a query. NEX_LOG sets the
    /// level for each kind of detail: NEX_LOG=registry=debug,cache=info.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// When messages and the help have colours.
    ///
    /// With auto, NO_COLOR in the environment turns colours off.
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
