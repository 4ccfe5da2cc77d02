//! The pipeline, fed from memory.

use std::io::{self, BufRead, Cursor, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use nex_fault::whole;
use nex_registry::Digest;
use nex_testkit::noise;

use super::{Job, LayerReader, LayerSummary};
use crate::blob::Blob;
use crate::compression::Compression;
use crate::error::{Error, LayerError};
use crate::layer::Layer;
use crate::limits::Limits;
use crate::progress::{NoProgress, Progress};

/// A tar that is larger than all buffers of the pipeline, and compresses badly enough to be so compressed too.
fn tar() -> Vec<u8> {
    const SIZE: usize = 8 << 20;
    let mut tar = nex_testkit::sparse::header(b"file", b'0', SIZE as u64).to_vec();
    tar.extend(noise::bytes(SIZE, 1).into_iter().map(|byte| byte >> 2));
    tar.extend([0; 1024]);
    tar
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("compressed")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 1).expect("compressed")
}

/// What an honest manifest says about a blob.
fn described(blob: &[u8], tar: &[u8]) -> Layer {
    Layer {
        digest: Some(Digest::sha256(blob)),
        diff_id: Some(Digest::sha256(tar)),
        size: Some(blob.len() as u64),
        media_type: None,
        created_by: None,
    }
}

/// What is known of a plain tar.
fn unknown() -> Layer {
    Layer { digest: None, diff_id: None, size: None, media_type: None, created_by: None }
}

/// A blob for which nothing is to be done once it is verified.
fn plain(blob: impl Read + Send + 'static) -> Box<dyn Blob> {
    let blob: Box<dyn Read + Send> = Box::new(blob);
    Box::new(blob)
}

fn start_within(blob: impl Read + Send + 'static, layer: Layer, limits: Limits) -> LayerReader {
    let job = Job { index: 3, layer, root: None, limits, unpacked: Arc::default(), progress: Arc::new(NoProgress) };
    LayerReader::start(plain(blob), job).expect("threads")
}

fn start(blob: &[u8], layer: Layer) -> LayerReader {
    start_within(Cursor::new(blob.to_vec()), layer, Limits::default())
}

fn problem(result: Result<LayerSummary, Error>) -> LayerError {
    match result.expect_err("an error") {
        Error::Layer { index: 3, problem, .. } => problem,
        other => panic!("{other}"),
    }
}

/// The problem of a layer of which nothing is known before.
fn problem_of(blob: &[u8]) -> LayerError {
    problem(start(blob, unknown()).finish())
}

#[test]
fn every_compression_gives_the_same_tar() {
    let tar = tar();
    for (blob, compression) in
        [(tar.clone(), Compression::None), (gzip(&tar), Compression::Gzip), (zstd(&tar), Compression::Zstd)]
    {
        let mut reader = start(&blob, described(&blob, &tar));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).expect("a tar");
        assert!(read == tar, "{compression}");
        let summary = reader.finish().expect("a summary");
        assert_eq!(summary.diff_id, Digest::sha256(&tar));
        assert_eq!(summary.digest, Digest::sha256(&blob));
        assert_eq!((summary.compressed, summary.uncompressed), (blob.len() as u64, tar.len() as u64));
        assert_eq!(summary.compression, compression);
    }
}

#[test]
fn members_and_frames_are_joined_and_padding_is_dropped() {
    let tar = tar();
    let (first, second) = tar.split_at(5_000_001);
    let padded = [gzip(first), gzip(b""), gzip(second), vec![0; 70_000]].concat();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(first), &zstd(second)].concat();
    for blob in [padded, skippable] {
        assert_eq!(start(&blob, unknown()).finish().expect("a summary").diff_id, Digest::sha256(&tar));
    }
}

#[test]
fn an_empty_blob_is_an_empty_tar() {
    assert_eq!(start(b"", unknown()).finish().expect("a summary").uncompressed, 0);
}

#[test]
fn compressed_data_that_is_cut_or_damaged_is_named() {
    let tar = tar();
    for (blob, compression) in [(gzip(&tar), Compression::Gzip), (zstd(&tar), Compression::Zstd)] {
        for length in [5, 1_000, blob.len() / 2, blob.len() - 1] {
            let problem = problem_of(&blob[..length]);
            assert!(
                matches!(problem, LayerError::Truncated { compression: found } if found == compression),
                "{problem}"
            );
        }
        let garbage = [&blob[..], b"garbage"].concat();
        let problem = problem_of(&garbage);
        assert!(matches!(problem, LayerError::TrailingGarbage { .. } | LayerError::Corrupt { .. }), "{problem}");
    }
    let mut flipped = gzip(&tar);
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    assert!(matches!(problem_of(&flipped), LayerError::Corrupt { compression: Compression::Gzip, .. }));
}

#[test]
fn padding_is_the_last_thing_in_a_gzip_blob() {
    let blob = [gzip(&[0; 1024]), vec![0; 10], gzip(&[0; 1024])].concat();
    assert!(matches!(problem_of(&blob), LayerError::TrailingGarbage { compression: Compression::Gzip }));
}

#[test]
fn a_blob_that_is_not_what_the_manifest_says_is_refused() {
    let tar = tar();
    let blob = gzip(&tar);
    let honest = described(&blob, &tar);
    let other = Digest::sha256(b"other");

    let cut = start(&blob[..blob.len() - 9], honest.clone()).finish();
    assert!(matches!(problem(cut), LayerError::CutShort { got, .. } if got == blob.len() as u64 - 9));
    let long = start(&[&blob[..], b"\0"].concat(), honest.clone()).finish();
    assert!(matches!(problem(long), LayerError::TooLong { expected } if expected == blob.len() as u64));
    let digest = start(&blob, Layer { digest: Some(other), ..honest.clone() }).finish();
    assert!(matches!(problem(digest), LayerError::Digest(mismatch) if mismatch.expected == other));
    let diff_id = start(&blob, Layer { diff_id: Some(other), ..honest }).finish();
    assert!(matches!(problem(diff_id), LayerError::DiffId(mismatch) if mismatch.got == Digest::sha256(&tar)));
}

#[test]
fn an_error_names_the_layer_by_number_and_digest() {
    let tar = tar();
    let blob = gzip(&tar);
    let honest = described(&blob, &tar);
    let told = |layer| whole(&start(&blob[1..], layer).finish().expect_err("an error"));
    let short = |content: &[u8]| format!("{}\u{2026}", &Digest::sha256(content).to_string()[.."sha256:".len() + 12]);
    let by_blob = format!("layer 4 ({}): ", short(&blob));
    assert!(told(honest.clone()).starts_with(&by_blob), "{}", told(honest));
    let by_tar = format!("layer 4 (diff id {}): ", short(&tar));
    let archived = Layer { diff_id: Some(Digest::sha256(&tar)), ..unknown() };
    assert!(told(archived.clone()).starts_with(&by_tar), "{}", told(archived));
    assert!(told(unknown()).starts_with("layer 4: "), "{}", told(unknown()));
}

#[test]
fn damage_is_blamed_on_the_wrong_digest() {
    let tar = tar();
    for blob in [gzip(&tar), zstd(&tar)] {
        let honest = described(&blob, &tar);
        for at in [0, 20, blob.len() / 2] {
            let mut damaged = blob.clone();
            damaged[at] ^= 0xff;
            let problem = problem(start(&damaged, honest.clone()).finish());
            assert!(matches!(problem, LayerError::Digest(_)), "{at}: {problem}");
        }
    }
}

#[test]
fn a_plain_read_does_not_report_the_end_of_a_wrong_layer() {
    let tar = tar();
    let layer = Layer { diff_id: Some(Digest::sha256(b"other")), ..unknown() };
    let error = start(&tar, layer).read_to_end(&mut Vec::new()).expect_err("an error");
    let inner = error.downcast::<Error>().expect("the typed error");
    assert!(matches!(inner, Error::Layer { index: 3, problem: LayerError::DiffId(_), .. }), "{inner}");
}

#[test]
fn bombs_are_stopped_by_ratio_and_by_total() {
    let bomb = gzip(&vec![0; 16 << 20]);
    let limits = Limits { ratio: 50, ratio_free_bytes: 1 << 20, ..Limits::default() };
    let result = start_within(Cursor::new(bomb.clone()), unknown(), limits).finish();
    assert!(matches!(problem(result), LayerError::Ratio { limit: 50 }));
    let limits = Limits { uncompressed_bytes: 8 << 20, ..Limits::default() };
    let result = start_within(Cursor::new(bomb), unknown(), limits).finish();
    assert!(matches!(problem(result), LayerError::TooManyBytes { .. }));
}

#[test]
fn a_huge_zstd_window_is_refused() {
    // Magic number, a descriptor without flags, and a window byte of exponent 31 - 10, which is 2 GiB.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00];
    let problem = problem_of(&frame);
    assert!(matches!(problem, LayerError::Corrupt { compression: Compression::Zstd, .. }), "{problem}");
}

/// Gives zeros for ever, and says when it is dropped, which is when its thread ends.
struct Endless(mpsc::Sender<()>);

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        out.fill(0);
        Ok(out.len())
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.send(()).expect("the test waits");
    }
}

#[test]
fn threads_end_when_the_reader_goes_away() {
    let (ended, end) = mpsc::channel();
    let mut reader = start_within(Endless(ended), unknown(), Limits::default());
    assert!(!reader.fill_buf().expect("data").is_empty());
    drop(reader);
    end.recv_timeout(Duration::from_secs(10)).expect("the first thread ends");
}

struct Panicking;

impl Read for Panicking {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("as if by a bug")
    }
}

#[test]
fn a_panic_in_a_stage_is_an_error_for_the_reader() {
    let result = start_within(Panicking, unknown(), Limits::default()).finish();
    assert!(matches!(problem(result), LayerError::StageDied { stage: "read" }));
}

#[test]
fn a_slow_reader_does_not_make_the_pipeline_grow() {
    struct Counting(Arc<AtomicUsize>);
    impl Read for Counting {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.0.fetch_add(out.len(), Ordering::Relaxed);
            out.fill(0);
            Ok(out.len())
        }
    }
    let taken = Arc::new(AtomicUsize::new(0));
    let mut reader = start_within(Counting(Arc::clone(&taken)), unknown(), Limits::default());
    reader.fill_buf().expect("data");
    let settled = |since: Instant| since.elapsed() > Duration::from_millis(200);
    let (mut before, mut since) = (0, Instant::now());
    while !settled(since) {
        let now = taken.load(Ordering::Relaxed);
        if now != before {
            (before, since) = (now, Instant::now());
        }
        std::thread::yield_now();
    }
    assert!(before < 8 << 20, "{before} bytes were read ahead");
}

#[test]
fn progress_tells_the_whole_story() {
    #[derive(Default)]
    struct Story(std::sync::Mutex<Vec<String>>);
    impl Progress for Story {
        fn layer_started(&self, index: usize, total: Option<u64>) {
            self.0.lock().expect("no panic").push(format!("start {index} {total:?}"));
        }
        fn advanced(&self, index: usize, bytes: u64) {
            self.0.lock().expect("no panic").push(format!("at {index} {bytes}"));
        }
        fn layer_finished(&self, index: usize) {
            self.0.lock().expect("no panic").push(format!("end {index}"));
        }
    }
    let story = Arc::new(Story::default());
    let (layer, limits) = (Layer { size: Some(1024), ..unknown() }, Limits::default());
    let job = Job { index: 0, layer, root: None, limits, unpacked: Arc::default(), progress: story.clone() };
    LayerReader::start(plain(Cursor::new([0; 1024])), job).and_then(LayerReader::finish).expect("a summary");
    assert_eq!(*story.0.lock().expect("no panic"), ["start 0 Some(1024)", "at 0 1024", "end 0"]);
}
