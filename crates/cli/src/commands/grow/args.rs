//! The arguments of `nex rootfs grow`.

use std::path::PathBuf;

use clap::Args;
use nex_rootfs::NewSize;

use crate::args::size;

/// `nex rootfs grow`.
#[derive(Debug, Args)]
pub struct GrowArgs {
    /// The root filesystem: an uncompressed file that nex made, in use by nobody.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The new size: bytes, or with a unit (1GiB, 1G); with + in front, what is added.
    #[arg(value_name = "SIZE", value_parser = new_size)]
    pub size: NewSize,
}

fn new_size(text: &str) -> Result<NewSize, String> {
    let (more, text) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
    let bytes = size::whole_sectors(size::parse(text)?)?;
    Ok(if more { NewSize::More(bytes) } else { NewSize::Bytes(bytes) })
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
The file becomes as long as SIZE and stays sparse, and the file system in it gets all of it: new blocks, and inodes in the
same ratio as before. Nothing is copied, so it takes milliseconds. It never shrinks. What stands in the file behind the file
system is lost. A stop at any moment leaves the old size or the new, once 'e2fsck -p FILE' has put the journal into effect;
without a journal, or with one too small for what changes, 'e2fsck -f FILE' repairs it.

Past the size that a root filesystem was prepared for (--max-size) its format changes a little (meta_bg), as it does when the
kernel grows it so far.

Examples:
  nex rootfs grow rootfs.ext4 10GiB
  nex rootfs grow rootfs.ext4 +500MiB";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_or_added() {
        assert_eq!(new_size("10GiB"), Ok(NewSize::Bytes(10 << 30)));
        assert_eq!(new_size("+500M"), Ok(NewSize::More(500 << 20)));
        for text in ["", "+", "++1G", "-1G", "1.5G", "+1000"] {
            assert!(new_size(text).is_err(), "{text}");
        }
    }
}
