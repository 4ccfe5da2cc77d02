//! The forms of images that are files: what each is called, and what to say when something else is there.

use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::Error;

/// A form of image, in words for messages.
pub(super) struct Form {
    name: &'static str,
    /// Who makes it, and what takes the things that are mistaken for it.
    advice: &'static str,
}

pub(super) const OCI_LAYOUT: Form = Form {
    name: "OCI layout",
    advice: "oci: wants a directory that `skopeo copy ... oci:DIR` or umoci made; for a root filesystem use rootfs:DIR",
};

pub(super) const OCI_ARCHIVE: Form = Form {
    name: "OCI archive",
    advice: "oci-archive: wants a tar that `skopeo copy ... oci-archive:FILE` made; for what docker save made use docker-archive:FILE, for a root filesystem tar:FILE",
};

pub(super) const DOCKER_ARCHIVE: Form = Form {
    name: "docker archive",
    advice: "docker-archive: wants a tar that `docker save -o FILE` or `podman save -o FILE` made; for an OCI archive use oci-archive:FILE, for a root filesystem tar:FILE",
};

impl Form {
    /// The place has something else, or nothing.
    pub(super) fn missing(&self, place: &Path, problem: impl Into<String>) -> Error {
        let (place, problem) = (place.display().to_string(), problem.into());
        Error::WrongForm { form: self.name, place, problem, advice: self.advice }
    }

    /// Opens the file that the user named.
    pub(super) fn open(&self, file: &Path) -> Result<File, Error> {
        open_regular(file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.missing(file, "the file does not exist"),
            io::ErrorKind::NotADirectory => self.missing(file, "its path leads through a file"),
            io::ErrorKind::IsADirectory => self.missing(file, "it is a directory"),
            _ => Error::io("open", file)(error),
        })
    }
}

/// Opens a file that is read out of order, which only regular files can be. Never waits: a FIFO makes its opener wait
/// for a writer, and opening a device can do worse.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    check_kind(fs::metadata(path)?.file_type())?;
    let nonblock = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
    // Another file may have taken its place since.
    check_kind(file.metadata()?.file_type())?;
    Ok(file)
}

fn check_kind(kind: FileType) -> io::Result<()> {
    let found = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    let problem = format!("it is {found}, but must be a regular file, for it is not read in order; copy it into one");
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}
