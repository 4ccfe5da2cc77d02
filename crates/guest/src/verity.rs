//! A root that the guest's kernel checks, block by block, by a hash tree of dm-verity.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nex_fault::{Code, Fault, Remedy, Setting};
use nex_inspect::read_superblock;
use nex_verity::{BLOCK_SIZE, NotATree, RootHash, SUPERBLOCK_SIZE, Superblock, Table};
use nex_vmm::{Access, Disk, Machine};

use crate::codes;
use crate::root_fs::Root;

/// The module that checks.
pub const MODULE: &str = "dm_verity";
/// What it hashes by, in kernels that have it in a module of its own.
pub const HASH_MODULE: &str = "sha256_generic";

/// A hash tree, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verity {
    /// Where it is: the root's own file, when it stands behind the file system, or another.
    pub hashes: PathBuf,
    /// Its root hash, as the build has reported it; without it, the tree is believed.
    pub root_hash: Option<RootHash>,
}

/// Why a hash tree cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VerityError {
    /// A file cannot be read.
    #[error("cannot read '{}'", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// There is no tree in the file.
    #[error("cannot use '{}' for dm-verity", .path.display())]
    NoTree {
        /// The file.
        path: PathBuf,
        /// What it is.
        #[source]
        why: NotATree,
    },
    /// The file has a tree, behind a file system of its own.
    #[error("'{}' is a root filesystem with a hash tree of its own, and the root is '{}'", .hashes.display(), .root.display())]
    Sealed {
        /// The file with the tree.
        hashes: PathBuf,
        /// The root filesystem.
        root: PathBuf,
    },
    /// The tree is another root filesystem's.
    #[error(
        "the hash tree in '{}' is for {tree} blocks, and the file system in '{}' has {file_system}: they are not of one build",
        .hashes.display(), .root.display()
    )]
    Other {
        /// The file with the tree.
        hashes: PathBuf,
        /// The root filesystem.
        root: PathBuf,
        /// Blocks of 4 KiB that the tree covers.
        tree: u64,
        /// Those of the file system.
        file_system: u64,
    },
    /// The tree is not all there.
    #[error(
        "the hash tree in '{}' ends at byte {wanted}, and the file at {length}: it was cut off, as by a copy that did not end", .path.display()
    )]
    CutOff {
        /// The file with the tree.
        path: PathBuf,
        /// Where the tree ends, in bytes.
        wanted: u64,
        /// The file's length.
        length: u64,
    },
    /// The tree is not the one that was asked for.
    #[error("the hash tree in '{}' has the root hash {found}, and not {wanted}: it was changed, or is another build's", .path.display())]
    RootHash {
        /// The file with the tree.
        path: PathBuf,
        /// What it has.
        found: RootHash,
        /// What was asked for.
        wanted: RootHash,
    },
}

impl Fault for VerityError {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => codes::UNREADABLE,
            Self::NoTree { why, .. } => why.code(),
            Self::Sealed { .. } | Self::Other { .. } => codes::OTHER_TREE,
            Self::CutOff { .. } => codes::TREE_CUT_OFF,
            Self::RootHash { .. } => codes::ROOT_HASH,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::NoTree { .. } => Some(
                Remedy::say("name the root filesystem that nex rootfs")
                    .allow(Setting::Verity)
                    .and("has made, or the file of")
                    .choose(Setting::VerityFile),
            ),
            Self::Sealed { root, .. } => Some(
                Remedy::say(format!("name '{}' itself if it is sealed, or the file of its", root.display()))
                    .choose(Setting::VerityFile),
            ),
            Self::Other { .. } => Some(Remedy::say("name the tree that was made with this root filesystem")),
            Self::CutOff { .. } => Some(Remedy::say("copy or make it again")),
            Self::Read { .. } | Self::RootHash { .. } => None,
        }
    }
}

/// A tree that goes with its root filesystem.
#[derive(Clone, Debug)]
pub struct ReadyVerity {
    superblock: Superblock,
    /// What the kernel is told to believe.
    pub root_hash: RootHash,
    /// Where the superblock begins, in bytes.
    offset: u64,
    /// The file of the tree, where that is not the root's.
    apart: Option<Disk>,
}

impl Verity {
    /// Makes sure that the tree is the root's, as far as that is told without reading all of it: the guest's kernel does that.
    ///
    /// # Errors
    /// When it is not, or cannot be read.
    pub(crate) fn prepare(&self, root: &Root) -> Result<ReadyVerity, VerityError> {
        let path = &self.hashes;
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |cause| VerityError::Read { path, cause }
        };
        let hashes = nex_file::open_disk(path).map_err(failed(path))?;
        let same = is_same(root.file(), &hashes).map_err(failed(path))?;
        let data = root.file().try_clone().map_err(failed(root.path()))?;
        let file_system = read_superblock(data).map_err(|error| failed(root.path())(io::Error::other(error)))?;
        let covered = file_system.size();
        let offset = if same { covered } else { 0 };
        let superblock = read(&hashes, offset, SUPERBLOCK_SIZE).map_err(failed(path))?;
        let superblock = Superblock::decode(&superblock).map_err(|why| match why {
            NotATree::Signature if !same && is_sealed(&hashes) => {
                VerityError::Sealed { hashes: path.clone(), root: root.path().into() }
            }
            why => VerityError::NoTree { path: path.clone(), why },
        })?;
        let blocks = covered / BLOCK_SIZE;
        if superblock.data_blocks != blocks {
            let (hashes, root, tree) = (path.clone(), root.path().into(), superblock.data_blocks);
            return Err(VerityError::Other { hashes, root, tree, file_system: blocks });
        }
        let (wanted, length) =
            (offset.saturating_add(nex_verity::hash_bytes(blocks)), nex_file::length(&hashes).map_err(failed(path))?);
        if length < wanted {
            return Err(VerityError::CutOff { path: path.clone(), wanted, length });
        }
        let first = read(&hashes, offset.saturating_add(BLOCK_SIZE), BLOCK_SIZE as usize).map_err(failed(path))?;
        let found = superblock.root_hash(&first);
        match self.root_hash {
            Some(wanted) if wanted != found => Err(VerityError::RootHash { path: path.clone(), found, wanted }),
            _ => {
                let apart = (!same).then(|| Disk::of(path, hashes));
                Ok(ReadyVerity { superblock, root_hash: found, offset, apart })
            }
        }
    }
}

impl ReadyVerity {
    /// Gives the guest, whose first drive is the root, the tree's drive and the words by which the kernel checks its root.
    pub fn add_to(&self, machine: &mut Machine) {
        let data = machine.drives.first().map(|drive| drive.bus).unwrap_or_default().device(0);
        let hashes = self.apart.clone().map(|disk| machine.add_drive(disk, Access::ReadOnly));
        let hashes = hashes.as_deref().unwrap_or(&data);
        let (superblock, root_hash, offset) = (&self.superblock, self.root_hash, self.offset);
        machine.add_words(&Table { superblock, root_hash, data: &data, hashes, offset }.kernel_arguments());
    }
}

/// Whether the file has a file system, and a hash tree behind it.
fn is_sealed(file: &File) -> bool {
    let size = file.try_clone().ok().and_then(|file| read_superblock(file).ok()).map(|file_system| file_system.size());
    let found = size.and_then(|size| read(file, size, SUPERBLOCK_SIZE).ok());
    found.is_some_and(|bytes| !matches!(Superblock::decode(&bytes), Err(NotATree::Signature)))
}

fn is_same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// As many bytes as there are, up to `most`.
fn read(file: &File, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut count = 0;
    while count < most {
        match file.read_at(&mut bytes[count..], offset.saturating_add(count as u64)) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(count);
    Ok(bytes)
}
