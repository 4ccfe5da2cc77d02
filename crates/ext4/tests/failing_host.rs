//! The host fails in the middle of a change: nothing is changed, or the error says how the change is finished.

mod support;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use nex_ext4::{BLOCK_SIZE, EditError, Editor, Journal, Layout, ReadAt, Size, Sizes, Storage, Tree};
use support::{Builder, GIB, Image, MIB, assert_fsck_is_silent, e2fsck, pattern, read, said, text};

const OLD: usize = 300_000;
const NEW: usize = 200_000;

/// A host that refuses what comes after so many writes, or after so many blocks that were holes.
struct Failing {
    file: File,
    writes: Cell<usize>,
    room: Cell<usize>,
    /// Blocks that are no holes any more.
    filled: RefCell<BTreeSet<u64>>,
}

impl Failing {
    fn new(image: &Path, writes: usize, room: usize) -> Self {
        let file = File::options().read(true).write(true).open(image).unwrap();
        Self { file, writes: writes.into(), room: room.into(), filled: RefCell::default() }
    }

    /// A block of zeros is a hole.
    fn is_hole(&self, block: u64) -> io::Result<bool> {
        let mut bytes = [0; BLOCK_SIZE as usize];
        ReadAt::read_at(&self.file, &mut bytes, block * BLOCK_SIZE)?;
        Ok(bytes.iter().all(|byte| *byte == 0) && !self.filled.borrow().contains(&block))
    }
}

fn take(left: &Cell<usize>) -> io::Result<()> {
    left.set(left.get().checked_sub(1).ok_or(ErrorKind::StorageFull)?);
    Ok(())
}

impl ReadAt for Failing {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        ReadAt::read_at(&self.file, bytes, offset)
    }
}

impl Storage for Failing {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        take(&self.writes)?;
        for block in offset / BLOCK_SIZE..(offset + bytes.len() as u64).div_ceil(BLOCK_SIZE) {
            if self.is_hole(block)? {
                take(&self.room)?;
                self.filled.borrow_mut().insert(block);
            }
        }
        Storage::write_at(&self.file, bytes, offset)
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        self.file.punch(offset, length)
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        self.file.resize(size)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn image(size: u64, journal: Journal) -> Image {
    let mut builder = Builder::new(&Layout::default());
    builder.add_file(Tree::ROOT, "agent", &pattern(2, OLD));
    builder.add_file(Tree::ROOT, "behind", &pattern(3, 10_000));
    builder.finish(Sizes { journal, ..Size::Exact(size).into() })
}

fn replace(host: &Failing, new: &[u8]) -> Result<(), EditError> {
    let mut file_system = Editor::open(host)?;
    let mut replacement = file_system.replace(b"/agent", new.len() as u64)?;
    new.chunks(1 << 20).try_for_each(|chunk| replacement.write(chunk))?;
    replacement.commit(None).map(drop)
}

/// What the error advises makes the file system whole; any other error has left it so.
fn follow(image: &Path, error: &EditError) {
    let said = said(error);
    assert!(said.contains("no storage space"), "{said}");
    if matches!(error, EditError::Unfinished { .. }) {
        let how = if said.contains("'e2fsck -p'") { "-p" } else { "-fy" };
        assert!(how == "-p" || said.contains("'e2fsck -f'"), "{said}");
        let output = e2fsck(&[how], image);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{said}: {}", text(&output));
    }
    assert_fsck_is_silent(image);
}

/// Lets each write fail in turn; how often nothing was changed, and how often the change was unfinished.
fn fail_at_each_write(image: &Image, change: impl Fn(&Failing) -> Result<(), EditError>) -> [usize; 2] {
    let mut seen = [0, 0];
    for writes in 0.. {
        let copy = image.copy();
        let Err(error) = change(&Failing::new(&copy, writes, usize::MAX)) else { break };
        let is_unfinished = matches!(error, EditError::Unfinished { .. });
        follow(&copy, &error);
        let agent = read(&copy, "/agent");
        let is_old = agent == pattern(2, OLD);
        assert!(is_old || agent == pattern(4, NEW));
        assert!(is_old || is_unfinished, "the new agent is there, and the error does not say so: {error}");
        if error.to_string().contains("is decided but not finished") {
            assert!(agent == pattern(4, NEW) || copy.metadata().unwrap().len() > 16 * MIB, "{error}");
        }
        seen[usize::from(is_unfinished)] += 1;
    }
    seen
}

#[test]
fn whichever_write_fails_the_error_says_where_the_change_stands() {
    for journal in [Journal::Usual, Journal::None] {
        let image = image(16 * MIB, journal);
        let replaced = fail_at_each_write(&image, |host| replace(host, &pattern(4, NEW)));
        let grown = fail_at_each_write(&image, |host| Editor::open(host)?.grow(300 * MIB).map(drop));
        assert!([replaced, grown].iter().flatten().all(|count| *count > 2), "{replaced:?} {grown:?}");
    }
}

/// The groups of a grown file system have bitmaps that nobody has written: they are holes in the file.
#[test]
fn a_host_without_room_for_the_last_block_says_so_before_the_change_is_decided() {
    let image = image(16 * MIB, Journal::Usual);
    Editor::open(&File::options().read(true).write(true).open(image.path()).unwrap()).unwrap().grow(GIB).unwrap();
    let new = vec![7; 132_000_000];
    let with_room = |room| {
        let copy = image.copy();
        let host = Failing::new(&copy, usize::MAX, room);
        let result = replace(&host, &new);
        let filled = host.filled.borrow().len();
        (copy, result, filled)
    };
    let (copy, result, needed) = with_room(usize::MAX);
    result.unwrap();
    assert_fsck_is_silent(&copy);
    for missing in [1, 2, 3] {
        let (copy, result, _) = with_room(needed - missing);
        let error = result.unwrap_err();
        assert!(!matches!(error, EditError::Unfinished { .. }), "{error}");
        follow(&copy, &error);
        assert!(read(&copy, "/agent") == pattern(2, OLD));
    }
}
