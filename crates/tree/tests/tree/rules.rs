//! The rules of `docker cp`, row by row as its page has them (docs.docker.com/reference/cli/docker/container/cp).

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use nex_tree::{Link, Notes, PackOptions, UnpackOptions, pack};
use tempfile::TempDir;

use crate::support::{code, copy, left_out, packed, unpacked};

/// A file `a/file`, links to both, and a destination with a directory and a file.
fn world() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::create_dir(path("a")).unwrap();
    fs::write(path("a/file"), "new").unwrap();
    symlink("a/file", path("to-file")).unwrap();
    symlink("a", path("to-directory")).unwrap();
    fs::create_dir(path("there")).unwrap();
    fs::write(path("there/old"), "old").unwrap();
    fs::write(path("taken"), "old").unwrap();
    place
}

fn read(place: &TempDir, name: &str) -> String {
    fs::read_to_string(place.path().join(name)).unwrap_or_else(|error| error.kind().to_string())
}

/// Copies in a world of its own.
fn copied(from: &str, to: &str) -> (TempDir, Result<Notes, nex_tree::TreeError>) {
    let place = world();
    let (tar, _) = packed(Path::new(&format!("{}/{from}", place.path().display())));
    let result = copy(&tar, Path::new(&format!("{}/{to}", place.path().display())));
    (place, result)
}

#[test]
fn a_file_gets_the_name_replaces_or_goes_into_a_directory() {
    for (to, at) in [
        ("new", "new"),
        ("taken", "taken"),
        ("there", "there/file"),
        ("there/", "there/file"),
        ("there/.", "there/file"),
    ] {
        let (place, result) = copied("a/file", to);
        result.unwrap();
        assert_eq!(read(&place, at), "new", "{to}");
    }
    assert_eq!(code(copied("a/file", "new/").1), "copy-destination");
    assert_eq!(code(copied("a/file", "missing/new").1), "copy-destination");
    assert_eq!(code(copied("a/file", "taken/").1), "copy-destination");
    assert_eq!(code(copied("a/file", "taken/x").1), "copy-destination");
}

#[test]
fn a_directory_gets_the_name_or_goes_into_a_directory() {
    for (from, to, at) in [
        ("a", "new", "new/file"),
        ("a", "new/", "new/file"),
        ("a/", "new", "new/file"),
        ("a", "there", "there/a/file"),
        ("a/", "there/", "there/a/file"),
        ("a/.", "new", "new/file"),
        ("a/.", "there", "there/file"),
        ("a/../a/.", "there", "there/file"),
        ("to-directory/", "there", "there/to-directory/file"),
        ("to-directory/.", "there", "there/file"),
    ] {
        let (place, result) = copied(from, to);
        result.unwrap();
        assert_eq!(read(&place, at), "new", "{from} to {to}");
        assert_eq!(read(&place, "there/old"), "old");
    }
    for (from, to) in [("a", "taken"), ("a/.", "taken"), ("a", "missing/new")] {
        assert_eq!(code(copied(from, to).1), "copy-destination", "{from} to {to}");
    }
}

#[test]
fn a_file_is_no_directory() {
    let place = world();
    for path in ["a/file/", "a/file/.", "missing", "missing/x"] {
        let path = place.path().join(path);
        let packed = pack(&path, PackOptions::default(), &mut Vec::new(), &mut Notes::default());
        assert_eq!(code(packed.map(|()| Notes::default())), "copy-system", "{}", path.display());
    }
}

#[test]
fn a_link_is_copied_as_one_unless_it_is_to_be_followed() {
    let (place, result) = copied("to-file", "there");
    result.unwrap();
    assert_eq!(fs::read_link(place.path().join("there/to-file")).unwrap(), Path::new("a/file"));
    for (from, at) in [("to-file", "there/to-file"), ("to-directory", "there/to-directory/file")] {
        let (mut tar, mut notes) = (Vec::new(), Notes::default());
        let options = PackOptions { link: Link::Followed, ..PackOptions::default() };
        pack(&place.path().join(from), options, &mut tar, &mut notes).unwrap();
        copy(&tar, &place.path().join("there")).unwrap();
        assert_eq!((read(&place, at), left_out(&notes)), ("new".into(), vec![]));
        assert!(!fs::symlink_metadata(place.path().join("there").join(from)).unwrap().is_symlink());
    }
}

#[test]
fn a_link_at_the_destination_leads_to_the_destination() {
    let place = world();
    let path = |name: &str| place.path().join(name);
    symlink("there", path("alias")).unwrap();
    symlink(path("taken"), path("file-alias")).unwrap();
    symlink("there/made", path("dangling")).unwrap();
    symlink("dangling", path("twice")).unwrap();
    symlink("loop", path("loop")).unwrap();
    symlink("nowhere/x", path("broken")).unwrap();
    let (tar, _) = packed(&path("a/file"));
    for (to, at) in [("alias", "there/file"), ("file-alias", "taken"), ("twice", "there/made")] {
        copy(&tar, &path(to)).unwrap();
        assert_eq!(read(&place, at), "new", "{to}");
        assert!(fs::symlink_metadata(path(to)).unwrap().is_symlink());
    }
    assert_eq!(code(copy(&tar, &path("loop"))), "copy-system");
    assert_eq!(code(copy(&tar, &path("broken"))), "copy-destination");
    let (tar, _) = packed(&path("a/."));
    copy(&tar, &path("alias")).unwrap();
}

#[test]
fn what_is_there_is_replaced_and_not_written_into() {
    let place = world();
    let path = |name: &str| place.path().join(name);
    fs::hard_link(path("taken"), path("other-name")).unwrap();
    let before = fs::metadata(path("there")).unwrap();
    let (tar, _) = packed(&path("a/file"));
    copy(&tar, &path("taken")).unwrap();
    assert_eq!((read(&place, "taken"), read(&place, "other-name")), ("new".into(), "old".into()));
    // A directory that was there keeps what it is.
    let (tar, _) = packed(&path("a"));
    fs::create_dir(path("there/a")).unwrap();
    rustix::fs::chmod(path("there/a"), rustix::fs::Mode::from_raw_mode(0o700)).unwrap();
    copy(&tar, &path("there")).unwrap();
    assert_eq!(fs::metadata(path("there/a")).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(path("there")).unwrap().mode(), before.mode());
    // And what is in the way of another kind stays.
    fs::remove_dir_all(path("there/a")).unwrap();
    for (make, kind) in [(true, "a link"), (false, "a file")] {
        if make {
            symlink(path("a"), path("there/a")).unwrap();
        } else {
            fs::remove_file(path("there/a")).unwrap();
            fs::write(path("there/a"), "old").unwrap();
        }
        assert_eq!(code(copy(&tar, &path("there"))), "copy-destination", "{kind}");
    }
    let (tar, _) = packed(&path("taken"));
    fs::create_dir(path("there/taken")).unwrap();
    assert_eq!(code(copy(&tar, &path("there"))), "copy-destination");
}

#[test]
fn a_tar_of_others_goes_below_a_directory() {
    let place = world();
    let (tar, _) = packed(&place.path().join("a"));
    unpacked(&tar, &place.path().join("there"), UnpackOptions::default()).unwrap();
    assert_eq!(read(&place, "there/a/file"), "new");
    for to in ["taken", "missing"] {
        let result = unpacked(&tar, &place.path().join(to), UnpackOptions::default());
        assert_eq!(code(result), "copy-destination");
    }
    let empty = [0; 1024];
    unpacked(&empty, &place.path().join("there"), UnpackOptions::default()).unwrap();
    assert_eq!(code(copy(&empty, &place.path().join("there"))), "copy-empty");
}

/// Those of /proc say that they are empty.
#[test]
fn a_file_that_does_not_say_how_long_it_is_comes_through_whole() {
    let path = Path::new("/proc/kallsyms");
    let expected = fs::read(path).unwrap_or_default();
    if expected.len() <= 64 << 10 {
        eprintln!("LEFT OUT: long files of /proc: this kernel shows no list of its symbols");
        return;
    }
    let (tar, notes) = packed(path);
    let length = expected.len().min(16 << 20);
    // It stands in front of two records of zeros, and is filled up to a record itself.
    let content = (tar.len() - 1024).checked_sub(length.next_multiple_of(512)).and_then(|start| tar.get(start..));
    assert!(content.is_some_and(|content| content[..length] == expected[..length]), "{} bytes", tar.len());
    assert_eq!(notes.kept().is_empty(), length == expected.len());
}
