//! A file that was named as the tar of a root filesystem and is none: what it is, and what to name instead.

use std::error::Error;
use std::fmt;

use nex_fault::{Code, Fault, Remedy, Setting};
use nex_file::kind::FileKind;
use nex_text::short_name;

use crate::codes;
use crate::compression::Compression;

/// The reference of what is read from the standard input.
const STDIN: &str = "tar:-";

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

/// What was named, and what it is.
impl fmt::Display for NoRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, found, compression } = self;
        let place = if name == STDIN { "the standard input" } else { name };
        let place = match compression {
            Compression::None => short_name(place),
            compression => format!("what {compression} has compressed in {}", short_name(place)),
        };
        match found {
            Instead::Nothing if name == STDIN => {
                write!(
                    f,
                    "{place} ended without a byte, so that there is no tar: what writes to the pipe may have failed"
                )
            }
            Instead::Nothing => write!(f, "{place} is empty, so that there is no tar"),
            Instead::Zeros => write!(f, "{place} begins with zeros, where the first entry of a tar should stand"),
            Instead::NoEntries => write!(f, "{place} is a tar without entries"),
            Instead::Other(FileKind { what, unpack: Some(_), .. }) => {
                write!(f, "{place} is {what}, which nex does not undo")
            }
            Instead::Other(FileKind { what, .. }) => write!(f, "{place} is {what}, and no tar"),
            Instead::Unknown => write!(f, "{place} is no tar"),
        }
    }
}

impl Error for NoRoot {}

impl Fault for NoRoot {
    fn code(&self) -> Code {
        codes::NOT_A_TAR
    }

    /// What to name instead.
    fn remedy(&self) -> Option<Remedy> {
        Some(match self.found {
            Instead::Nothing | Instead::Zeros | Instead::NoEntries => {
                Remedy::say("a root filesystem of nothing is made with").set(Setting::Image, "scratch")
            }
            Instead::Other(FileKind { unpack: Some(unpack), .. }) => {
                Remedy::say(format!("unpack it first: {unpack} FILE | nex rootfs")).set(Setting::Image, STDIN)
            }
            Instead::Other(_) | Instead::Unknown => {
                Remedy::say("tar: wants a tar of a root filesystem, plain or compressed with gzip, zstd or xz")
            }
        })
    }
}
