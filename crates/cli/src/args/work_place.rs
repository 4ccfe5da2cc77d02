//! The flag that says where setup scripts run.

use std::path::PathBuf;

use clap::Args;

/// Where setup scripts run.
#[derive(Debug, Args)]
pub struct WorkPlace {
    /// The directory where setup scripts run [default: nex/sandbox in the user's cache].
    #[arg(long, value_name = "DIRECTORY")]
    pub work_dir: Option<PathBuf>,
}

impl WorkPlace {
    /// The directory.
    pub fn directory(&self) -> PathBuf {
        self.work_dir.clone().unwrap_or_else(nex_sandbox::default_work_dir)
    }
}
