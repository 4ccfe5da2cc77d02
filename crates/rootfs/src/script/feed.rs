//! Where changes come from: scripts that have run, or the record of an earlier run.

use nex_sandbox::{Change, Changes};

use super::ScriptError;
use super::record::{Record, Recorder};

/// Changes, and the bytes of files.
pub enum Feed<'a> {
    /// Of a run; and who takes them down, if somebody does.
    Run(Box<Changes>, Option<Recorder<'a>>),
    /// Of a record.
    Record(Record),
}

impl Feed<'_> {
    /// The next change. `None` when there are no more.
    pub fn next_change(&mut self) -> Result<Option<Change>, ScriptError> {
        match self {
            Self::Run(changes, recorder) => {
                let change = changes.next_change()?;
                if let (Some(recorder), Some(change)) = (recorder, &change) {
                    recorder.change(change);
                }
                Ok(change)
            }
            Self::Record(record) => Ok(record.next_change()),
        }
    }

    /// The next bytes of the file that the last change was about: of all its pieces, one after the other.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ScriptError> {
        match self {
            Self::Run(changes, recorder) => {
                let read = changes.read(buffer)?;
                if let Some(recorder) = recorder {
                    recorder.data(&buffer[..read]);
                }
                Ok(read)
            }
            Self::Record(record) => record.read(buffer).map_err(ScriptError::Record),
        }
    }
}
