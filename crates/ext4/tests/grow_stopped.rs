//! Growth stopped at any moment: a replay or a repair gives the old size or the new one, and loses no file.

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nex_ext4::{BLOCK_SIZE, Editor, Journal, Layout, Size, Sizes, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use support::recording::{Event, Recording, play, stops};
use support::{Builder, GIB, Image, MIB, assert_fsck_is_silent, debugfs, e2fsck, pattern, text};

const OLD: u64 = 150 * MIB;

/// A growth to be stopped.
#[derive(Clone, Copy)]
struct Case {
    journal: Journal,
    /// The growth that the image is prepared for.
    max_size: u64,
    new: u64,
    /// Of how many stops in the order of the writes one is tried.
    step: usize,
}

impl Case {
    fn image(&self) -> Image {
        let mut builder = Builder::new(&Layout { max_size: self.max_size, size_limit: Some(OLD) });
        (0..20).for_each(|i| _ = builder.add_file(Tree::ROOT, format!("file-{i}"), &pattern(i, i as usize * 9000)));
        builder.finish(Sizes { journal: self.journal, ..Size::Exact(OLD).into() })
    }

    /// What growing the image does to its file.
    fn record(&self, image: &Image) -> Vec<Event> {
        let recording = Recording::new(File::options().read(true).write(true).open(image.copy()).unwrap());
        Editor::open(&recording).unwrap().grow(self.new).unwrap();
        recording.into_events()
    }

    /// Whether the file system has the new size; fails when it has neither, or a file is not what it was.
    fn is_new(&self, image: &Path) -> bool {
        for i in [0, 1, 10, 19] {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("file");
            let said = debugfs(image, &format!("dump /file-{i} {}", file.display()));
            assert!(fs::read(&file).unwrap() == pattern(i, i as usize * 9000), "{said}");
        }
        let stats = debugfs(image, "show_super_stats -h");
        let count = stats.lines().find_map(|line| line.strip_prefix("Block count:")).unwrap();
        let size = count.trim().parse::<u64>().unwrap() * BLOCK_SIZE;
        assert!(size == OLD || size == self.new, "{size}");
        size == self.new
    }

    /// The stops to try, and how many of them are in the order of the writes.
    fn stops(&self, events: &[Event], samples: usize) -> (Vec<Vec<Event>>, usize) {
        let all = stops(events, samples, 42);
        let (ordered, drawn) = all.split_at(events.len() + 1);
        let ordered: Vec<_> = ordered.iter().rev().step_by(self.step).rev().cloned().collect();
        let count = ordered.len();
        (ordered.into_iter().chain(drawn.iter().cloned()).collect(), count)
    }

    fn assert_safe(&self) {
        let image = self.image();
        let events = self.record(&image);
        let mut grown = false;
        let (stops, ordered) = self.stops(&events, 4);
        let mut seen = [0, 0];
        for (number, stop) in stops.iter().enumerate() {
            let copy = stopped(&image, stop);
            let opened = Editor::open(&File::open(&copy).unwrap()).map(drop);
            let before_repair = opened.is_ok().then(|| {
                assert_fsck_is_silent(&copy);
                self.is_new(&copy)
            });
            repair(&copy, if self.journal == Journal::None || self.step > 1 { "-fy" } else { "-p" });
            let after_repair = self.is_new(&copy);
            assert!(before_repair.is_none_or(|before| before == after_repair), "what opens needs no repair: {number}");
            if number < ordered {
                assert!(after_repair || !grown, "the old size comes back at stop {number}");
                grown = after_repair;
            }
            seen[usize::from(after_repair)] += 1;
            grow_again(&copy, self.new);
            assert!(self.is_new(&copy));
        }
        assert!(seen[0] > 5 && seen[1] > 0, "{seen:?}");
    }
}

/// A copy of the image to which this was done.
fn stopped(image: &Image, events: &[Event]) -> PathBuf {
    let copy = image.copy();
    play(&copy, events);
    copy
}

/// Has e2fsck repair the image; its exit code may say that it did.
fn repair(image: &Path, how: &str) {
    let output = e2fsck(&[how], image);
    assert!(matches!(output.status.code(), Some(0 | 1)), "e2fsck {how}: {}", text(&output));
    assert_fsck_is_silent(image);
}

/// Whatever the stop left behind the end, growth goes on from it.
fn grow_again(image: &Path, size: u64) {
    let file = File::options().read(true).write(true).open(image).unwrap();
    Editor::open(&file).unwrap().grow(size).unwrap();
    assert_fsck_is_silent(image);
}

const WITHIN_THE_RESERVE: Case = Case { journal: Journal::Usual, max_size: 64 * GIB, new: 9 * GIB, step: 1 };
const PAST_THE_RESERVE: Case = Case { max_size: 0, ..WITHIN_THE_RESERVE };

#[test]
#[ignore = "slow: some hundred repairs"]
fn within_the_reserve() {
    WITHIN_THE_RESERVE.assert_safe();
}

#[test]
#[ignore = "slow: some hundred repairs"]
fn past_the_reserve() {
    PAST_THE_RESERVE.assert_safe();
}

#[test]
#[ignore = "slow: some hundred repairs"]
fn without_a_journal() {
    Case { journal: Journal::None, step: 3, ..WITHIN_THE_RESERVE }.assert_safe();
    Case { journal: Journal::None, step: 3, ..PAST_THE_RESERVE }.assert_safe();
}

#[test]
#[ignore = "slow: repairs after more writes than its journal holds"]
fn with_a_journal_that_is_too_small() {
    let journal = Journal::Blocks(Journal::MIN_BLOCKS);
    Case { journal, max_size: 8 << 40, new: 9 * GIB, step: 199 }.assert_safe();
}

#[test]
#[ignore = "slow: some dozen mounts"]
fn the_kernel_replays_it() {
    if !kernel::is_available() {
        return;
    }
    for case in [WITHIN_THE_RESERVE, PAST_THE_RESERVE] {
        let image = case.image();
        let events = case.record(&image);
        let mut seen = [0, 0];
        for stop in case.stops(&events, 2).0 {
            let copy = stopped(&image, &stop);
            let mount = Mount::new(&copy, Access::ReadWrite).unwrap();
            fs::write(mount.path().join("after"), pattern(5, 100_000)).unwrap();
            mount.unmount().unwrap();
            // The kernel counts what is free before it replays the journal: the superblock's counts want a repair.
            repair(&copy, "-fy");
            seen[usize::from(case.is_new(&copy))] += 1;
        }
        assert!(seen.iter().all(|count| *count > 1), "{seen:?}");
    }
}
