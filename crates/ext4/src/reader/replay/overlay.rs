//! Blocks of the journal over the blocks that they belong to.

use std::collections::BTreeMap;
use std::io;

use crate::jbd2;
use crate::read_at::ReadAt;

/// Where the newest bytes of a block stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reader) struct Place {
    /// The block of the file system, which is one of the journal's.
    pub block: u64,
    /// Whether its first four bytes are zeros in the journal, and the journal's magic in truth (`JBD2_FLAG_ESCAPE`).
    pub is_escaped: bool,
}

/// A file system, and what waits in its journal.
pub(in crate::reader) struct Overlay<S> {
    below: S,
    block_size: u64,
    places: BTreeMap<u64, Place>,
}

impl<S> Overlay<S> {
    /// The file system as it stands.
    pub fn new(below: S) -> Self {
        Self { below, block_size: 1, places: BTreeMap::new() }
    }

    /// The same with these blocks elsewhere.
    pub fn with(self, block_size: u64, places: BTreeMap<u64, Place>) -> Self {
        Self { block_size, places, ..self }
    }

    pub fn below(&self) -> &S {
        &self.below
    }
}

impl<S: ReadAt> ReadAt for Overlay<S> {
    fn size(&self) -> io::Result<u64> {
        self.below.size()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.below.read_at(bytes, offset)?;
        if self.places.is_empty() || bytes.is_empty() {
            return Ok(());
        }
        let end = offset + bytes.len() as u64;
        for (block, place) in self.places.range(offset / self.block_size..end.div_ceil(self.block_size)) {
            let start = block * self.block_size;
            let (from, to) = (start.max(offset), (start + self.block_size).min(end));
            let part = &mut bytes[(from - offset) as usize..(to - offset) as usize];
            let within = from - start;
            self.below.read_at(part, place.block * self.block_size + within)?;
            if place.is_escaped {
                let magic = jbd2::MAGIC.to_be_bytes();
                let rest = magic.get(within as usize..).unwrap_or_default();
                part.iter_mut().zip(rest).for_each(|(byte, right)| *byte = *right);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(Vec<u8>);

    impl ReadAt for Bytes {
        fn size(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }

        fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
            bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
            Ok(())
        }
    }

    #[test]
    fn any_part_of_a_block_is_read_from_its_place() {
        const SIZE: usize = 8;
        let below: Vec<u8> = (0..64).collect();
        let place = |block, is_escaped| Place { block, is_escaped };
        let places = [(1, place(6, false)), (2, place(7, true)), (4, place(5, false))];
        let mut expected = below.clone();
        for (block, place) in places {
            expected.copy_within(place.block as usize * SIZE..(place.block as usize + 1) * SIZE, block * SIZE);
            if place.is_escaped {
                expected[block * SIZE..][..4].copy_from_slice(&[0xC0, 0x3B, 0x39, 0x98]);
            }
        }
        // The journal's own blocks are below, not in the overlay.
        let places = places.map(|(block, place)| (block as u64, place));
        let overlay = Overlay::new(Bytes(below)).with(SIZE as u64, places.into());
        for start in 0..64 {
            for end in start..=64 {
                let mut bytes = vec![0; end - start];
                overlay.read_at(&mut bytes, start as u64).unwrap();
                assert_eq!(bytes, expected[start..end], "{start}..{end}");
            }
        }
    }
}
