//! The checksum of an entry's file: CRC-32C over its blocks, where blocks of zeros only move those behind them.
//!
//! A file has the same sum whether its zeros are written or holes, so that holes need not be read. It finds damage, not
//! intent: nobody but the owner can write to a cache.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nex_file::holes::{next_data, next_hole};

/// What is left out when it is all zeros.
const BLOCK: usize = 4096;

/// How much is read at once: whole blocks, and not more than a processor's cache.
const BUFFER: usize = 256 << 10;

/// A sum under way.
#[derive(Default)]
struct Sum {
    crc: u32,
    /// The block that comes next.
    block: u64,
    /// The block behind the last one that counted.
    counted: u64,
}

impl Sum {
    fn data(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.block += leading(rest, is_zero) as u64;
            rest = &rest[(leading(rest, is_zero) * BLOCK).min(rest.len())..];
            let filled = leading(rest, |block| !is_zero(block));
            if filled == 0 {
                continue;
            }
            if self.block != self.counted {
                self.crc = crc32c::crc32c_append(self.crc, &self.block.to_le_bytes());
            }
            let (now, later) = rest.split_at((filled * BLOCK).min(rest.len()));
            self.crc = crc32c::crc32c_append(self.crc, now);
            self.block += filled as u64;
            self.counted = self.block;
            rest = later;
        }
    }
}

/// The sum of a whole file.
///
/// # Errors
/// When it cannot be read.
pub fn of_file(file: &File) -> io::Result<u32> {
    let length = file.metadata()?.len();
    let mut sum = Sum::default();
    let mut buffer = vec![0; BUFFER];
    let mut position = 0;
    while position < length {
        let data = next_data(file, position, length)?;
        let end = next_hole(file, data, length)?.next_multiple_of(BLOCK as u64).min(length);
        // Data may begin and end within a block, where the file system has smaller ones.
        position = position.max(data / BLOCK as u64 * BLOCK as u64);
        sum.block = position / BLOCK as u64;
        while position < end {
            let count = usize::try_from(end - position).map_or(BUFFER, |left| left.min(BUFFER));
            file.read_exact_at(&mut buffer[..count], position)?;
            sum.data(&buffer[..count]);
            position += count as u64;
        }
        position = position.max(end);
    }
    Ok(sum.crc)
}

/// The sum of a file with these bytes.
pub fn of_bytes(bytes: &[u8]) -> u32 {
    let mut sum = Sum::default();
    sum.data(bytes);
    sum.crc
}

/// How many blocks from the start on fulfil the condition.
fn leading(bytes: &[u8], condition: impl Fn(&[u8]) -> bool) -> usize {
    bytes.chunks(BLOCK).take_while(|block| condition(block)).count()
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_count_by_the_place_of_what_is_behind_them() {
        let file = tempfile::tempfile().unwrap();
        for length in [0, 1, 4095, 4096, 10_000, 300_000] {
            let mut bytes = vec![7; length];
            bytes.splice(0..0, vec![0; 8192]);
            file.set_len(0).unwrap();
            file.write_all_at(&bytes, 0).unwrap();
            assert_eq!(of_file(&file).unwrap(), of_bytes(&bytes), "{length}");
            file.set_len(0).unwrap();
            file.write_all_at(&bytes[8192..], 8192).unwrap();
            assert_eq!(of_file(&file).unwrap(), of_bytes(&bytes), "{length}");
            assert!(length == 0 || of_bytes(&bytes) != of_bytes(&bytes[4096..]), "{length}");
        }
    }
}
