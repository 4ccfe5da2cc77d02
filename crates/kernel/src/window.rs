//! A kernel seen piece by piece, as it is unpacked: 60 MiB or a bomb, memory holds one window of it.

use std::io::{self, Read};

/// Bytes of a window.
const LENGTH: usize = 4 << 20;
/// Bytes behind each place that the window with it shows, where the kernel has them: a compressed configuration fits.
pub const AHEAD: usize = 1 << 20;

/// A piece of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Window<'b> {
    /// The piece.
    pub bytes: &'b [u8],
    /// So many bytes at its beginning have their turn now; the others come again in the next one.
    pub fresh: usize,
}

/// Shows what a reader gives, until its end or until `see` says that it is enough.
pub fn show(reader: &mut impl Read, mut see: impl FnMut(Window<'_>) -> bool) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(LENGTH);
    loop {
        let room = LENGTH - bytes.len();
        let read = reader.by_ref().take(room as u64).read_to_end(&mut bytes)?;
        if read < room {
            let fresh = bytes.len();
            see(Window { bytes: &bytes, fresh });
            return Ok(());
        }
        let fresh = LENGTH - AHEAD;
        if !see(Window { bytes: &bytes, fresh }) {
            return Ok(());
        }
        bytes.drain(..fresh);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_one_turn_with_what_is_behind_it() {
        for length in [0, 1, LENGTH - 1, LENGTH, LENGTH + 1, 3 * LENGTH + 5] {
            let content: Vec<u8> = (0..length).map(|at| (at / 1000) as u8).collect();
            let mut place = 0;
            show(&mut content.as_slice(), |window| {
                assert!(window.bytes == &content[place..place + window.bytes.len()]);
                assert!(window.bytes.len() - window.fresh >= AHEAD.min(length - place - window.fresh));
                place += window.fresh;
                true
            })
            .unwrap();
            assert_eq!(place, length);
        }
    }
}
