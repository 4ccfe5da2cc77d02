//! Opens the files that users name. Only regular files, or for a guest's drive block devices, will do where a file is read out of
//! order or more than once, and nobody may be kept waiting by another kind. Trees that users name are read by handles ([`tree`]).
//!
//! [`kind`] tells what a file is that was named in the place of another, [`holes`] where its bytes are, and [`xattrs`] what it has
//! beside them. A file that is read later may be open already ([`to_read`]).
//!
//! And makes what is the user's alone ([`private`]), writes what is whole or not there ([`whole`]), takes locks that others may have
//! ([`lock`]), and removes trees ([`remove`]). Who else can change something is told by [`trust`], and by [`way`] for all that leads
//! there; [`route`] has the names ahead of who follows a path.
//!
//! A [`directory`] that several processes share is used by its handle, and [`leftovers`] tells there what is in the making from what
//! killed processes have left; whose locks are seen there says [`lock_domain`]. Where a user's programs keep such directories tells
//! [`base`].

pub mod base;
pub mod codes;
pub mod directory;
pub mod holes;
pub mod kind;
pub mod leftovers;
pub mod lock;
pub mod lock_domain;
pub mod private;
pub mod remove;
pub mod route;
pub mod to_read;
pub mod tree;
pub mod trust;
pub mod way;
pub mod whole;
pub mod xattrs;

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Where a process finds what it has open.
const DESCRIPTORS: [&str; 2] = ["/dev/fd", "/proc/self/fd"];

/// Opens a regular file to read it. Never waits: a FIFO makes its opener wait for a writer, and opening a device can do worse.
///
/// # Errors
/// When it cannot be opened, or is no regular file. A directory is [`io::ErrorKind::IsADirectory`], another kind
/// [`io::ErrorKind::InvalidInput`].
pub fn open_regular(path: &Path) -> io::Result<File> {
    open(path, Access::Read, |kind| check_kind(kind, false))
}

/// Opens a regular file to read it and to write to it. Never waits.
///
/// # Errors
/// As [`open_regular`].
pub fn open_regular_to_change(path: &Path) -> io::Result<File> {
    open(path, Access::Change, |kind| check_kind(kind, false))
}

/// Opens what a guest may have as a drive to read it: a regular file, or a block device such as a logical volume. Never waits.
///
/// # Errors
/// As [`open_regular`].
pub fn open_disk(path: &Path) -> io::Result<File> {
    open(path, Access::Read, |kind| check_kind(kind, true))
}

/// Opens what a guest may have as a drive to read it and to write to it. Never waits.
///
/// # Errors
/// As [`open_regular`].
pub fn open_disk_to_change(path: &Path) -> io::Result<File> {
    open(path, Access::Change, |kind| check_kind(kind, true))
}

/// The bytes of a regular file or a block device, which says nothing of them in its metadata.
///
/// # Errors
/// When the system does not tell.
pub fn length(mut file: &File) -> io::Result<u64> {
    let place = file.stream_position()?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(place))?;
    Ok(length)
}

/// What is done with a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Change,
}

fn open(path: &Path, access: Access, check: impl Fn(FileType) -> io::Result<()>) -> io::Result<File> {
    check(fs::metadata(path)?.file_type())?;
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).write(access == Access::Change).custom_flags(nonblock).open(path)?;
    // Another file may have taken its place since.
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads all of a regular file of at most `most` bytes; `None` when it has more. `/dev/null` is an empty file, as people mean it.
///
/// # Errors
/// As [`open_regular`], and when it cannot be read.
pub fn read_regular_within(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    if is_null(&fs::metadata(path)?) {
        return Ok(Some(Vec::new()));
    }
    read_file_within(open_regular(path)?, most)
}

/// Reads all of an open regular file of at most `most` bytes; `None` when it has more.
///
/// # Errors
/// When it cannot be read.
pub fn read_file_within(file: File, most: u64) -> io::Result<Option<Vec<u8>>> {
    // A file that says so itself is not read first.
    if length(&file)? > most {
        return Ok(None);
    }
    read_within(file, most)
}

/// Reads all of a file that is read once, of at most `most` bytes; `None` when it has more.
///
/// It is a regular file, or a pipe that this process was started with, under its name there: `/dev/stdin`, or `/dev/fd/63`, as a
/// shell writes it for `<(command)`. Who writes to such a pipe is waited for, as everybody does who reads from one. For who opens a
/// FIFO by another name, there may never be anybody.
///
/// # Errors
/// As [`open_regular`], and when it cannot be read.
pub fn read_given_within(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    match given_pipe(path)? {
        Some(pipe) => read_within(pipe, most),
        None => read_regular_within(path, most),
    }
}

/// Whether this is `/dev/null`, which has one number on every Linux.
fn is_null(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == rustix::fs::makedev(1, 3)
}

fn read_within(file: File, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// A pipe that this process has open, under the name that it has there.
fn given_pipe(path: &Path) -> io::Result<Option<File>> {
    let is_descriptor = path.parent().is_some_and(|parent| DESCRIPTORS.iter().any(|place| parent == Path::new(place)));
    if !(is_descriptor || path == Path::new("/dev/stdin")) || !fs::metadata(path)?.file_type().is_fifo() {
        return Ok(None);
    }
    // Opening does not wait, even for the end of a named FIFO that nobody has open any more. Reading does.
    let pipe = open(path, Access::Read, |kind| if kind.is_fifo() { Ok(()) } else { check_kind(kind, false) })?;
    rustix::fs::fcntl_setfl(&pipe, rustix::fs::fcntl_getfl(&pipe)? - OFlags::NONBLOCK)?;
    Ok(Some(pipe))
}

fn check_kind(kind: FileType, blocks: bool) -> io::Result<()> {
    let (found, error) = match kind {
        kind if kind.is_file() || blocks && kind.is_block_device() => return Ok(()),
        kind if kind.is_dir() => ("a directory", io::ErrorKind::IsADirectory),
        kind if kind.is_fifo() => ("a FIFO", io::ErrorKind::InvalidInput),
        kind if kind.is_socket() => ("a socket", io::ErrorKind::InvalidInput),
        _ => ("a device", io::ErrorKind::InvalidInput),
    };
    let way_out = if kind.is_dir() { "name a file in it" } else { "copy what it gives into one" };
    let wanted = if blocks { "a regular file or a block device" } else { "a regular file" };
    Err(io::Error::new(error, format!("it is {found}, but must be {wanted}; {way_out}")))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    #[test]
    fn regular_files_are_read_through_links() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, b"bytes").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_regular_within(&link, 5).unwrap().unwrap(), b"bytes");
        assert_eq!(read_regular_within(&link, 4).unwrap(), None);
        assert_eq!(read_given_within(&link, 5).unwrap().unwrap(), b"bytes");
        assert_eq!(read_given_within(Path::new("/dev/null"), 0).unwrap().unwrap(), b"");

        let mut disk = open_disk(&link).unwrap();
        disk.seek(SeekFrom::Start(2)).unwrap();
        assert_eq!((length(&disk).unwrap(), disk.stream_position().unwrap()), (5, 2));
        assert_eq!(open_regular(&directory.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn nothing_else_is_opened_and_nothing_waits() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, socket) = (directory.path().join("fifo"), directory.path().join("socket"));
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, found) in [
            (fifo.as_path(), "it is a FIFO, but must be a regular file; copy what it gives into one"),
            (&socket, "it is a socket, but"),
            (Path::new("/dev/zero"), "it is a device, but"),
            (directory.path(), "it is a directory, but must be a regular file; name a file in it"),
        ] {
            let said = open_regular(path).unwrap_err().to_string();
            assert!(said.starts_with(found), "{said}");
            let said = read_given_within(path, 1).unwrap_err().to_string();
            assert!(said.starts_with(found), "{said}");
            let said = open_regular_to_change(path).unwrap_err().to_string();
            assert!(said.starts_with(found), "{said}");
            let said = open_disk(path).unwrap_err().to_string();
            assert!(said.contains("must be a regular file or a block device"), "{said}");
        }
    }

    #[test]
    fn a_pipe_that_is_open_is_read_to_its_end_by_its_name() {
        let read = |most, descriptor: Option<&str>, written: &'static [u8]| {
            let (reader, mut writer) = io::pipe().unwrap();
            let name = descriptor.map_or_else(|| format!("/dev/fd/{}", reader.as_raw_fd()), str::to_owned);
            let writing = std::thread::spawn(move || writer.write_all(written));
            let read = read_given_within(Path::new(&name), most);
            drop((reader, writing.join().unwrap()));
            read
        };
        assert_eq!(read(5, None, b"bytes").unwrap().unwrap(), b"bytes");
        assert_eq!(read(4, None, b"bytes").unwrap(), None);
        assert_eq!(read(4, None, b"").unwrap().unwrap(), b"");
        assert!(read(4, Some("/dev/fd/none"), b"").is_err());
        let (reader, _writer) = io::pipe().unwrap();
        let other = format!("/proc/{}/fd/{}", std::process::id(), reader.as_raw_fd());
        assert!(read_given_within(Path::new(&other), 4).unwrap_err().to_string().starts_with("it is a FIFO"));
    }
}
