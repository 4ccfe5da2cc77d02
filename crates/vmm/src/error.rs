//! Why a guest does not run, in the user's terms.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no guest, or no more of it.
#[derive(Debug, Error)]
pub enum Error {
    /// The VMM's program is nowhere.
    #[error("there is no {program} on the PATH; install it (Debian and Ubuntu: apt-get install {package})")]
    Missing {
        /// Its name.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A VMM's program cannot be executed.
    #[error("cannot run '{}': {cause}", .program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// The VMM ended before it ran the guest.
    #[error("{vmm} refuses the machine: {said}")]
    Refused {
        /// The VMM.
        vmm: String,
        /// Its own words.
        said: String,
    },
    /// Talking to the VMM fails.
    #[error("cannot talk to {vmm}: {cause}")]
    Talk {
        /// The VMM.
        vmm: String,
        /// What is wrong.
        cause: io::Error,
    },
}
