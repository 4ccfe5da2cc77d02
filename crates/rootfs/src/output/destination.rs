//! What the user named as the output.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use nex_cancel::Workspace;
use nex_fault::{Code, Fault, Remedy};
use thiserror::Error;

use super::error::{OutputError, Role};
use super::target::{Target, create_in};
use super::unfinished::{Others, Unfinished};
use crate::codes;

/// Where the image goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output, not compressed.
    Stdout,
    /// A file.
    File {
        /// Its name.
        path: PathBuf,
        /// By the end of its name.
        compression: Compression,
    },
}

/// How the output is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: the image as it is, with holes.
    None,
    /// gzip, for names that end in `.gz`.
    Gzip,
    /// zstd, for names that end in `.zst`.
    Zstd,
}

/// Ends of names that stand for forms which are not written, what those are, and what makes them.
const OTHER_FORMS: [(&[&str], &str, &str); 14] = [
    (&["xz", "lzma"], "data compressed with xz", "write a raw file and run 'xz FILE'"),
    (&["bz2"], "data compressed with bzip2", "write a raw file and run 'bzip2 FILE'"),
    (&["lz4"], "data compressed with lz4", "write a raw file and run 'lz4 FILE'"),
    (&["lzo", "lz", "br", "z"], "compressed data", "write a raw file and compress it"),
    (&["zip", "7z", "rar"], "an archive", "write a raw file and pack it"),
    (&["tar", "tgz", "tzst", "txz", "tbz", "tbz2", "cpio"], "an archive", "name it by what it is, such as rootfs.ext4"),
    (&["qcow2", "qcow"], "a qcow2 image", "write a raw file and run 'qemu-img convert -O qcow2 FILE OUT'"),
    (&["vmdk"], "a VMDK image", "write a raw file and run 'qemu-img convert -O vmdk FILE OUT'"),
    (&["vdi"], "a VDI image", "write a raw file and run 'qemu-img convert -O vdi FILE OUT'"),
    (&["vhd", "vhdx"], "a virtual disk of Hyper-V", "write a raw file and run 'qemu-img convert -O vhdx FILE OUT'"),
    (&["iso"], "an ISO 9660 file system", "guests of nex boot from ext4"),
    (&["squashfs", "sqfs", "sqsh"], "a squashfs file system", "guests of nex boot from ext4"),
    (&["erofs"], "an EROFS file system", "guests of nex boot from ext4"),
    (&["btrfs", "xfs", "f2fs"], "another file system", "guests of nex boot from ext4"),
];

/// The output's name is that of another form than any that is written.
#[derive(Debug, Error)]
#[error(
    "the name '{}' is one for {form}, which nex does not write: an ext4 file system goes into names that end in .gz or .zst \
     compressed, and into any other name as it is", .path.display()
)]
pub struct OtherForm {
    path: PathBuf,
    form: &'static str,
    make: &'static str,
}

impl Fault for OtherForm {
    fn code(&self) -> Code {
        codes::OUTPUT_FORM
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say(self.make))
    }
}

/// The end of a name, in small letters.
fn extension(path: &Path) -> Option<String> {
    path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase)
}

impl Destination {
    /// Reads the value of `--output`: `-` is standard output, and the end of a name chooses the compression. Any other end, or
    /// none, is that of a file system as it is.
    ///
    /// # Errors
    /// When the name promises a form that is not written: who finds such a file would take it for that.
    pub fn new(output: &OsStr) -> Result<Self, OtherForm> {
        if output == "-" {
            return Ok(Self::Stdout);
        }
        let path = PathBuf::from(output);
        let (compression, inner) = match extension(&path).as_deref() {
            Some("gz") => (Compression::Gzip, path.with_extension("")),
            Some("zst" | "zstd") => (Compression::Zstd, path.with_extension("")),
            _ => (Compression::None, path.clone()),
        };
        let other = |end: &str| OTHER_FORMS.iter().find(|(ends, ..)| ends.contains(&end));
        match extension(&inner).as_deref().and_then(other) {
            Some(&(_, form, make)) => Err(OtherForm { path, form, make }),
            None => Ok(Self::File { path, compression }),
        }
    }

    /// Makes the file in which the image grows, where it can become the output. Whatever is wrong with the output shows
    /// here, before any work is done.
    ///
    /// # Errors
    /// When the output cannot be what the user named.
    pub fn create(&self, workspace: &Workspace) -> Result<Unfinished, OutputError> {
        match self.target() {
            Some(target) => {
                let others = match self {
                    Self::File { compression: Compression::None, .. } => Others::AsUmaskHasIt,
                    // Only what comes of it is the user's.
                    _ => Others::Nobody,
                };
                target.create_for(others, workspace)
            }
            None if io::stdout().is_terminal() => Err(OutputError::Terminal),
            None => create_in(&std::env::temp_dir(), Role::Image, Others::Nobody, workspace),
        }
    }

    /// An error of the system, in the user's terms.
    pub fn error(&self, cause: io::Error) -> OutputError {
        match self.target() {
            Some(target) => target.error(cause),
            None => OutputError::Io { place: "standard output".into(), cause },
        }
    }

    /// The image's name when it is not compressed; a usual one for standard output.
    pub fn image_name(&self) -> PathBuf {
        match self {
            Self::Stdout => Role::Image.usual_name().into(),
            Self::File { path, compression: Compression::None } => path.clone(),
            Self::File { path, .. } => path.with_extension(""),
        }
    }

    /// The file that becomes the output, if it is one.
    pub(super) fn target(&self) -> Option<Target<'_>> {
        match self {
            Self::Stdout => None,
            Self::File { path, .. } => Some(Target { path, role: Role::Image }),
        }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdout => f.write_str("-"),
            Self::File { path, .. } => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_says_the_form() {
        let form = |name: &str| match Destination::new(OsStr::new(name)) {
            Ok(Destination::Stdout) => "stdout".to_owned(),
            Ok(Destination::File { compression, .. }) => format!("{compression:?}"),
            Err(error) => error.to_string(),
        };
        for name in ["x", "x.ext4", "x.img", "x.raw", "x.bin", "x.rootfs", "app.v1.2", ".xz", "dir.xz/x", "x.gz.ext4"] {
            assert_eq!(form(name), "None", "{name}");
        }
        for (name, compression) in [("x.gz", "Gzip"), ("x.ext4.GZ", "Gzip"), ("x.zst", "Zstd"), ("x.ext4.zstd", "Zstd")]
        {
            assert_eq!(form(name), compression, "{name}");
        }
        for name in
            ["x.ext4.xz", "x.bz2", "x.LZ4", "x.qcow2", "x.tar", "x.tar.gz", "x.tgz", "x.qcow2.zst", "x.squashfs"]
        {
            assert!(form(name).contains("which nex does not write"), "{name}");
        }
        assert_eq!(form("-"), "stdout");
    }
}
