//! Replacing a file's content stopped at any moment: a replay or a repair gives the old content or the new.

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nex_ext4::{BLOCK_SIZE, Editor, Journal, Layout, Size, Sizes, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use support::recording::{Event, Recording, play, stops};
use support::{Builder, GIB, Image, MIB, assert_fsck_is_silent, e2fsck, pattern, read, text};

const OLD: usize = 30_000;
const NEW: usize = 70_001;
/// Bytes of one full group.
const FIRST_GROUP: u64 = 128 * MIB;

fn builder() -> Builder {
    let mut builder = Builder::new(&Layout::default());
    builder.add_file(Tree::ROOT, "before", &pattern(1, 10_000));
    builder.add_file(Tree::ROOT, "agent", &pattern(2, OLD));
    builder.add_file(Tree::ROOT, "behind", &pattern(3, 10_000));
    builder
}

fn image(journal: Journal) -> Image {
    let builder = builder();
    builder.finish(Sizes { journal, ..Size::Exact(16 * MIB).into() })
}

/// An image that grew by groups without bitmaps, where the new agent has to go: the first group is full.
fn grown(journal: Journal) -> Image {
    let full = |filler: u64| {
        let mut builder = builder();
        builder.add_file(Tree::ROOT, "filler", &vec![0; (filler * BLOCK_SIZE) as usize]);
        builder.finish(Sizes { journal, ..Size::Exact(FIRST_GROUP).into() })
    };
    let image = full(full(0).report.free_blocks - 4);
    let file = File::options().read(true).write(true).open(image.path()).unwrap();
    Editor::open(&file).unwrap().grow(GIB).unwrap();
    let events = record(&image);
    assert!(events.iter().any(|event| matches!(event, Event::Write { offset, .. } if *offset >= FIRST_GROUP)));
    image
}

/// What replacing the agent writes.
fn record(image: &Image) -> Vec<Event> {
    let recording = Recording::new(File::options().read(true).write(true).open(image.copy()).unwrap());
    let mut file_system = Editor::open(&recording).unwrap();
    let new = pattern(4, NEW);
    let mut replacement = file_system.replace(b"/agent", NEW as u64).unwrap();
    new.chunks(20_000).for_each(|chunk| replacement.write(chunk).unwrap());
    replacement.commit(None).unwrap();
    recording.into_events()
}

/// A copy of the image to which this was done.
fn stopped(image: &Image, events: &[Event]) -> PathBuf {
    let copy = image.copy();
    play(&copy, events);
    copy
}

/// Whether the agent is the new one; fails when it is neither.
fn is_new(image: &Path) -> bool {
    assert!(read(image, "/before") == pattern(1, 10_000));
    assert!(read(image, "/behind") == pattern(3, 10_000));
    let agent = read(image, "/agent");
    let is_new = agent == pattern(4, NEW);
    assert!(is_new || agent == pattern(2, OLD), "an agent of {} bytes that is neither old nor new", agent.len());
    is_new
}

/// Has e2fsck repair the image; its exit code may say that it did.
fn repair(image: &Path, how: &str) {
    let output = e2fsck(&[how], image);
    assert!(matches!(output.status.code(), Some(0 | 1)), "e2fsck {how}: {}", text(&output));
    assert_fsck_is_silent(image);
}

/// Plays every stop; each must give one of the two agents, and one after the other when the writes come in their order.
fn assert_safe(image: &Image, journal: Journal) {
    let events = record(image);
    assert!(is_new(&stopped(image, &events)));
    let mut newest = false;
    for (number, stop) in stops(&events, 12, 42).iter().enumerate() {
        let copy = stopped(image, stop);
        let opened = Editor::open(&File::open(&copy).unwrap()).map(drop);
        let before_repair = opened.is_ok().then(|| is_new(&copy));
        if journal == Journal::None {
            repair(&copy, "-fy")
        } else {
            repair(&copy, "-p")
        }
        let after_repair = is_new(&copy);
        assert!(before_repair.is_none_or(|before| before == after_repair), "what opens needs no repair: {number}");
        if number <= events.len() {
            assert!(after_repair || !newest, "the old agent comes back at stop {number}");
            newest = after_repair;
        }
    }
    assert!(newest);
}

#[test]
fn with_a_journal() {
    assert_safe(&image(Journal::Usual), Journal::Usual);
}

#[test]
fn without_a_journal() {
    assert_safe(&image(Journal::None), Journal::None);
}

#[test]
fn in_groups_that_growth_brought() {
    for journal in [Journal::Usual, Journal::None] {
        assert_safe(&grown(journal), journal);
    }
}

#[test]
fn the_kernel_replays_it() {
    if !kernel::is_available() {
        return;
    }
    let image = image(Journal::Usual);
    let events = record(&image);
    let mut seen = [0, 0];
    for stop in stops(&events, 4, 7) {
        let copy = stopped(&image, &stop);
        let mount = Mount::new(&copy, Access::ReadWrite).unwrap();
        let agent = fs::read(mount.path().join("agent")).unwrap();
        fs::write(mount.path().join("after"), pattern(5, 100_000)).unwrap();
        mount.unmount().unwrap();
        assert_fsck_is_silent(&copy);
        let is_new = is_new(&copy);
        assert!(agent == if is_new { pattern(4, NEW) } else { pattern(2, OLD) });
        seen[usize::from(is_new)] += 1;
    }
    assert!(seen.iter().all(|count| *count > 5), "{seen:?}");
}

/// The stop right after the commit, before anything is in its place.
fn committed(events: &[Event]) -> &[Event] {
    let syncs: Vec<usize> = (0..events.len()).filter(|at| matches!(events[*at], Event::Sync)).collect();
    &events[..=syncs[1]]
}

#[test]
fn a_damaged_transaction_is_not_replayed() {
    let image = image(Journal::Usual);
    let events = record(&image);
    let committed = committed(&events);
    let copy = stopped(&image, committed);
    repair(&copy, "-p");
    assert!(is_new(&copy), "the whole transaction is replayed");

    // The log: all that was written with the blocks' own magic, up to the commit block.
    let magic = 0xC03B_3998_u32.to_be_bytes();
    let mut log = committed.iter().filter_map(|event| match event {
        Event::Write { offset, bytes } if bytes.len() == 4096 && bytes.starts_with(&magic) => Some(*offset),
        _ => None,
    });
    let (descriptor, commit) = (log.next().unwrap(), log.next().unwrap());
    assert!(commit > descriptor + 4096);
    // A byte of the commit block's checksum: as if there were no transaction. One of a descriptor's tag: the same, and
    // e2fsck says why. One of the first block: the others are replayed, and e2fsck says why that is not.
    let damages = [(commit + 16, false, false), (descriptor + 12, true, false), (descriptor + 4096 + 1024, true, true)];
    for (place, is_told, is_replayed) in damages {
        let copy = stopped(&image, committed);
        support::flip_byte(&copy, place);
        let said = text(&e2fsck(&["-fy"], &copy));
        assert_eq!(said.contains("Journal checksum error found"), is_told, "byte {place:#x}: {said}");
        assert_eq!(is_new(&copy), is_replayed, "byte {place:#x}: {said}");
    }
}
