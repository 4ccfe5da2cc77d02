//! What the keeper tells, as the caller takes it off the wire. The keeper has looked at what scripts have made; it is heard
//! like somebody who may have been talked into anything.

use std::io::{self, Read};

use crate::error::Error;
use crate::ids;
use crate::node::Change;
use crate::protocol::Answer;
use crate::wire::Channel;

/// The next answer.
///
/// # Errors
/// The keeper's own too, when a step has failed.
pub fn answer(keeper: &mut Channel) -> Result<Answer, Error> {
    match keeper.receive().map_err(Error::unless_cancelled(Error::Keeper))? {
        Answer::Failed(mut message) => {
            if let Some(hint) = ids::app_armor() {
                message += &format!("; {hint}");
            }
            Err(Error::SetUp(message))
        }
        answer => Ok(answer),
    }
}

/// What to say of an answer to another question.
pub fn unexpected(answer: &Answer) -> Error {
    Error::Keeper(io::Error::other(nex_text::excerpt(format!("it said {answer:?} out of turn"))))
}

/// Changes, and behind each the bytes of its file.
#[derive(Debug, Default)]
pub struct Incoming {
    /// Bytes of the last change's file that nobody has read.
    unread: u64,
}

impl Incoming {
    /// The next change. `None` when there are no more.
    pub fn next_change(&mut self, keeper: &mut Channel) -> Result<Option<Change>, Error> {
        let unread = std::mem::take(&mut self.unread);
        io::copy(&mut keeper.reader().take(unread), &mut io::sink()).map_err(Error::unless_cancelled(Error::Keeper))?;
        match answer(keeper)? {
            Answer::Change(change) => {
                self.unread = change.content_length();
                Ok(Some(change))
            }
            Answer::NoMoreChanges => Ok(None),
            answer => Err(unexpected(&answer)),
        }
    }

    /// The next bytes of the last change's file; 0 when there are no more.
    pub fn read(&mut self, keeper: &mut Channel, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = keeper.reader().take(self.unread).read(buffer);
        let read = read.map_err(Error::unless_cancelled(Error::Keeper))?;
        self.unread -= read as u64;
        if read == 0 && self.unread > 0 && !buffer.is_empty() {
            return Err(Error::Keeper(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(read)
    }
}
