//! Where the changes go of a root that is only read, so that any number of guests may share it.

use std::path::PathBuf;

use nex_contract::{AGENT, Upper, Word};
use nex_vmm::{Access, Machine};

use crate::drive::{DriveError, UnnamedDrive, check_overlay_drive, create_overlay_drive, overlay_drive};

/// Where changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// To the guest's memory, and with it they are gone.
    Memory,
    /// To a drive of so many bytes that is gone with the guest.
    Scratch(u64),
    /// To a file that keeps them.
    File {
        /// The file, an ext4 file system with the label that such drives have.
        path: PathBuf,
        /// How many bytes it has when it has to be made.
        size: u64,
    },
}

/// An overlay whose drive is there.
#[derive(Debug)]
pub enum ReadyOverlay {
    /// The guest's memory.
    Memory,
    /// A drive that is gone with this value.
    Scratch(UnnamedDrive),
    /// A file.
    File(PathBuf),
}

impl Overlay {
    /// Makes the drive that is missing.
    ///
    /// # Errors
    /// When it cannot be made, or what is there is no drive for changes.
    pub fn prepare(&self) -> Result<ReadyOverlay, DriveError> {
        match self {
            Self::Memory => Ok(ReadyOverlay::Memory),
            Self::Scratch(size) => overlay_drive(*size).map(ReadyOverlay::Scratch),
            Self::File { path, size } => {
                if path.exists() {
                    check_overlay_drive(path)?;
                } else {
                    create_overlay_drive(path, *size)?;
                }
                Ok(ReadyOverlay::File(path.clone()))
            }
        }
    }
}

impl ReadyOverlay {
    /// Gives the guest the overlay: its drive, and the words by which the agent lays it over the root.
    pub fn add_to(&self, machine: &mut Machine) {
        let file = match self {
            Self::Memory => None,
            Self::Scratch(drive) => Some(drive.path()),
            Self::File(path) => Some(path.clone()),
        };
        let upper = file.map_or(Upper::Tmpfs, |file| Upper::Drive(machine.add_drive(file, Access::Write).into()));
        // As the first process, the agent lays the overlay over the root.
        machine.add_words(&format!("init={AGENT} {}", Word::Overlay(upper)));
    }
}
