//! Output that is written, read meanwhile, cut, damaged and lost.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nex_file::directory::Directory;
use nex_file::way::Missing;
use nex_supervise::spool::{LEAST_LIMIT, Piece, SpoolOptions, SpoolReader, SpoolWriter, Stream};
use nex_supervise::{Id, UnixMillis};
use proptest::prelude::*;

use crate::Place;
use crate::role::{Player, pattern, said};

fn directory(path: &Path) -> Directory {
    // A directory that only names it, as paths are reached, does not list.
    Directory::reach(path, Missing::Left).unwrap().unwrap().again().unwrap()
}

fn writer(place: &Place, limit: u64) -> SpoolWriter {
    SpoolWriter::new(&directory(place.path()), SpoolOptions { limit }).unwrap()
}

fn reader(path: &Path) -> SpoolReader {
    SpoolReader::new(&directory(path)).unwrap()
}

/// Writes so many bytes that say where they stand.
fn write(spool: &mut SpoolWriter, length: u64) {
    let bytes: Vec<_> = (spool.position()..spool.position() + length).map(pattern).collect();
    spool.write(Stream::Out, &bytes, UnixMillis(7));
}

/// What a reader has got.
#[derive(Default)]
struct Got {
    bytes: u64,
    lost: u64,
}

impl Got {
    /// Reads what there is; every byte must stand where it says.
    fn all(&mut self, reader: &mut SpoolReader) {
        while let Some(piece) = reader.next_piece().unwrap() {
            match piece {
                Piece::Lost(lost) => {
                    assert!(lost > 0);
                    self.lost += lost;
                }
                Piece::Output(output) => {
                    assert_eq!(output.position, self.bytes + self.lost);
                    let expected: Vec<_> = (output.position..).take(output.bytes.len()).map(pattern).collect();
                    assert!(output.bytes == expected, "garbage at {}", output.position);
                    self.bytes += output.bytes.len() as u64;
                }
            }
            assert_eq!(reader.position(), self.bytes + self.lost);
        }
    }
}

fn size(path: &Path) -> u64 {
    let files = fs::read_dir(path).unwrap().flatten();
    files
        .filter(|file| file.file_name().to_string_lossy().starts_with("output."))
        .map(|file| file.metadata().unwrap().len())
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn all_that_is_kept_is_read_and_all_that_is_lost_is_counted(
        limit in LEAST_LIMIT..4 * LEAST_LIMIT,
        lengths in proptest::collection::vec(0_u64..30_000, 0..60),
        pause in 1_usize..20,
    ) {
        let place = Place::new();
        let (mut spool, mut follower) = (writer(&place, limit), reader(place.path()));
        let mut followed = Got::default();
        for (number, length) in lengths.iter().enumerate() {
            write(&mut spool, *length);
            prop_assert!(size(place.path()) <= limit);
            if number % pause == 0 {
                followed.all(&mut follower);
            }
        }
        followed.all(&mut follower);
        prop_assert_eq!(followed.bytes + followed.lost, spool.position());
        let mut late = Got::default();
        late.all(&mut reader(place.path()));
        prop_assert_eq!(late.bytes + late.lost, spool.position());
        prop_assert_eq!(late.lost, spool.losses().overwritten_bytes);
        prop_assert_eq!(spool.losses().dropped_bytes, 0);
    }
}

#[test]
fn streams_times_and_long_output_come_as_they_went() {
    let place = Place::new();
    let mut spool = writer(&place, 16 << 20);
    let long = vec![9; 200_000];
    spool.write(Stream::Err, b"oh", UnixMillis(1));
    spool.write(Stream::Out, b"", UnixMillis(2));
    spool.write(Stream::Out, &long, UnixMillis(3));
    let mut reader = reader(place.path());
    let pieces: Vec<_> = std::iter::from_fn(|| reader.next_piece().unwrap()).collect();
    let outputs: Vec<_> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Output(output) => (output.stream, output.time.0, output.bytes.len()),
            Piece::Lost(lost) => panic!("{lost} bytes are lost"),
        })
        .collect();
    let rest = 200_000 - 3 * (64 << 10);
    let expected =
        [(Stream::Err, 1, 2), (Stream::Out, 3, 64 << 10), (Stream::Out, 3, 64 << 10), (Stream::Out, 3, 64 << 10)];
    assert_eq!(outputs[..4], expected);
    assert_eq!(outputs[4], (Stream::Out, 3, rest));
}

#[test]
fn cut_or_damaged_at_any_byte_no_garbage_comes_and_what_is_lost_is_counted() {
    let place = Place::new();
    let mut spool = writer(&place, LEAST_LIMIT);
    for _ in 0..8 {
        write(&mut spool, 2500);
    }
    let segments: Vec<_> =
        (0..3).map(|number| fs::read(place.path().join(format!("output.{number}"))).unwrap()).collect();
    assert!(!place.path().join("output.3").exists());
    for (number, whole) in segments.iter().enumerate() {
        let path = place.path().join(format!("output.{number}"));
        let last = number == segments.len() - 1;
        let check = |at: usize, what: &str| {
            let mut got = Got::default();
            got.all(&mut reader(place.path()));
            // Behind the last segment nobody can tell what is missing.
            let is_counted = last || got.bytes + got.lost == spool.position();
            assert!(
                is_counted && got.bytes < spool.position(),
                "{what} {number} at {at}: {} and {}",
                got.bytes,
                got.lost
            );
        };
        // All of the headers, and some of the data.
        let places = (0..whole.len()).filter(|at| at % 2528 < 100 || at % 61 == 0);
        for at in places {
            fs::write(&path, &whole[..at]).unwrap();
            check(at, "cut");
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            fs::write(&path, damaged).unwrap();
            check(at, "damaged");
        }
        fs::write(&path, whole).unwrap();
    }
    let mut got = Got::default();
    got.all(&mut reader(place.path()));
    assert_eq!((got.bytes, got.lost), (spool.position(), 0));
}

#[test]
fn a_guest_cannot_forge_entries() {
    let place = Place::new();
    let mut inner = writer(&place, LEAST_LIMIT);
    write(&mut inner, 1000);
    let forged = fs::read(place.path().join("output.0")).unwrap();
    fs::remove_file(place.path().join("output.0")).unwrap();
    // Output that looks like a segment is output, and behind damage nothing is looked for.
    let mut spool = writer(&place, LEAST_LIMIT);
    spool.write(Stream::Out, &forged, UnixMillis(7));
    let path = place.path().join("output.0");
    let mut bytes = fs::read(&path).unwrap();
    let mut genuine = reader(place.path());
    assert!(matches!(genuine.next_piece().unwrap(), Some(Piece::Output(output)) if output.bytes == forged));
    assert_eq!(genuine.next_piece().unwrap(), None);
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(reader(place.path()).next_piece().unwrap(), None);
}

#[test]
fn a_reader_in_another_process_follows_until_the_writer_is_killed() {
    for round in 0..20_u64 {
        let place = Place::new();
        let mut player = Player::start("writer", place.path());
        let id = Id::parse(&said(&mut player)).unwrap();
        let guest = place.path().join("run/guests").join(id.as_str());
        let (mut follower, mut followed) = (reader(&guest), Got::default());
        let end = Instant::now() + Duration::from_millis(20 + round * 7);
        while Instant::now() < end {
            followed.all(&mut follower);
            if round % 2 == 0 {
                // Slow enough to lose something.
                thread::sleep(Duration::from_millis(10));
            }
        }
        player.kill();
        followed.all(&mut follower);
        let mut late = Got::default();
        late.all(&mut reader(&guest));
        assert!(followed.bytes > 0 && size(&guest) <= 256 << 10);
        assert_eq!(followed.bytes + followed.lost, late.bytes + late.lost, "round {round}");
    }
}

#[test]
fn a_disk_that_fails_makes_the_writer_count_and_go_on() {
    let place = Place::new();
    let mut spool = writer(&place, LEAST_LIMIT);
    write(&mut spool, 5000);
    // Names that are taken, as a stand-in for a disk that takes no new file.
    for number in 1..4 {
        fs::create_dir(place.path().join(format!("output.{number}"))).unwrap();
    }
    for _ in 0..4 {
        write(&mut spool, 5000);
    }
    assert_eq!(spool.losses().dropped_bytes, 15_000);
    for number in 1..4 {
        fs::remove_dir(place.path().join(format!("output.{number}"))).unwrap();
    }
    let mut got = Got::default();
    got.all(&mut reader(place.path()));
    assert_eq!((got.bytes, got.lost), (10_000, 15_000));
}

/// `cargo test -p nex-supervise --test records --release -- --ignored --nocapture measured`
#[test]
#[ignore = "measures, and judges nothing"]
fn measured_throughput_and_memory() {
    let resident = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim().to_owned()
    };
    for length in [100, 4096, 64 << 10] {
        let place = Place::new();
        let mut spool = writer(&place, 16 << 20);
        let data = vec![b'x'; length];
        let (before, begun, mut bytes) = (resident(), Instant::now(), 0_u64);
        while begun.elapsed() < Duration::from_secs(2) {
            for _ in 0..100 {
                spool.write(Stream::Out, &data, UnixMillis(7));
                bytes += length as u64;
            }
        }
        let rate = bytes as f64 / begun.elapsed().as_secs_f64() / 1e6;
        let memory = size_of::<SpoolWriter>();
        eprintln!(
            "writes of {length} bytes: {rate:.0} MB/s; resident {before} before, {} after; writer {memory} bytes",
            resident()
        );
        let (begun, mut reader, mut read) = (Instant::now(), reader(place.path()), 0);
        while let Some(piece) = reader.next_piece().unwrap() {
            read += if let Piece::Output(output) = piece { output.bytes.len() } else { 0 };
        }
        eprintln!("read {read} bytes at {:.0} MB/s", read as f64 / begun.elapsed().as_secs_f64() / 1e6);
    }
}
