//! How a program is run in a guest that is there.

use clap::Args;

use crate::args::variable;

/// What a program has that others of its guest need not have.
#[derive(Debug, Args)]
#[group(skip)]
pub struct ProgramArgs {
    /// A variable for the program, on top of those of the guest's own program; may be given several times.
    ///
    /// NAME alone takes the value from the environment of nex.
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = variable::parse)]
    pub env: Vec<String>,

    /// The user that the program runs as [default: that of the guest's own program].
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

    /// The directory that the program starts in, an absolute path [default: that of the guest's own program].
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,
}
