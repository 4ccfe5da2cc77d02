//! Damaged file systems: reading them ends with what is there or with an error, and never goes on for ever.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use nex_ext4::ReadAt;
use nex_ext4::reader::{Budget, Checksums, Error, Options, Reader};

use crate::tree::{Wishes, debugfs, mke2fs, open, populate, read_all};

/// Numbers by xorshift, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % end as u64) as usize
    }
}

/// An image in memory, which is sparse: only the blocks with something in them are kept.
struct Sparse<'a> {
    below: &'a [u8],
    changes: Vec<(u64, u8)>,
}

impl ReadAt for Sparse<'_> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.below.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let range = offset as usize..(offset as usize).saturating_add(bytes.len());
        bytes.copy_from_slice(self.below.get(range).ok_or(io::ErrorKind::UnexpectedEof)?);
        for (place, byte) in &self.changes {
            if let Some(changed) = place.checked_sub(offset).and_then(|at| bytes.get_mut(at as usize)) {
                *changed = *byte;
            }
        }
        Ok(())
    }
}

/// An image of a small tree, and where its metadata is.
fn image(options: &[&str]) -> (Vec<u8>, Vec<u64>) {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    let wishes = Wishes { names: 200, longest_value: 300, longest_target: 900, far_times: false };
    populate(&source, wishes).unwrap();
    fs::remove_file(source.join("far")).unwrap();
    let image = directory.path().join("image");
    let mut command = std::process::Command::new("mke2fs");
    command.args(["-q", "-F", "-t", "ext4", "-b", "1024", "-N", "600"]).args(options).arg("-d").arg(&source);
    nex_testkit::command::run(command.arg(&image).arg("24M")).unwrap();
    let bytes = fs::read(&image).unwrap();
    // The content of files is the pattern of `tree.rs`, which has no zeros; metadata has.
    let is_metadata = |block: &[u8]| block.contains(&0) && block.iter().any(|byte| *byte != 0);
    let places = (0..).step_by(1024).zip(bytes.chunks_exact(1024)).filter(|(_, block)| is_metadata(block));
    let places = places.map(|(at, _)| at).collect();
    (bytes, places)
}

/// Reads as much as there is, and asks for each name in the ways that there are.
fn use_it(storage: &Sparse<'_>, checksums: Checksums) -> Result<(), Error> {
    let budget = Budget { bytes: 64 << 20, structures: 40_000, names: 100_000, listed: 8 << 20 };
    let reader = Reader::open(storage, Options { checksums, budget, ..Options::default() })?;
    for path in [&b"/deep/er/and/deeper/file"[..], b"/link of 1", b"/many/../short/7", b"/holes"] {
        reader.stat(path)?;
        reader.canonical(path)?;
    }
    read_all(&reader).map(drop)
}

#[test]
fn any_byte_may_be_wrong() {
    if !nex_testkit::places::is_root() {
        return;
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for options in [
        &["-O", "^metadata_csum"][..],
        &["-O", "^metadata_csum,^extent,^64bit,^flex_bg,uninit_bg"],
        &["-O", "^metadata_csum,inline_data,ea_inode,casefold,^resize_inode,meta_bg", "-g", "2048"],
        &["-O", "metadata_csum"],
    ] {
        let (bytes, places) = image(options);
        use_it(&Sparse { below: &bytes, changes: Vec::new() }, Checksums::Required).unwrap();
        let has_checksums = options == ["-O", "metadata_csum"];
        let (mut refused, rounds) = (0, 150);
        for round in 0..rounds {
            let count = 1 + random.below(3);
            let change = |_| {
                let place = places[random.below(places.len())] + random.below(1024) as u64;
                let byte = [0, 1, 0x7f, 0x80, 0xff, random.below(256) as u8][random.below(6)];
                (place, byte)
            };
            let damaged = Sparse { below: &bytes, changes: (0..count).map(change).collect() };
            let started = Instant::now();
            let checksums = if round % 2 == 0 { Checksums::Noted } else { Checksums::Required };
            refused += usize::from(use_it(&damaged, checksums).is_err());
            let took = started.elapsed();
            assert!(took < Duration::from_secs(20), "{options:?}: {took:?} for {:?}", damaged.changes);
        }
        assert!(refused > rounds / 30, "{options:?}: {refused} of {rounds} refused");
        assert!(!has_checksums || refused > rounds / 10, "{options:?}: {refused} of {rounds} refused");
    }
}

/// A small image with a directory, a file and a link.
fn small(directory: &Path, options: &[&str]) -> std::path::PathBuf {
    let (source, image) = (directory.join("source"), directory.join("image"));
    fs::create_dir_all(source.join("directory")).unwrap();
    fs::write(source.join("directory/file"), b"content").unwrap();
    fs::write(source.join("large"), crate::tree::pattern(3, 300_000)).unwrap();
    mke2fs(&image, options, Some(&source));
    image
}

#[test]
fn a_wrong_checksum_is_refused_or_noted_as_the_caller_likes() {
    let directory = tempfile::tempdir().unwrap();
    let image = small(directory.path(), &[]);
    debugfs(&image, "set_inode_field /directory/file checksum 0x1234");
    let error = open(&image).unwrap().stat(b"/directory/file").unwrap_err();
    assert!(matches!(error, Error::Checksum { .. }), "{error}");
    assert!(open(&image).unwrap().stat(b"/directory").unwrap().is_some());
    let noted = Options { checksums: Checksums::Noted, ..Options::default() };
    let reader = Reader::open(File::open(&image).unwrap(), noted).unwrap();
    let file = reader.stat(b"/directory/file").unwrap().unwrap();
    assert_eq!(reader.content(&file, 100).unwrap(), b"content");
    assert_eq!(reader.doubts(), [format!("inode {}", file.number)]);
}

#[test]
fn a_map_that_leads_to_itself_or_out_of_the_file_system_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let image = small(directory.path(), &["-O", "^extent,^64bit,^metadata_csum", "-b", "1024"]);
    let reader = open(&image).unwrap();
    let large = reader.stat(b"/large").unwrap().unwrap();
    let told = crate::support::debugfs(&image, "stat /large");
    let (_, place) = told.split_once("(IND):").unwrap();
    let place: u64 = place.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    for value in [place as u32, u32::MAX, 262_144, 1] {
        let file = File::options().write(true).open(&image).unwrap();
        let bytes: Vec<u8> = (0..256).flat_map(|_| value.to_le_bytes()).collect();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, place * 1024).unwrap();
        match reader.content(&large, u64::MAX) {
            // Its own block is as good as any.
            Ok(content) => assert_eq!((content.len(), value), (300_000, place as u32)),
            Err(error) => assert!(error.to_string().contains("block map"), "{error}"),
        }
    }
}
