//! The drives that are made for a guest: one with its workload, and an empty one for what it writes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nex_contract::{BINARY_FILE, DRIVE_LABEL, Json, WORKLOAD_FILE, Workload};
use nex_ext4::{Content, Inode, Journal, Kind, Layout, Metadata, Options, Size, Sizes, Timestamp, Tree, Writer};
use nex_fault::{Code, Fault, Remedy, Setting};
use nex_file::kind::Format;
use nex_vmm::Disk;

use crate::codes;
use crate::proc_fd::path_of;

/// The label of a drive that keeps what guests write.
const OVERLAY_LABEL: &str = "nex-overlay";

/// Where ext4's superblock has its label (`s_volume_name`).
const LABEL_OFFSET: usize = 0x478;

/// All drives have it: they are told apart by their labels, and the same workload shall give the same bytes.
const UUID: [u8; 16] = *b"nexrun\x80\0\x80\0 drive";

/// How much of a program is copied at once.
const CHUNK: usize = 256 << 10;

/// A drive's file that has no name, so that nothing of it is left behind, whatever ends this process.
#[derive(Debug)]
pub struct UnnamedDrive {
    disk: Disk,
}

impl UnnamedDrive {
    fn new(file: File) -> Self {
        Self { disk: Disk::of(path_of(&file), file) }
    }

    /// It as a drive's. It is there as long as somebody has that.
    pub fn disk(&self) -> Disk {
        self.disk.clone()
    }

    /// A path that leads other processes of this user to it, for as long as somebody has it open here.
    pub fn path(&self) -> &Path {
        self.disk.path()
    }
}

/// Why a drive cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// There is no place for it.
    #[error("cannot make a temporary file in '{}'", .directory.display())]
    Temporary {
        /// Where it was to stand.
        directory: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// The file that was asked for cannot be made.
    #[error("cannot make '{}'", .path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// The file that is there will not do.
    #[error("cannot use the drive '{}'", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// What is there is no drive of ours: it may be a root filesystem, or somebody's data.
    #[error(
        "'{}' is not a drive that nex has made for changes: no ext4 file system with the label {OVERLAY_LABEL}",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// The program cannot be read.
    #[error("cannot read the program")]
    Program(#[source] io::Error),
    /// The drive cannot be written.
    #[error("cannot write {place}")]
    Write {
        /// Where it stands.
        place: DrivePlace,
        /// Why not.
        #[source]
        cause: nex_ext4::Error,
    },
}

/// Where a drive that is made stands.
#[derive(Clone, Debug)]
pub enum DrivePlace {
    /// In a file without a name, on the file system of this directory.
    Unnamed(PathBuf),
    /// In a file of the user's.
    File(PathBuf),
}

impl fmt::Display for DrivePlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed(directory) => write!(formatter, "a drive for the guest in '{}'", directory.display()),
            Self::File(path) => write!(formatter, "the drive '{}' for the guest", path.display()),
        }
    }
}

impl DrivePlace {
    /// What helps when there is no room.
    fn elsewhere(&self) -> Remedy {
        match self {
            Self::Unnamed(_) => Remedy::say("free some space there, or choose another directory with TMPDIR"),
            Self::File(_) => Remedy::say("free some space on its file system, or name a file on another one with")
                .choose(Setting::OverlayDrive),
        }
    }
}

impl Fault for DriveError {
    fn code(&self) -> Code {
        match self {
            Self::Temporary { .. } => codes::NO_PLACE,
            Self::Create { .. } => codes::DRIVE_NOT_MADE,
            Self::Open { .. } | Self::Program(_) => codes::UNREADABLE,
            Self::NotOurs(_) => codes::NOT_A_DRIVE,
            Self::Write { cause, .. } => cause.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Temporary { .. } => Some(Remedy::say("choose another directory with TMPDIR")),
            Self::Create { .. } => {
                Some(Remedy::say("name a file in another directory with").choose(Setting::OverlayDrive))
            }
            Self::NotOurs(_) => Some(Remedy::say(format!(
                "name a file that is not there yet, or give an ext4 of your own that label: e2label FILE {OVERLAY_LABEL}"
            ))),
            Self::Write { place, cause: nex_ext4::Error::Io { .. } } => Some(place.elsewhere()),
            Self::Write { cause, .. } => cause.remedy(),
            Self::Open { .. } | Self::Program(_) => None,
        }
    }
}

/// Makes a drive with a workload's description and, where the workload brings one, its program. The same bytes each time.
///
/// # Errors
/// When the program cannot be read or the drive not be written.
pub fn workload_drive(workload: &Workload, program: Option<File>) -> Result<UnnamedDrive, DriveError> {
    let file = temporary_file()?;
    write_workload(file.try_clone().map_err(temporary_error)?, workload, program)?;
    Ok(UnnamedDrive::new(file))
}

/// Makes an empty drive of so many bytes.
///
/// # Errors
/// When it cannot be written, or the size does not do.
pub fn overlay_drive(size: u64) -> Result<UnnamedDrive, DriveError> {
    let file = temporary_file()?;
    write_overlay(file.try_clone().map_err(temporary_error)?, size).map_err(unwritten)?;
    Ok(UnnamedDrive::new(file))
}

/// Makes an empty drive of so many bytes in a new file, which is open then.
///
/// # Errors
/// When there is such a file, it cannot be written, or the size does not do. A file that is not complete is removed.
pub fn create_overlay_drive(path: &Path, size: u64) -> Result<Disk, DriveError> {
    let failed = |cause| DriveError::Create { path: path.into(), cause };
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(failed)?;
    let unwritten = |cause| DriveError::Write { place: DrivePlace::File(path.into()), cause };
    let written = file.try_clone().map_err(failed).and_then(|file| write_overlay(file, size).map_err(unwritten));
    written.inspect_err(|_| {
        // Why it is not complete says more than why it cannot be removed.
        let _ = std::fs::remove_file(path);
    })?;
    Ok(Disk::of(path, file))
}

/// A drive that stands for a file of this name, and has nothing in it: nobody starts a guest with it.
///
/// # Errors
/// When there is no place for it.
pub fn unmade_drive(path: &Path) -> Result<Disk, DriveError> {
    temporary_file().map(|file| Disk::of(path, file))
}

/// Opens a drive for changes, and makes sure that it is one, by its label: any other file system would be written to at once.
///
/// # Errors
/// When it is not, or cannot be read and written to.
pub fn open_overlay_drive(path: &Path) -> Result<Disk, DriveError> {
    const HEAD: u64 = 2048;
    let failed = |cause| DriveError::Open { path: path.into(), cause };
    let file = nex_file::open_regular_to_change(path).map_err(failed)?;
    let mut head = Vec::new();
    (&file).take(HEAD).read_to_end(&mut head).map_err(failed)?;
    let has_label = head.get(LABEL_OFFSET..).is_some_and(|rest| rest.starts_with(&label(OVERLAY_LABEL)));
    if Format::Ext4.matches(&head) && has_label {
        return Ok(Disk::of(path, file));
    }
    Err(DriveError::NotOurs(path.into()))
}

fn temporary_file() -> Result<File, DriveError> {
    nex_file::private::unnamed_file(&std::env::temp_dir()).map_err(temporary_error)
}

fn temporary_error(cause: io::Error) -> DriveError {
    DriveError::Temporary { directory: std::env::temp_dir(), cause }
}

/// Why a drive in a temporary file is not whole.
fn unwritten(cause: nex_ext4::Error) -> DriveError {
    DriveError::Write { place: DrivePlace::Unnamed(std::env::temp_dir()), cause }
}

fn write_workload(file: File, workload: &Workload, program: Option<File>) -> Result<(), DriveError> {
    const PROGRAM_MODE: u16 = 0o755;
    const DESCRIPTION_MODE: u16 = 0o644;
    let sizes = Sizes { journal: Journal::None, ..Sizes::from(Size::Auto { free: Some(0) }) };
    let mut writer = Writer::new(file, &Layout::default()).map_err(unwritten)?;
    let mut tree = Tree::new(metadata(PROGRAM_MODE));
    if let Some(program) = program {
        let content = place(program, &mut writer)?;
        add(&mut tree, BINARY_FILE, PROGRAM_MODE, content);
    }
    let description = workload.to_json().map_err(|error| DriveError::Program(error.into()))?;
    let content = place(description.as_slice(), &mut writer)?;
    add(&mut tree, WORKLOAD_FILE, DESCRIPTION_MODE, content);
    writer.finish(&tree, &options(sizes, DRIVE_LABEL)).map_err(unwritten)?;
    Ok(())
}

fn write_overlay(file: File, size: u64) -> Result<(), nex_ext4::Error> {
    const ROOT_MODE: u16 = 0o755;
    let layout = Layout { size_limit: Some(size), max_size: Layout::default().max_size.max(size) };
    let writer = Writer::new(file, &layout)?;
    writer.finish(&Tree::new(metadata(ROOT_MODE)), &options(Sizes::from(Size::Exact(size)), OVERLAY_LABEL))?;
    Ok(())
}

fn options(sizes: Sizes, name: &str) -> Options {
    Options { sizes, uuid: UUID, hash_seed: UUID, label: label(name), time: 0 }
}

/// A label as the superblock has it, with zeros behind it.
fn label(name: &str) -> [u8; 16] {
    let mut label = [0; 16];
    label.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
    label
}

/// Root's, in 1970: whoever makes it, whenever.
fn metadata(mode: u16) -> Metadata {
    Metadata { mode, uid: 0, gid: 0, time: Timestamp::default() }
}

fn add(tree: &mut Tree, path: &str, mode: u16, content: Content) {
    let id = tree.add(Inode { metadata: metadata(mode), kind: Kind::File(content), xattrs: Box::default() });
    let name = path.trim_start_matches('/').as_bytes();
    if let Some(root) = tree.directory_mut(Tree::ROOT) {
        root.insert(name.into(), id);
    }
}

fn place(mut bytes: impl Read, writer: &mut Writer) -> Result<Content, DriveError> {
    let mut buffer = vec![0; CHUNK];
    let mut output = writer.file();
    loop {
        match bytes.read(&mut buffer) {
            Ok(0) => return output.finish().map_err(unwritten),
            Ok(count) => output.write(&buffer[..count]).map_err(unwritten)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DriveError::Program(error)),
        }
    }
}
