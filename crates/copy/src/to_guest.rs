//! Into a guest.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nex_contract::{ByteString, Request, TarIn, TarOwners, TarPlace};
use nex_tree::{Mounts, Notes, Owners, PackOptions, TreeError, pack};

use crate::error::CopyError;
use crate::input;
use crate::stream::Stream;
use crate::{CopyOptions, Lines};

/// What is copied into a guest.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A file or a directory, which becomes a tar on the way.
    Path(&'a Path),
    /// A tar, whose names are below a directory of the guest.
    Tar(&'a File),
}

/// Copies into a guest, over a connection on which a session of the channel can begin. The path is an absolute one in the guest.
///
/// # Errors
/// When this side cannot read, the guest cannot write, or the connection ends.
pub fn to_guest(
    connection: UnixStream,
    source: Source<'_>,
    path: ByteString,
    options: CopyOptions,
) -> Result<Lines, CopyError> {
    let place = match source {
        Source::Path(_) => TarPlace::Copy,
        Source::Tar(_) => TarPlace::Below,
    };
    let owners = match options.owners {
        Owners::Own => TarOwners::Own,
        Owners::Kept => TarOwners::Kept,
    };
    let mut stream = Stream::open(connection, &Request::TarIn(TarIn { path, place, owners }))?;
    let mut notes = Notes::default();
    match source {
        Source::Path(path) => {
            let options = PackOptions { link: options.link, mounts: Mounts::Crossed };
            match pack(path, options, &mut stream, &mut notes) {
                Ok(()) => stream.finish(),
                // The guest has stopped reading, and says why.
                Err(TreeError::Output(_)) if stream.has_ended() => {}
                Err(error) => {
                    if let Some(failure) = stream.take_failure() {
                        return Err(failure);
                    }
                    // Cut short, the tar is an error to the guest too, which then removes the file at hand.
                    stream.finish();
                    let _ = stream.end();
                    return Err(CopyError::Tree(error));
                }
            }
        }
        Source::Tar(file) => input::pass(file, &mut stream)?,
    }
    let words = stream.end()?;
    Ok(notes.lines().chain(words).collect())
}
