//! What others must be told to use the tree: the kernel in its arguments, `veritysetup` on its command line.

use std::path::{Path, PathBuf};

use nex_fault::{Note, Remedy, Setting};
use nex_text::hex;
use nex_verity::{RootHash, Table};

use super::Parameters;
use crate::report::VerityReport;

/// The guest's first drive.
const FIRST_DRIVE: &str = "/dev/vda";
/// The guest's second drive.
const SECOND_DRIVE: &str = "/dev/vdb";

/// The name of the mapped device.
const NAME: &str = "rootfs";

/// What is to be known of a guest whose root is checked.
pub fn guest_needs() -> Note {
    Note::new("the root of a guest stays read only, so what it writes goes to a tmpfs or another drive").advising(
        Remedy::say("nex rootfs boot and nex run have the root checked with").choose(Setting::Verity).and(
            "; elsewhere dm-verity wants a kernel with CONFIG_DM_VERITY and CONFIG_DM_INIT built in, and the image as the first \
             drive, read only and not as Firecracker's root device (which adds root=/dev/vda)",
        ),
    )
}

/// Where the tree stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind the file system, in the image.
    Appended,
    /// In a file of its own.
    File(PathBuf),
}

impl Place {
    /// Where the superblock of the tree begins in its file, in bytes.
    pub fn offset(&self, parameters: &Parameters) -> u64 {
        match self {
            Self::Appended => parameters.data_bytes(),
            Self::File(_) => 0,
        }
    }
}

/// Tells everything about a tree. `image` is the name of the image when it is not compressed.
pub fn report(parameters: &Parameters, root: &RootHash, place: &Place, image: &Path) -> VerityReport {
    let offset = place.offset(parameters);
    let root_hash = root.to_string();
    let salt = hex(parameters.salt);
    let (hash_drive, hash_file) = match place {
        Place::Appended => (FIRST_DRIVE, image),
        Place::File(path) => (SECOND_DRIVE, path.as_path()),
    };
    let superblock = parameters.superblock();
    let (data, hashes) = (FIRST_DRIVE, hash_drive);
    let table = Table { superblock: &superblock, root_hash: *root, data, hashes, offset };
    let (image, hash_file) = (nex_text::shell_word(image), nex_text::shell_word(hash_file));
    let options = if offset == 0 { String::new() } else { format!(" --hash-offset={offset}") };
    VerityReport {
        kernel_arguments: table.kernel_arguments(),
        verify: format!("veritysetup verify {image} {hash_file} {root_hash}{options}"),
        open: format!("veritysetup open {image} {NAME} {hash_file} {root_hash}{options}"),
        root_hash,
        salt,
        uuid: parameters.uuid.to_string(),
        data_blocks: parameters.data_blocks,
        hash_offset: offset,
        hash_bytes: parameters.hash_bytes(),
        hash_file: match place {
            Place::Appended => None,
            Place::File(path) => Some(path.display().to_string()),
        },
    }
}
