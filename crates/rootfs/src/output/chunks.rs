//! The bytes of a sparse file, without reading its holes.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};

use nex_file::holes::{next_data, next_hole};

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

/// Bytes of a file, and what is known of them.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// Some bytes.
    Data(&'a [u8]),
    /// Zeros, of a hole.
    Zeros(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Data(bytes) | Self::Zeros(bytes) => bytes,
        }
    }
}

/// Gives the bytes of `file` in `range` in order. Another thread reads ahead, so that the processor that takes the bytes
/// does not also have to fetch them.
///
/// # Errors
/// What reading or `take` says.
pub fn for_each_piece<E: From<io::Error>>(
    file: &File,
    range: Range<u64>,
    mut take: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let zeros = vec![0; CHUNK];
    std::thread::scope(|scope| {
        let (full, chunks) = sync_channel(AHEAD);
        let (empty, spare) = channel();
        scope.spawn(move || {
            // When nobody takes chunks any more, there is nobody to tell.
            let _ = read_all(file, range, &full, &spare).or_else(|error| full.send(Err(error)));
        });
        for chunk in chunks {
            match chunk? {
                Chunk::Zeros(count) => take(Piece::Zeros(&zeros[..count]))?,
                Chunk::Data(buffer) => {
                    take(Piece::Data(&buffer))?;
                    drop(empty.send(buffer));
                }
            }
        }
        Ok(())
    })
}

/// Reads the range into buffers, used ones where there are any. Ends early when nobody takes them.
fn read_all(
    file: &File,
    range: Range<u64>,
    full: &SyncSender<io::Result<Chunk>>,
    spare: &Receiver<Vec<u8>>,
) -> io::Result<()> {
    let Range { start: mut position, end } = range;
    while position < end {
        let data = next_data(file, position, end)?;
        while position < data {
            let count = chunk_size(data - position);
            if full.send(Ok(Chunk::Zeros(count))).is_err() {
                return Ok(());
            }
            position += count as u64;
        }
        let hole = next_hole(file, position, end)?;
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
        let result = for_each_piece(&file, 0..20 * CHUNK as u64, |_| {
            taken += 1;
            if taken == 3 { Err(io::Error::other("enough")) } else { Ok(()) }
        });
        assert_eq!((result.unwrap_err().to_string().as_str(), taken), ("enough", 3));
    }

    #[test]
    fn holes_come_out_as_zeros() {
        let file = tempfile::tempfile().unwrap();
        let length = 5 * CHUNK + 77;
        file.set_len(length as u64).unwrap();
        file.write_all_at(b"near", 0).unwrap();
        file.write_all_at(b"middle", 2 * CHUNK as u64 + 4000).unwrap();
        let mut expected = vec![0; length];
        expected[..4].copy_from_slice(b"near");
        expected[2 * CHUNK + 4000..][..6].copy_from_slice(b"middle");
        for range in [0..length, 3..length - 50, 2 * CHUNK + 4002..2 * CHUNK + 4004, 7..7] {
            let mut bytes = Vec::new();
            let take = |piece: Piece| {
                bytes.extend_from_slice(piece.bytes());
                io::Result::Ok(())
            };
            for_each_piece(&file, range.start as u64..range.end as u64, take).unwrap();
            assert!(bytes == expected[range]);
        }
    }
}
