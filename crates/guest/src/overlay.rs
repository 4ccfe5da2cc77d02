//! Where the changes go of a root that is only read, so that any number of guests may share it.

use std::path::PathBuf;

use nex_contract::{AGENT, Upper, Word};
use nex_vmm::{Access, Disk, Machine};

use crate::drive::{DriveError, create_overlay_drive, open_overlay_drive, overlay_drive, unmade_drive};

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
    /// To a file that nobody makes, because the guest is only described.
    Named(PathBuf),
}

/// An overlay whose drive is there.
#[derive(Debug)]
pub enum ReadyOverlay {
    /// The guest's memory.
    Memory,
    /// A drive: a file, or one without a name that is gone when nobody has it open any more.
    Drive(Disk),
}

impl Overlay {
    /// The same for a guest that is only described: no file is made for it.
    #[must_use]
    pub fn unmade(self) -> Self {
        match self {
            Self::File { path, .. } if !path.exists() => Self::Named(path),
            other => other,
        }
    }

    /// Makes the drive that is missing.
    ///
    /// # Errors
    /// When it cannot be made, or what is there is no drive for changes.
    pub fn prepare(&self) -> Result<ReadyOverlay, DriveError> {
        match self {
            Self::Memory => Ok(ReadyOverlay::Memory),
            Self::Scratch(size) => overlay_drive(*size).map(|drive| ReadyOverlay::Drive(drive.disk())),
            Self::File { path, .. } if path.exists() => open_overlay_drive(path).map(ReadyOverlay::Drive),
            // What stands for the file has no name of its own.
            Self::Named(path) => unmade_drive(path).map(ReadyOverlay::Drive),
            Self::File { path, size } => create_overlay_drive(path, *size).map(ReadyOverlay::Drive),
        }
    }
}

impl ReadyOverlay {
    /// Gives the guest the overlay: its drive, and the words by which the agent lays it over the root.
    pub fn add_to(&self, machine: &mut Machine) {
        let upper = match self {
            Self::Memory => Upper::Tmpfs,
            Self::Drive(disk) => Upper::Drive(machine.add_drive(disk.clone(), Access::Write).into()),
        };
        // As the first process, the agent lays the overlay over the root.
        machine.add_words(&format!("init={AGENT} {}", Word::Overlay(upper)));
    }
}
