//! The files on this machine that a check reads beside the image: the kernel, and its configuration.

use std::path::{Path, PathBuf};

use nex_kernel::Error as KernelError;

use super::CheckError;
use crate::kernel::{Config, KernelFacts};

/// The kernel's file, and the configuration that goes with it.
pub(super) struct KernelFiles {
    pub(super) path: PathBuf,
    pub(super) kernel: Result<KernelFacts, KernelError>,
    pub(super) config: Option<Config>,
    /// Where the configuration is from.
    pub(super) source: Option<String>,
}

impl KernelFiles {
    /// Reads the kernel, of at most `most` bytes, and its configuration: its own, the one that is named, or the one beside it.
    pub(super) fn read(path: &Path, most: u64, config: Option<&Path>) -> Result<Self, CheckError> {
        let kernel = match KernelFacts::read(path, most) {
            Err(KernelError::Read { path, cause }) => return Err(CheckError::Read { path, cause }),
            kernel => kernel,
        };
        let facts = kernel.as_ref().ok();
        let own = facts.and_then(|kernel| kernel.config.clone());
        if own.is_some() {
            let source = Some("the kernel's own (IKCONFIG)".into());
            return Ok(Self { path: path.into(), kernel, config: own, source });
        }
        let named = config.map(Path::to_path_buf).or_else(|| Config::beside(path, facts?.release.as_deref()));
        let config = named.as_deref().map(read_config).transpose()?;
        let source = named.map(|path| path.display().to_string());
        Ok(Self { path: path.into(), kernel, config, source })
    }
}

fn read_config(path: &Path) -> Result<Config, CheckError> {
    let config = Config::read(path).map_err(|cause| CheckError::Read { path: path.into(), cause })?;
    config.ok_or_else(|| CheckError::NoConfig(path.into()))
}
