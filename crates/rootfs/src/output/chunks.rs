//! The bytes of a sparse file, without reading its holes.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

use rustix::fs::SeekFrom;
use rustix::io::Errno;

/// How much is read at once.
const CHUNK: usize = 1 << 20;

/// How many chunks may wait to be taken.
const AHEAD: usize = 2;

/// A piece of a file.
enum Chunk {
    Data(Vec<u8>),
    /// So many zeros, of a hole.
    Zeros(usize),
}

/// Gives all bytes of `file` in order, from its start to its end. Another thread reads ahead, so that the processor that
/// takes the bytes does not also have to fetch them.
///
/// # Errors
/// What reading or `take` says.
pub fn for_each_chunk(file: &File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    std::thread::scope(|scope| {
        let (full, chunks) = sync_channel(AHEAD);
        let (empty, spare) = channel();
        scope.spawn(move || {
            // When nobody takes chunks any more, there is nobody to tell.
            let _ = read_all(file, &full, &spare).or_else(|error| full.send(Err(error)));
        });
        for chunk in chunks {
            match chunk? {
                Chunk::Zeros(count) => take(&zeros[..count])?,
                Chunk::Data(buffer) => {
                    take(&buffer)?;
                    drop(empty.send(buffer));
                }
            }
        }
        Ok(())
    })
}

/// Reads the whole file into buffers, used ones where there are any. Ends early when nobody takes them.
fn read_all(file: &File, full: &SyncSender<io::Result<Chunk>>, spare: &Receiver<Vec<u8>>) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut position = 0;
    while position < length {
        let data = next_data(file, position, length)?;
        while position < data {
            let count = chunk_size(data - position);
            if full.send(Ok(Chunk::Zeros(count))).is_err() {
                return Ok(());
            }
            position += count as u64;
        }
        let hole = next_hole(file, position, length)?;
        while position < hole {
            let mut buffer = spare.try_recv().unwrap_or_default();
            buffer.resize(chunk_size(hole - position), 0);
            read_exact_at(file, &mut buffer, position)?;
            position += buffer.len() as u64;
            if full.send(Ok(Chunk::Data(buffer))).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn chunk_size(left: u64) -> usize {
    usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK))
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
    fn whoever_takes_the_bytes_may_stop() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&vec![7; 20 * CHUNK], 0).unwrap();
        let mut taken = 0;
        let result = for_each_chunk(&file, |_| {
            taken += 1;
            if taken == 3 { Err(io::Error::other("enough")) } else { Ok(()) }
        });
        assert_eq!((result.unwrap_err().to_string().as_str(), taken), ("enough", 3));
    }

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
