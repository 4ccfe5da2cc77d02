//! Out of a guest.

use std::io::{BufRead, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use nex_contract::{ByteString, Request, TarLink, TarOut};
use nex_tree::{Devices, Link, Notes, Place, Refusal, TreeError, UnpackOptions, root_name, unpack};

use crate::error::CopyError;
use crate::stream::Stream;
use crate::{CopyOptions, Lines};

/// What becomes of what is copied out of a guest.
pub enum Target<'a> {
    /// It goes to a path.
    Path(&'a Path),
    /// It is written as a tar.
    Tar(&'a mut dyn Write),
}

/// Copies out of a guest, over a connection on which a session of the channel can begin. The path is an absolute one in the guest.
///
/// # Errors
/// When the guest cannot read, this side cannot write, or the connection ends.
pub fn from_guest(
    connection: UnixStream,
    path: ByteString,
    target: Target<'_>,
    options: CopyOptions,
) -> Result<Lines, CopyError> {
    let link = match options.link {
        Link::Kept => TarLink::Kept,
        Link::Followed => TarLink::Followed,
    };
    let asked = path.clone();
    let root = root_name(Path::new(asked.as_os_str()));
    let mut stream = Stream::open(connection, &Request::TarOut(TarOut { path, link }))?;
    let mut notes = Notes::default();
    let failed = match target {
        Target::Path(path) => {
            let options = UnpackOptions {
                place: Place::Copy,
                owners: options.owners,
                devices: Devices::LeftOut,
                root: Some(root),
            };
            unpack(&mut stream, path, options, &mut notes).err().map(CopyError::Tree)
        }
        Target::Tar(out) => pass(&mut stream, out).err(),
    };
    if let Some(error) = failed {
        let Some(failure) = stream.take_failure() else { return Err(reason(stream, error)) };
        return Err(failure);
    }
    let words = stream.end()?;
    Ok(words.into_iter().chain(notes.lines()).collect())
}

/// A tar that makes no sense may be one that the guest could not write to its end: then it says why.
fn reason(stream: Stream, error: CopyError) -> CopyError {
    match error {
        CopyError::Tree(TreeError::Tar(_) | TreeError::Refused { why: Refusal::Empty, .. }) => {
            stream.end().err().filter(|error| matches!(error, CopyError::Guest(_))).unwrap_or(error)
        }
        _ => error,
    }
}

fn pass(stream: &mut Stream, out: &mut dyn Write) -> Result<(), CopyError> {
    loop {
        let held = stream.fill_buf().map_err(CopyError::Connection)?;
        if held.is_empty() {
            return out.flush().map_err(CopyError::Output);
        }
        out.write_all(held).map_err(CopyError::Output)?;
        let count = held.len();
        stream.consume(count);
    }
}
