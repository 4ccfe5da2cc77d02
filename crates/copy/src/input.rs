//! A tar that comes from a file of the caller's, such as standard input.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nex_file::kind;

use crate::error::CopyError;
use crate::stream::Stream;

/// How much is read at once.
const CHUNK: usize = 32 << 10;

/// Passes a file on to the guest's process until it ends, or the process does.
///
/// # Errors
/// When one of both fails, or the file is compressed.
pub fn pass(file: &File, stream: &mut Stream) -> Result<(), CopyError> {
    let (mut chunk, mut is_first) = (vec![0; CHUNK], true);
    while !stream.has_ended() {
        let space = stream.space().min(CHUNK);
        let is_readable = stream.step((space > 0).then(|| file.as_fd()))?;
        if !is_readable || space == 0 {
            continue;
        }
        let mut input = file;
        let count = match input.read(&mut chunk[..space]) {
            Ok(0) => {
                stream.finish();
                return Ok(());
            }
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => continue,
            Err(error) => return Err(CopyError::Input(error)),
        };
        if std::mem::take(&mut is_first)
            && let Some(packed) = kind::of(&chunk[..count]).filter(|kind| kind.unpack.is_some())
        {
            return Err(CopyError::Packed(packed));
        }
        // It has said that it has the room. Where its process ends just now, that is seen next.
        if stream.write_all(&chunk[..count]).is_err()
            && let Some(failure) = stream.take_failure()
        {
            return Err(failure);
        }
    }
    Ok(())
}
