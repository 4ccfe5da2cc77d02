//! The ext4 reader on damaged images: whatever the bytes are, reading ends within the budget.
//!
//! An input names an image, damages it byte by byte, and says what a wrong checksum does. Images of ours get right checksums
//! again; those of mke2fs have none, and forms that ours do not have.

#![no_main]

use std::collections::HashSet;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use nex_ext4::FileType;
use nex_ext4::reader::{Budget, Checksums, Error, Inode, Options, Reader, Recovery};
use nex_fuzz::foreign_image::{self, Foreign};
use nex_fuzz::guest_image::{GUESTS, image};
use nex_fuzz::memory::Memory;
use nex_fuzz::pieces::Base;
use nex_fuzz::place;

/// Far more than the sound images need.
const BUDGET: Budget = Budget { bytes: 64 << 20, structures: 30_000, names: 60_000, listed: 4 << 20 };

/// As much of a file is read at once.
const PIECE: usize = 10_000;

/// The bit of the first byte that says that wrong checksums are noted only.
const NOTED: u8 = 0x80;

fuzz_target!(|data: &[u8]| {
    static OURS: OnceLock<Vec<Base>> = OnceLock::new();
    static FOREIGN: OnceLock<Vec<Foreign>> = OnceLock::new();
    let ours = OURS.get_or_init(|| (0..GUESTS).map(|guest| Base::new(&image(guest))).collect());
    let foreign = FOREIGN.get_or_init(|| (0..foreign_image::COUNT).map(Foreign::new).collect());
    let Some((choice, changes)) = data.split_first() else { return };
    let number = usize::from(choice & !NOTED) % (GUESTS + foreign_image::COUNT);
    let storage = match ours.get(number) {
        Some(base) => base.damaged(changes),
        None => foreign[number - GUESTS].damaged(changes),
    };
    let checksums = if choice & NOTED != 0 { Checksums::Noted } else { Checksums::Required };
    match read(&storage, checksums) {
        Ok(doubts) => doubts.iter().for_each(|doubt| place::check_text(doubt)),
        Err(error) => {
            place::check_message(&error);
            assert!(changes.len() >= nex_fuzz::pieces::CHANGE, "a sound image is refused: {error}");
        }
    }
});

/// Reads everything that there is.
fn read(storage: &Memory, checksums: Checksums) -> Result<Vec<String>, Error> {
    let reader = Reader::open(storage, Options { checksums, budget: BUDGET, ..Options::default() })?;
    if let Recovery::Failed(error) = reader.recovery() {
        place::check_message(error);
    }
    for path in [&b"/link"[..], b"/directory/long link", b"/sbin/init", b"/etc/../etc/passwd", b"/nothing"] {
        reader.stat(path)?;
        reader.canonical(path)?;
    }
    let mut seen = HashSet::new();
    let mut directories: Vec<Inode> = reader.stat(b"/")?.into_iter().collect();
    while let Some(directory) = directories.pop() {
        for entry in reader.list(&directory)? {
            reader.lookup(&directory, &entry.name)?;
            if !seen.insert(entry.inode) {
                continue;
            }
            let inode = reader.inode(entry.inode)?;
            reader.xattrs(&inode)?;
            match inode.file_type {
                FileType::Directory => directories.push(inode),
                FileType::Symlink => assert!(!reader.read_link(&inode)?.is_empty()),
                FileType::Regular => read_file(&reader, &inode)?,
                _ => {}
            }
        }
    }
    Ok(reader.doubts())
}

/// The start and the end of a file, and something in between: of a sparse one nobody reads a tebibyte.
fn read_file(reader: &Reader<&Memory>, file: &Inode) -> Result<(), Error> {
    let mut buffer = vec![0; PIECE];
    for offset in [0, file.size / 2, file.size.saturating_sub(PIECE as u64), file.size] {
        let count = reader.read(file, offset, &mut buffer)?;
        let left = file.size - offset;
        assert!(count as u64 == left.min(PIECE as u64), "{count} bytes of {left}");
    }
    Ok(())
}
