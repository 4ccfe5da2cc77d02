//! Files without a name, which end with this process, however that ends.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

/// A path by which processes of the same user open what this one has open, for as long as it does.
pub fn path_of(file: &File) -> PathBuf {
    let process = rustix::process::getpid().as_raw_nonzero();
    format!("/proc/{process}/fd/{}", file.as_raw_fd()).into()
}
