//! Where the changes go of a root that is only read.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use nex_guest::Overlay;

use super::size;

/// The size of a file that has to be made: most of it is a hole until it is used.
const SIZE: u64 = 1 << 30;

/// The drive of an overlay.
#[derive(Debug, Args)]
pub struct OverlayDriveArg {
    /// Where changes of the root go: a file that keeps them, or a size.
    ///
    /// The drive replaces the overlay in the guest's memory. nex makes a file that does not exist, with 1 GiB. A size (512MiB,
    /// 2G) takes room on the disk, which is free again when the guest ends.
    #[arg(
        long,
        value_name = "FILE|SIZE",
        value_parser = OsStringValueParser::new().map(overlay)
    )]
    pub overlay_drive: Option<Overlay>,
}

/// What is a size is no file: a file of such a name is `./2G`.
fn overlay(text: OsString) -> Overlay {
    match text.to_str().map(size::parse) {
        Some(Ok(size)) => Overlay::Scratch(size),
        _ => Overlay::File { path: PathBuf::from(text), size: SIZE },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_drive_for_once_and_anything_else_a_file() {
        assert_eq!(overlay("2G".into()), Overlay::Scratch(2 << 30));
        for file in ["./2G", "state.ext4", ""] {
            assert_eq!(overlay(file.into()), Overlay::File { path: file.into(), size: SIZE });
        }
    }
}
