//! The arguments of `nex cache`.

use clap::{Args, Subcommand};

use crate::args::cache::CachePlace;
use crate::args::work_place::WorkPlace;

/// `nex cache`.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct CacheCommand {
    /// What to do with it.
    #[command(subcommand)]
    pub action: CacheAction,
}

/// The commands about the cache.
#[derive(Debug, Subcommand)]
pub enum CacheAction {
    /// List the entries of the cache, the most recently used first.
    #[command(after_help = "Examples:\n  nex cache ls\n  nex cache ls --format json")]
    Ls(CacheView),
    /// Print how much room the cache takes.
    #[command(after_help = "Examples:\n  nex cache du")]
    Du(CacheView),
    /// Remove entries above the limit, and the files that killed builds left in the cache and in the work directory.
    #[command(after_help = "Examples:\n  nex cache gc --cache-limit 2GiB\n  nex cache gc --all")]
    Gc {
        #[command(flatten)]
        view: CacheView,

        /// Remove everything.
        #[arg(long)]
        all: bool,

        #[command(flatten)]
        work_place: WorkPlace,
    },
    /// Read everything in the cache, and remove damaged entries.
    #[command(after_help = "Examples:\n  nex cache verify --format json")]
    Verify(CacheView),
}

/// What all of them take.
#[derive(Debug, Args)]
pub struct CacheView {
    #[command(flatten)]
    pub place: CachePlace,
}

impl CacheAction {
    /// What all of them take.
    pub fn view(&self) -> &CacheView {
        match self {
            Self::Ls(view) | Self::Du(view) | Self::Gc { view, .. } | Self::Verify(view) => view,
        }
    }
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The cache keeps the layers that builds have read, in the form that they have in images, and the files that registries have sent.
nex works without the cache, too. Several builds may use one cache at once.

Examples:
  nex cache ls
  nex cache gc --cache-limit 2GiB
  nex cache verify --format json";
