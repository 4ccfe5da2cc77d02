//! What the monitor tells, as the caller takes it off the wire. The monitor has looked at what scripts have made; it is heard
//! like somebody who may have been talked into anything.

use std::io::{self, Read};

use nex_fault::Remedy;

use crate::error::Error;
use crate::failure::{Advice, Failure};
use crate::ids::{self, WayOut};
use crate::node::Change;
use crate::protocol::Answer;
use crate::wire::Channel;

/// The next answer.
///
/// # Errors
/// The monitor's own too, when a step has failed.
pub fn answer(monitor: &mut Channel) -> Result<Answer, Error> {
    match monitor.receive().map_err(Error::unless_cancelled(Error::Monitor))? {
        Answer::Failed(Failure { mut what, advice }) => {
            let mut remedy = advice.map(Advice::remedy);
            if let Some(WayOut { why, remedy: way_out }) = ids::app_armor() {
                what += &format!("; {why}");
                remedy = Some(match remedy {
                    Some(remedy) => remedy.and(format!("; {way_out}")),
                    None => Remedy::say(way_out),
                });
            }
            Err(Error::SetUp { what, remedy })
        }
        answer => Ok(answer),
    }
}

/// What to say of an answer to another question.
pub fn unexpected(answer: &Answer) -> Error {
    Error::Monitor(io::Error::other(nex_text::excerpt(format!("it said {answer:?} out of turn"))))
}

/// Changes, and behind each the bytes of its file.
#[derive(Debug, Default)]
pub struct Incoming {
    /// Bytes of the last change's file that nobody has read.
    unread: u64,
}

impl Incoming {
    /// The next change. `None` when there are no more.
    pub fn next_change(&mut self, monitor: &mut Channel) -> Result<Option<Change>, Error> {
        let unread = std::mem::take(&mut self.unread);
        io::copy(&mut monitor.reader().take(unread), &mut io::sink())
            .map_err(Error::unless_cancelled(Error::Monitor))?;
        match answer(monitor)? {
            Answer::Change(change) => {
                self.unread = change.content_length();
                Ok(Some(change))
            }
            Answer::NoMoreChanges => Ok(None),
            answer => Err(unexpected(&answer)),
        }
    }

    /// The next bytes of the last change's file; 0 when there are no more.
    pub fn read(&mut self, monitor: &mut Channel, buffer: &mut [u8]) -> Result<usize, Error> {
        let read = monitor.reader().take(self.unread).read(buffer);
        let read = read.map_err(Error::unless_cancelled(Error::Monitor))?;
        self.unread -= read as u64;
        if read == 0 && self.unread > 0 && !buffer.is_empty() {
            return Err(Error::Monitor(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(read)
    }
}
