//! The output of a guest. The first byte says how much is written to a spool; then, four bytes each, what is damaged: which segment,
//! where, and the new byte. Or, with the highest bit set, the rest of the input is a segment. Whatever stands there, a reader comes to an
//! end, and gives no more than there is.

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use nex_file::directory::Directory;
use nex_file::way::Missing;
use nex_fuzz::place;
use nex_supervise::UnixMillis;
use nex_supervise::spool::{LEAST_LIMIT, Piece, SpoolOptions, SpoolReader, SpoolWriter, Stream};

/// A byte that is changed: in which segment, where, in two bytes, and what it becomes.
const CHANGE: usize = 4;

/// The input is a segment itself.
const RAW: u8 = 0x80;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let path = place::fresh("spool");
    let reached = Directory::reach(&path, Missing::Left).expect("our own directory").expect("our own directory");
    let directory = reached.again().expect("our own directory");
    let mut written = u64::MAX;
    if first & RAW == 0 {
        let mut spool = SpoolWriter::new(&directory, SpoolOptions { limit: LEAST_LIMIT }).expect("our own directory");
        for number in 0..*first {
            let stream = if number % 2 == 0 { Stream::Out } else { Stream::Err };
            spool.write(stream, &vec![number; 100 * usize::from(number)], UnixMillis(1));
        }
        if rest.len() < CHANGE {
            written = spool.position();
        }
        damage(&path, rest);
    } else {
        fs::write(path.join("output.3"), rest).expect("our own directory");
    }
    let there: u64 = fs::read_dir(&path)
        .expect("our own directory")
        .flatten()
        .map(|file| file.metadata().map_or(0, |file| file.len()))
        .sum();
    let mut reader = SpoolReader::new(&directory).expect("our own directory");
    let (mut bytes, mut place) = (0, 0);
    while let Some(piece) = reader.next_piece().expect("our own directory") {
        match piece {
            Piece::Lost(lost) => {
                assert!(lost > 0);
                place += lost;
            }
            Piece::Output(output) => {
                assert!(!output.bytes.is_empty() && output.position == place);
                place = place.saturating_add(output.bytes.len() as u64);
                bytes += output.bytes.len() as u64;
            }
        }
    }
    assert!(bytes <= there && place <= written);
});

/// Changes bytes of the segments that are there.
fn damage(path: &std::path::Path, changes: &[u8]) {
    let mut names: Vec<_> = fs::read_dir(path).expect("our own directory").flatten().map(|file| file.path()).collect();
    names.sort();
    for change in changes.chunks_exact(CHANGE).filter(|_| !names.is_empty()) {
        let name = &names[usize::from(change[0]) % names.len()];
        let mut bytes = fs::read(name).expect("our own directory");
        let at = usize::from(u16::from_le_bytes([change[1], change[2]])) % bytes.len();
        bytes[at] = change[3];
        fs::write(name, bytes).expect("our own directory");
    }
}
