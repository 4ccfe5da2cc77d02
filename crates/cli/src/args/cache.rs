//! The flags that say where the cache is.

use std::path::PathBuf;

use clap::Args;
use nex_cache::{CacheOptions, default_directory};

use super::size;

/// Where the cache is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cache")]
pub struct CachePlace {
    /// The cache's directory [default: $XDG_CACHE_HOME/nex, else ~/.cache/nex].
    #[arg(long, value_name = "DIRECTORY")]
    pub cache_dir: Option<PathBuf>,

    /// The most room that the cache may take; nex removes the least recently used entries first.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "10GiB")]
    pub cache_limit: u64,
}

impl CachePlace {
    /// Where the cache is; `None` where there is no place for one.
    pub fn options(&self) -> Option<CacheOptions> {
        let directory = self.cache_dir.clone().or_else(default_directory)?;
        Some(CacheOptions { directory, limit: self.cache_limit })
    }
}

/// How a build uses the cache.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cache")]
pub struct CacheArgs {
    /// Neither use nor fill the cache.
    #[arg(long)]
    pub no_cache: bool,

    #[command(flatten)]
    pub place: CachePlace,
}
