//! The bytes of a sparse file, without reading its holes.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// Gives all bytes of `file` in order, from its start to its end.
///
/// # Errors
/// What reading or `take` says.
pub fn for_each_chunk(file: &File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut buffer = vec![0; CHUNK];
    let zeros = vec![0; CHUNK];
    let mut position = 0;
    while position < length {
        let data = next_data(file, position, length)?;
        while position < data {
            let count = CHUNK.min(usize::try_from(data - position).unwrap_or(CHUNK));
            take(&zeros[..count])?;
            position += count as u64;
        }
        let hole = next_hole(file, position, length)?;
        while position < hole {
            let count = CHUNK.min(usize::try_from(hole - position).unwrap_or(CHUNK));
            read_exact_at(file, &mut buffer[..count], position)?;
            take(&buffer[..count])?;
            position += count as u64;
        }
    }
    Ok(())
}

/// Where the next data begins; file systems that know no holes call everything data.
fn next_data(file: &File, position: u64, length: u64) -> io::Result<u64> {
    match rustix::fs::seek(file, SeekFrom::Data(position)) {
        Ok(data) => Ok(data.min(length)),
        Err(Errno::NXIO) => Ok(length),
        Err(Errno::INVAL) => Ok(position),
        Err(error) => Err(error.into()),
    }
}

fn next_hole(file: &File, position: u64, length: u64) -> io::Result<u64> {
    if position >= length {
        return Ok(position);
    }
    match rustix::fs::seek(file, SeekFrom::Hole(position)) {
        Ok(hole) => Ok(hole.min(length)),
        Err(Errno::INVAL) => Ok(length),
        Err(error) => Err(error.into()),
    }
}

fn read_exact_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<()> {
    match file.read_exact_at(buffer, position) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(io::Error::other("the image became shorter while it was read"))
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_come_out_as_zeros() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(5 * CHUNK as u64 + 77).unwrap();
        file.write_all_at(b"near", 0).unwrap();
        file.write_all_at(b"middle", 2 * CHUNK as u64 + 4000).unwrap();
        let mut bytes = Vec::new();
        for_each_chunk(&file, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })
        .unwrap();
        let mut expected = vec![0; 5 * CHUNK + 77];
        expected[..4].copy_from_slice(b"near");
        expected[2 * CHUNK + 4000..][..6].copy_from_slice(b"middle");
        assert!(bytes == expected);
    }
}
