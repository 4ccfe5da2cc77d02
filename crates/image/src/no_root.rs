//! A file that was named as the tar of a root filesystem and is none: what it is, and what to name instead.

use std::fmt;

use nex_file::kind::FileKind;
use nex_text::short_name;

use crate::compression::Compression;

/// What was named as the tar of a root filesystem, and is none.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRoot {
    /// The reference.
    pub name: String,
    /// What is there.
    pub found: Instead,
    /// What it was compressed with.
    pub compression: Compression,
}

/// What is there in the place of a root filesystem's tar.
#[derive(Debug, PartialEq, Eq)]
pub enum Instead {
    /// Not a byte.
    Nothing,
    /// Zeros, as a tar of nothing has them, too.
    Zeros,
    /// A tar in which nothing is named.
    NoEntries,
    /// Another kind of file.
    Other(&'static FileKind),
    /// Something that is not known.
    Unknown,
}

/// What was named, what it is, and what to name instead.
impl fmt::Display for NoRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, found, compression } = self;
        let place = if name == "tar:-" { "the standard input" } else { name };
        let place = match compression {
            Compression::None => short_name(place),
            compression => format!("what {compression} has compressed in {}", short_name(place)),
        };
        let wanted = "tar: wants a tar of a root filesystem, plain or compressed with gzip, zstd or xz";
        let scratch = "a root filesystem of nothing is made with --image scratch";
        match found {
            Instead::Nothing if name == "tar:-" => {
                write!(
                    f,
                    "{place} ended without a byte, so that there is no tar: what writes to the pipe may have failed; {scratch}"
                )
            }
            Instead::Nothing => write!(f, "{place} is empty, so that there is no tar; {scratch}"),
            Instead::Zeros => {
                write!(f, "{place} begins with zeros, where the first entry of a tar should stand; {scratch}")
            }
            Instead::NoEntries => write!(f, "{place} is a tar without entries; {scratch}"),
            Instead::Other(FileKind { what, unpack: Some(unpack), .. }) => {
                write!(f, "{place} is {what}, which nex does not undo: {unpack} FILE | nex rootfs --image tar:-")
            }
            Instead::Other(FileKind { what, .. }) => write!(f, "{place} is {what}, and no tar; {wanted}"),
            Instead::Unknown => write!(f, "{place} is no tar; {wanted}"),
        }
    }
}
