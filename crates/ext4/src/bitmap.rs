//! Bitmaps: one bit for each block or inode of a group, in one block.

use std::ops::Range;

use crate::BLOCK_SIZE;

/// A bitmap's block.
pub(crate) type Bitmap = [u8; BLOCK_SIZE as usize];

/// The block bitmap of a group: what is in use, and the padding behind the last group's end, which counts as in use.
///
/// `used` is ascending and within `group`.
pub(crate) fn block_bitmap(group: Range<u64>, used: impl Iterator<Item = Range<u64>>) -> Bitmap {
    let mut bitmap = [0; BLOCK_SIZE as usize];
    for run in used {
        set(&mut bitmap, (run.start - group.start) as usize..(run.end - group.start) as usize);
    }
    set(&mut bitmap, (group.end - group.start) as usize..8 * BLOCK_SIZE as usize);
    bitmap
}

/// The inode bitmap of a group whose first `used` inodes are in use; the padding behind the last inode is set.
pub(crate) fn inode_bitmap(used: u32, inodes_per_group: u32) -> Bitmap {
    let mut bitmap = [0; BLOCK_SIZE as usize];
    set(&mut bitmap, 0..used as usize);
    set(&mut bitmap, inodes_per_group as usize..8 * BLOCK_SIZE as usize);
    bitmap
}

/// The runs of blocks of `group` that are free by its bitmap, ascending.
pub(crate) fn free_runs(bitmap: &Bitmap, group: Range<u64>) -> Vec<Range<u64>> {
    let length = (group.end - group.start) as usize;
    let mut runs = Vec::new();
    let mut bit = 0;
    while bit < length {
        let start = find(bitmap, bit, length, false);
        bit = find(bitmap, start, length, true);
        if start < bit {
            runs.push(group.start + start as u64..group.start + bit as u64);
        }
    }
    runs
}

/// The first bit from `start` on that is set or clear as wanted; `end` when there is none. Passes whole bytes at once.
fn find(bitmap: &Bitmap, start: usize, end: usize, set: bool) -> usize {
    let passed = if set { 0 } else { u8::MAX };
    let mut bit = start;
    while bit < end {
        if bit.is_multiple_of(8) && bitmap[bit / 8] == passed {
            bit += 8;
        } else if (bitmap[bit / 8] >> (bit % 8) & 1 == 1) == set {
            return bit;
        } else {
            bit += 1;
        }
    }
    end
}

/// Makes the bits of a run say that their blocks are in use, or free; false when one of them said so already.
#[must_use]
pub(crate) fn turn(bitmap: &mut Bitmap, bits: Range<usize>, used: bool) -> bool {
    if find(bitmap, bits.start, bits.end, used) < bits.end {
        return false;
    }
    if used {
        set(bitmap, bits);
    } else {
        bits.for_each(|bit| bitmap[bit / 8] &= !(1 << (bit % 8)));
    }
    true
}

/// Sets a run of bits, whole bytes at once.
fn set(bitmap: &mut Bitmap, bits: Range<usize>) {
    let (first, last) = (bits.start.div_ceil(8), bits.end / 8);
    if first >= last {
        bits.for_each(|bit| bitmap[bit / 8] |= 1 << (bit % 8));
        return;
    }
    bitmap[first..last].fill(u8::MAX);
    (bits.start..first * 8).chain(last * 8..bits.end).for_each(|bit| bitmap[bit / 8] |= 1 << (bit % 8));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_bits_equals_its_bits_one_by_one() {
        for (start, end) in [(0, 0), (0, 1), (3, 5), (3, 12), (8, 16), (7, 17), (31_000, 32_768)] {
            let mut bitmap = [0; BLOCK_SIZE as usize];
            set(&mut bitmap, start..end);
            for bit in 0..32_768 {
                assert_eq!(bitmap[bit / 8] >> (bit % 8) & 1 == 1, (start..end).contains(&bit), "{start}..{end}: {bit}");
            }
        }
    }

    #[test]
    fn free_runs_are_what_is_not_set() {
        let used = [100..103u64, 110..111, 120..160, 199..200];
        let bitmap = block_bitmap(100..200, used.iter().cloned());
        assert_eq!(free_runs(&bitmap, 100..200), [103..110, 111..120, 160..199]);
        assert_eq!(free_runs(&[0; 4096], 0..32_768), vec![0..32_768; 1]);
        assert_eq!(free_runs(&[0xFF; 4096], 0..32_768), []);
    }

    #[test]
    fn a_bit_is_turned_once() {
        let mut bitmap = [0; BLOCK_SIZE as usize];
        assert!(turn(&mut bitmap, 3..20, true));
        assert!(!turn(&mut bitmap, 19..21, true));
        assert!(turn(&mut bitmap, 5..18, false));
        assert!(!turn(&mut bitmap, 4..6, false));
        assert_eq!(bitmap[..3], [0b0001_1000, 0, 0b0000_1100]);
    }

    #[test]
    fn padding_behind_the_last_group_counts_as_in_use() {
        let bitmap = block_bitmap(32_768..32_768 + 9, std::iter::once(32_770..32_772));
        assert_eq!(bitmap[..3], [0b0000_1100, 0b1111_1110, 0xFF]);
        assert_eq!(bitmap[4095], 0xFF);
    }
}
