//! Writes a tar below a path. Whatever the tar says, nothing outside of that place is written, and no symbolic link below it is followed.

mod attributes;
mod content;
mod destination;
mod levels;
mod mapping;

use std::io::BufRead;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nex_tar::{CopyError, Device, Header, Kind, Reader, Types};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use self::attributes::Attributes;
use self::content::FileSink;
use self::destination::Destination;
use self::levels::Levels;
use self::mapping::Mapping;
use crate::error::{Refusal, TreeError};
use crate::notes::{LeftOut, Notes};

/// Bytes that the headers in front of one entry may take: long names, and extended attributes of 64 KiB each.
const MAX_HEADERS: u32 = 1 << 20;

/// The mode of what is not finished.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Where a tar goes, and what of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnpackOptions<'a> {
    /// What the path is to the tar.
    pub place: Place,
    /// Whom the files belong to.
    pub owners: Owners,
    /// What becomes of devices.
    pub devices: Devices,
    /// The name that the root of a copy must have: that of [`root_name`](crate::root_name), for what was asked for. Without it, any name
    /// will do, and who makes the tar chooses which file of a directory is replaced (CVE-2019-6111).
    pub root: Option<&'a [u8]>,
}

/// What the path is to the tar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The directory that the names of the tar are in.
    #[default]
    Below,
    /// The destination of a copy. The first entry is the file or directory that was copied, as [`pack`](crate::pack()) writes it. Where the
    /// path is a directory already, the copy goes into it; else the copy gets the path as its name.
    Copy,
}

/// Whom the files belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owners {
    /// The caller. Setuid and setgid bits are dropped, as they would mean another user than in the tar, and so are attributes other than
    /// those of users.
    #[default]
    Own,
    /// The users and groups of the tar.
    Kept,
}

/// What becomes of devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Devices {
    /// They are left out, with a note: who has made the tar could reach this machine's hardware by one.
    #[default]
    LeftOut,
    /// They are made.
    Made,
}

/// Writes what a tar holds. What it has twice, or what is there already, is replaced; a directory keeps what is in it and what it is.
///
/// # Errors
/// When the tar is damaged or wants to be elsewhere, or the system refuses something. What was written up to there stays.
pub fn unpack(
    tar: &mut dyn BufRead,
    path: &Path,
    options: UnpackOptions<'_>,
    notes: &mut Notes,
) -> Result<(), TreeError> {
    let mut reader = Reader::new(tar, MAX_HEADERS, Types::Vendor);
    // Before the first byte is awaited: it may be long in coming.
    let destination = Destination::find(path)?;
    let (base, mapping, mut next) = match options.place {
        Place::Below => {
            let base = destination.directory()?;
            (base, Mapping::default(), reader.next_entry().map_err(TreeError::Tar)?)
        }
        Place::Copy => match reader.next_entry().map_err(TreeError::Tar)? {
            Some(root) => {
                let (base, mapping) = destination.of_copy(&root, options.root)?;
                (base, mapping, Some(root))
            }
            None => return Err(destination.refused(Refusal::Empty)),
        },
    };
    let mut unpacker = Unpacker { levels: Levels::new(base), mapping: &mapping, options, notes };
    while let Some(entry) = next {
        unpacker.entry(&entry, &mut reader)?;
        next = reader.next_entry().map_err(TreeError::Tar)?;
    }
    unpacker.levels.finish(unpacker.notes)
}

struct Unpacker<'a> {
    levels: Levels,
    mapping: &'a Mapping,
    options: UnpackOptions<'a>,
    notes: &'a mut Notes,
}

impl Unpacker<'_> {
    fn entry(&mut self, header: &Header, reader: &mut Reader<&mut dyn BufRead>) -> Result<(), TreeError> {
        let place = &*header.path;
        let path = self.mapping.of(place)?;
        let attributes = Attributes::of(header, self.options.owners);
        let Some((&name, parents)) = path.split_last() else {
            // The directory that the tar is unpacked in keeps what it is.
            return if header.kind == Kind::Directory { Ok(()) } else { Err(over_directory(place)) };
        };
        if header.kind == Kind::Directory {
            return self.levels.describe(&path, attributes, place, self.notes);
        }
        let parent = self.levels.enter(parents, place, self.notes)?;
        let made = match &header.kind {
            Kind::File => return self.file(name, place, &attributes, reader),
            Kind::HardLink(target) => {
                let target = target.clone();
                return self.hard_link(&target, &path, place);
            }
            Kind::CharacterDevice(_) | Kind::BlockDevice(_) if self.options.devices == Devices::LeftOut => {
                self.notes.add(place, LeftOut::Device);
                return Ok(());
            }
            Kind::Symlink(target) => replace(parent, name, place, || rustix::fs::symlinkat(&**target, parent, name)),
            Kind::CharacterDevice(device) => node(parent, name, place, FileType::CharacterDevice, *device),
            Kind::BlockDevice(device) => node(parent, name, place, FileType::BlockDevice, *device),
            Kind::Fifo => node(parent, name, place, FileType::Fifo, Device { major: 0, minor: 0 }),
            Kind::Directory => Ok(()),
        };
        made?;
        attributes.apply_by_name(parent, name, place, self.notes)
    }

    fn file(
        &mut self,
        name: &[u8],
        place: &[u8],
        attributes: &Attributes,
        reader: &mut Reader<&mut dyn BufRead>,
    ) -> Result<(), TreeError> {
        let parent = self.levels.current();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = replace(parent, name, place, || rustix::fs::openat(parent, name, flags, PRIVATE))?;
        let mut sink = FileSink::new(file.into());
        let copied = reader.copy_content(&mut sink).map_err(|error| match error {
            CopyError::Tar(error) => TreeError::Tar(error),
            CopyError::Sink(error) => TreeError::system("write", place, error),
        });
        let written = copied.and_then(|()| sink.finish().map_err(|error| TreeError::system("write", place, error)));
        match written {
            Ok(file) => attributes.apply(file.as_fd(), place, self.notes),
            Err(error) => {
                // Half a file is of no use, and on a full disk its room is.
                let _ = rustix::fs::unlinkat(parent, name, AtFlags::empty());
                Err(error)
            }
        }
    }

    /// Makes a hard link to a file that stands below the same place.
    fn hard_link(&mut self, target: &[u8], path: &[&[u8]], place: &[u8]) -> Result<(), TreeError> {
        let target = self.mapping.of(target)?;
        if target == path {
            return Ok(());
        }
        let link_to_directory = || TreeError::refused(place, Refusal::LinkToDirectory);
        let Some((&target_name, target_parents)) = target.split_last() else { return Err(link_to_directory()) };
        let Some((&name, parents)) = path.split_last() else { return Err(link_to_directory()) };
        let target_parent = self.levels.enter(target_parents, place, self.notes)?;
        let failed = |errno| TreeError::system("link", place, errno);
        let target_parent =
            target_parent.try_clone_to_owned().map_err(|error| TreeError::system("link", place, error))?;
        let stat = rustix::fs::statat(&target_parent, target_name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(link_to_directory());
        }
        let parent = self.levels.enter(parents, place, self.notes)?;
        replace(parent, name, place, || rustix::fs::linkat(&target_parent, target_name, parent, name, AtFlags::empty()))
    }
}

/// Makes a FIFO or a device.
fn node(parent: BorrowedFd<'_>, name: &[u8], place: &[u8], kind: FileType, device: Device) -> Result<(), TreeError> {
    let number = rustix::fs::makedev(device.major, device.minor);
    replace(parent, name, place, || rustix::fs::mknodat(parent, name, kind, PRIVATE, number))
}

/// Makes something that must not be there yet, in the place of a file that is. A file keeps its bytes for those who have it open, or have
/// another name for it.
fn replace<T>(
    parent: BorrowedFd<'_>,
    name: &[u8],
    place: &[u8],
    make: impl Fn() -> Result<T, Errno>,
) -> Result<T, TreeError> {
    let failed = |errno| TreeError::system("write", place, errno);
    match make() {
        Err(Errno::EXIST) => {}
        made => return made.map_err(failed),
    }
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => return Err(over_directory(place)),
        FileType::CharacterDevice | FileType::BlockDevice => {
            return Err(TreeError::refused(place, Refusal::OverDevice));
        }
        _ => rustix::fs::unlinkat(parent, name, AtFlags::empty()).map_err(failed)?,
    }
    make().map_err(failed)
}

fn over_directory(place: &[u8]) -> TreeError {
    TreeError::refused(place, Refusal::FileOverDirectory)
}
