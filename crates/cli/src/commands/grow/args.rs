//! The arguments of `nex rootfs grow`.

use std::path::PathBuf;

use clap::Args;
use nex_rootfs::NewSize;

use crate::args::size;

/// `nex rootfs grow`.
#[derive(Debug, Args)]
pub struct GrowArgs {
    /// The root filesystem: an uncompressed file that nex made, and that no program uses.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The new size, in bytes or with a unit (1GiB, 1G); with + in front, the size to add.
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
The file becomes as long as SIZE and stays sparse, and its file system gets all of the room: new blocks, and inodes in the same
ratio as before. nex copies nothing, so this takes milliseconds. A file system never shrinks. Data behind the file system in the
file is lost.

After a stop at any moment, 'e2fsck -p FILE' replays the journal, and the file system has the old size or the new one. Without a
journal, or with one too small for the change, 'e2fsck -f FILE' repairs the file system.

Past the size for which a root filesystem was prepared (--max-size), its format changes a little (meta_bg). The same happens when
the kernel grows it that far.

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
