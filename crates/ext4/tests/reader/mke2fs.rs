//! File systems that mke2fs has filled from a tree of this machine, judged by that tree: without root, and with blocks that the
//! kernel of this machine does not mount.

use std::fs;
use std::path::Path;

use nex_testkit::manifest;
use nex_testkit::{host_tree, places};

use crate::tree::{Wishes, mke2fs, open, pattern, populate, read_all};

const WISHES: Wishes = Wishes { names: 1200, longest_value: 500, longest_target: 900, far_times: false };

/// Reads what mke2fs makes of a tree. Versions of it differ in whether they keep nanoseconds.
fn judge(source: &Path, options: &[&str]) {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    mke2fs(&image, options, Some(source));
    let mut expected = manifest::whole_seconds(host_tree::read(source).unwrap());
    let reader = open(&image).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    let found = read_all(&reader).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    let mut found = manifest::whole_seconds(found);
    // The root is mke2fs's own.
    expected.remove(&b""[..]);
    found.remove(&b""[..]);
    manifest::equal(&expected, &found).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    for path in expected.keys() {
        assert!(reader.lstat(path).unwrap().is_some(), "{options:?}: /{}", path.escape_ascii());
    }
}

#[test]
fn what_mke2fs_copies_is_read() {
    if !places::is_root() {
        return;
    }
    let source = tempfile::tempdir().unwrap();
    populate(source.path(), WISHES).unwrap();
    for options in [
        &[][..],
        &["-b", "8192"],
        &["-b", "16384"],
        &["-b", "65536"],
        &["-b", "65536", "-O", "^metadata_csum,^extent,^64bit"],
        &["-O", "inline_data"],
        &["-O", "inline_data", "-I", "512", "-b", "2048"],
        &["-O", "^filetype"],
        &["-O", "^filetype,^metadata_csum"],
        &["-O", "casefold,large_dir,quota,project,verity,encrypt"],
        &["-O", "meta_bg,^resize_inode,^has_journal", "-b", "1024", "-g", "256"],
        &["-O", "bigalloc,meta_bg,^resize_inode", "-b", "1024", "-C", "16384"],
    ] {
        judge(source.path(), options);
    }
}

#[test]
fn files_past_four_gib_are_read_at_any_place() {
    let source = tempfile::tempdir().unwrap();
    let places = [0, (4 << 30) - 5, 4 << 30, (6 << 30) + 12_345];
    let file = fs::File::create(source.path().join("sparse")).unwrap();
    for place in places {
        std::os::unix::fs::FileExt::write_all_at(&file, &pattern(place, 10), place).unwrap();
    }
    for options in [&[][..], &["-O", "^extent,^64bit"], &["-O", "^extent,^64bit,^metadata_csum", "-b", "2048"]] {
        let image = source.path().with_extension("image");
        mke2fs(&image, options, Some(source.path()));
        let reader = open(&image).unwrap();
        let file = reader.stat(b"/sparse").unwrap().unwrap();
        assert_eq!(file.size, (6 << 30) + 12_355);
        for place in places {
            let mut bytes = [7; 30];
            let from = place.saturating_sub(10);
            let count = reader.read(&file, from, &mut bytes).unwrap();
            let start = (place - from) as usize;
            assert_eq!(bytes[start..start + 5], pattern(place, 10)[..5], "{options:?} at {place}");
            assert!(bytes[..start.min(5)].iter().all(|byte| *byte == 0), "{options:?} before {place}");
            assert_eq!(count, if place == places[3] { 20 } else { 30 });
        }
        fs::remove_file(&image).unwrap();
    }
}
