//! Standard input that goes nowhere, and what is said about it.

use rustix::fs::{FileType, SeekFrom, fstat, seek};
use rustix::io::ioctl_fionread;
use rustix::stdio::stdin;

use crate::output::tell;

/// Warns once of input that is there to be read, and that the program does not get.
#[derive(Debug, Default)]
pub struct UnreadInput {
    is_told: bool,
}

impl UnreadInput {
    /// Looks at standard input. What comes by a pipe may come later, so that this is worth a second look.
    pub fn warn(&mut self) {
        if !self.is_told && is_there() {
            tell(
                "warning: standard input is not passed on to the program, which finds its own empty; pass it on with --interactive",
            );
            self.is_told = true;
        }
    }
}

/// Whether a file, a pipe or a socket holds something. A terminal waits for nobody's keys here, and /dev/null has none.
fn is_there() -> bool {
    let Ok(stat) = fstat(stdin()) else { return false };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => seek(stdin(), SeekFrom::Current(0)).is_ok_and(|at| at < stat.st_size.unsigned_abs()),
        FileType::Fifo | FileType::Socket => ioctl_fionread(stdin()).is_ok_and(|bytes| bytes > 0),
        _ => false,
    }
}
