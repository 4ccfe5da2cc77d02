//! The forms of images that are files: what each is called, and what to say when something else is there.

use std::fs::File;
use std::io;
use std::path::Path;

use nex_file::to_read::ToRead;

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
    advice: "oci-archive: wants a tar that `skopeo copy ... oci-archive:FILE` made, plain or compressed with gzip or zstd; for what docker save made use docker-archive:FILE, for a root filesystem tar:FILE",
};

pub(super) const DOCKER_ARCHIVE: Form = Form {
    name: "docker archive",
    advice: "docker-archive: wants a tar that `docker save -o FILE` or `podman save -o FILE` made, plain or compressed with gzip or zstd; for an OCI archive use oci-archive:FILE, for a root filesystem tar:FILE",
};

pub(super) const TAR: Form =
    Form { name: "tar", advice: "use rootfs:DIR for a root filesystem, or oci:DIR for an image" };

impl Form {
    /// The place has something else, or nothing.
    pub(super) fn missing(&self, place: &Path, problem: impl Into<String>) -> Error {
        let (place, problem) = (place.display().to_string(), problem.into());
        Error::WrongForm { form: self.name, place, problem, advice: self.advice }
    }

    /// Opens the file that the user named, or that was found.
    pub(super) fn open(&self, archive: &ToRead) -> Result<File, Error> {
        let file = archive.path();
        archive.open().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.missing(file, "the file does not exist"),
            io::ErrorKind::NotADirectory => self.missing(file, "its path leads through a file"),
            io::ErrorKind::IsADirectory => self.missing(file, "it is a directory"),
            _ => Error::io("open", file)(error),
        })
    }
}
