//! Growth that cannot be, or that its host has no room for: the file stays what it was.

mod support;

use std::fs::File;

use nex_ext4::{Editor, Layout, ReadAt, Size, Sizes, Storage};
use support::growth::{assert_content, image, open, prepared};
use support::{Builder, GIB, Image, MIB, assert_fsck_is_silent, said};

#[test]
fn what_cannot_grow_is_refused_and_stays() {
    let image = prepared(150 * MIB);
    let dense = Sizes { inodes: Some(65_536), ..Size::Exact(150 * MIB).into() };
    let dense = Builder::new(&Layout::default()).finish(dense);
    let refusal = |image: &Image, size: u64| {
        let before = image.bytes();
        let error = Editor::open(&open(&image.path())).and_then(|existing| existing.grow(size)).unwrap_err();
        assert!(image.bytes() == before, "{error}");
        said(&error)
    };
    assert_eq!(
        refusal(&image, 64 * MIB),
        "the file system has 157286400 bytes already, and it cannot shrink to 67108864; ask for more, or make it anew"
    );
    assert_eq!(
        refusal(&image, 17 << 40),
        "the file system can grow to 17592186044416 bytes, and not to 18691697672192; ask for that or less"
    );
    assert_eq!(
        refusal(&dense, 16 << 40),
        "the file system can grow to 17592051826688 bytes, and not to 17592186044416; ask for that or less"
    );
    let length = 100 * MIB;
    open(&image.path()).set_len(length).unwrap();
    assert!(refusal(&image, GIB).starts_with("the file is cut off: it has 104857600 bytes"));
}

/// A host that has room for so many writes.
struct Full {
    file: File,
    room: std::cell::Cell<usize>,
}

impl ReadAt for Full {
    fn size(&self) -> std::io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
        ReadAt::read_at(&self.file, bytes, offset)
    }
}

impl Storage for Full {
    fn write_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        let left = self.room.get().checked_sub(1).ok_or(std::io::ErrorKind::StorageFull)?;
        self.room.set(left);
        Storage::write_at(&self.file, bytes, offset)
    }

    fn punch(&self, offset: u64, length: u64) -> std::io::Result<()> {
        self.file.punch(offset, length)
    }

    fn resize(&self, size: u64) -> std::io::Result<()> {
        self.file.resize(size)
    }

    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_host_without_room_leaves_the_old_size() {
    for max_size in [0, 64 * GIB] {
        let image = image(150 * MIB, max_size);
        // Room is found before the change is decided: what fails first are the new blocks, the old ones, or the journal.
        for room in [0, 1, 5, 12] {
            let copy = image.copy();
            let full = Full { file: open(&copy), room: room.into() };
            let error = Editor::open(&full).unwrap().grow(9 * GIB).unwrap_err();
            assert!(said(&error).contains("no storage space"), "{error:?}");
            assert_eq!(copy.metadata().unwrap().len(), 150 * MIB);
            assert_fsck_is_silent(&copy);
            assert_content(&copy);
        }
    }
}
