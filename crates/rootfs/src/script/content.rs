//! The bytes of a file that somebody else may write to.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::OwnedFd;

use nex_file::holes;
use nex_file::tree::{Problem, is_same_state};
use nex_text::hex;
use rustix::fs::SeekFrom;
use sha2::{Digest, Sha256};

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// The unit of `st_blocks`.
const SECTOR: u64 = 512;

/// The digest of a file's bytes.
///
/// # Errors
/// When it cannot be read, or changes while it is.
pub fn digest(handle: OwnedFd) -> io::Result<String> {
    let before = rustix::fs::fstat(&handle)?;
    let (file, mut hasher) = (File::from(handle), Sha256::new());
    let size = u64::try_from(before.st_size).map_err(io::Error::other)?;
    // Somebody else may say how large a file is, and what is nothing takes long to read. Where its holes are is a part of it then.
    if u64::try_from(before.st_blocks).is_ok_and(|blocks| blocks.saturating_mul(SECTOR) < size) {
        for run in holes::runs(&file, 0..size) {
            let Range { start, end } = run.map_err(|error| match error.kind() {
                io::ErrorKind::Interrupted => Problem::Changed.into(),
                _ => error,
            })?;
            let length = end - start;
            hasher.update(format!("{start} {length} "));
            rustix::fs::seek(&file, SeekFrom::Start(start))?;
            read(&file, length, &mut hasher)?;
        }
        hasher.update(format!("{size}"));
        rustix::fs::seek(&file, SeekFrom::Start(size))?;
    } else {
        read(&file, size, &mut hasher)?;
    }
    let is_all = (&file).read(&mut [0])? == 0;
    let is_same = is_all && is_same_state(&before, &rustix::fs::fstat(&file)?);
    if is_same { Ok(hex(hasher.finalize())) } else { Err(Problem::Changed.into()) }
}

/// So many bytes.
fn read(file: &File, length: u64, hasher: &mut Sha256) -> io::Result<()> {
    let (mut file, mut buffer) = (file.take(length), vec![0; CHUNK]);
    loop {
        match file.read(&mut buffer)? {
            0 if file.limit() == 0 => return Ok(()),
            0 => return Err(Problem::Changed.into()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_sparse_file_is_read_as_far_as_it_is_there() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        let file = File::create(&path).unwrap();
        let read = || digest(File::open(&path).unwrap().into());
        // Years of zeros, for who reads them.
        file.set_len(1 << 42).unwrap();
        let mut seen = vec![read().unwrap()];
        for (bytes, at) in [(b"a", 5), (b"b", 5), (b"b", 1 << 40)] {
            file.write_all_at(bytes, at).unwrap();
            seen.push(read().unwrap());
        }
        file.set_len((1 << 42) - 1).unwrap();
        seen.push(read().unwrap());
        assert_eq!(read().unwrap(), seen[4]);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5);
    }
}
