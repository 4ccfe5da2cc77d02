//! Tars of somebody who wants to write elsewhere, or to keep the reader busy.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use nex_tar::{Device, END, FileContent, Header, Kind, Metadata, Time, Xattr, encode, padding};
use nex_tree::{LeftOut, UnpackOptions};
use tempfile::TempDir;

use crate::support::{code, copy, left_out, unpacked};

fn entry(path: &[u8], kind: Kind) -> Vec<u8> {
    let time = Time { seconds: 1_700_000_000, nanoseconds: 0 };
    let metadata = Metadata { mode: 0o7755, uid: 0, gid: 0, time };
    let content: &[u8] = if kind == Kind::File { b"evil" } else { b"" };
    let header = Header { path: path.to_vec(), kind, metadata, xattrs: Vec::new() };
    let mut bytes = encode(&header, FileContent::Whole(content.len() as u64)).unwrap();
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(padding(content.len() as u64));
    bytes
}

fn file(path: &str) -> Vec<u8> {
    entry(path.as_bytes(), Kind::File)
}

fn directory(path: &str) -> Vec<u8> {
    entry(path.as_bytes(), Kind::Directory)
}

fn link(path: &str, target: &str) -> Vec<u8> {
    entry(path.as_bytes(), Kind::Symlink(target.into()))
}

fn hard(path: &str, target: &str) -> Vec<u8> {
    entry(path.as_bytes(), Kind::HardLink(target.into()))
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), END.to_vec()].concat()
}

/// A destination beside something that must stay as it is.
fn world() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("to")).unwrap();
    fs::create_dir(place.path().join("outside")).unwrap();
    fs::write(place.path().join("outside/secret"), "secret").unwrap();
    place
}

fn is_untouched(place: &TempDir) -> bool {
    let outside = place.path().join("outside");
    let metadata = fs::metadata(outside.join("secret")).unwrap();
    let names = fs::read_dir(place.path()).unwrap().count();
    fs::read(outside.join("secret")).unwrap() == b"secret"
        && metadata.nlink() == 1
        && fs::read_dir(&outside).unwrap().count() == 1
        && names == 2
}

#[test]
fn nothing_is_written_outside() {
    let out = || link("d/out", "../../outside");
    for (what, entries, expected) in [
        ("a name that goes up", vec![directory("d"), file("d/../../outside/new")], "copy-outside"),
        ("a root that goes up", vec![file("../new")], "copy-outside"),
        ("a link of the tar as a directory", vec![directory("d"), out(), file("d/out/new")], "copy-destination"),
        ("a directory over a link of the tar", vec![directory("d"), out(), directory("d/out")], "copy-destination"),
        ("a hard link through a link", vec![directory("d"), out(), hard("d/x", "d/out/secret")], "copy-destination"),
        ("a hard link that goes up", vec![directory("d"), hard("d/x", "d/../../outside/secret")], "copy-outside"),
        ("a hard link elsewhere", vec![directory("d"), hard("d/x", "outside/secret")], "copy-outside"),
        ("a hard link to nothing", vec![directory("d"), hard("d/x", "d/missing")], "copy-system"),
        ("a second tree", vec![directory("d"), file("e")], "copy-outside"),
        ("a root of two names", vec![file("d/e")], "copy-outside"),
        ("a file as the content of a directory", vec![file("./")], "copy-outside"),
        ("a name below a file", vec![file("d"), file("d/x")], "copy-destination"),
        ("a file over a directory", vec![directory("d"), directory("d/x"), file("d/x")], "copy-destination"),
        ("a hard link to a directory", vec![directory("d"), directory("d/y"), hard("d/x", "d/y")], "copy-destination"),
        (
            "a zero byte",
            vec![directory("d"), entry(&[b"d/".as_slice(), &[b'n'; 120], b"\0x"].concat(), Kind::File)],
            "copy-system",
        ),
        ("a name that is too long", vec![directory("d"), file(&format!("d/{}", "n".repeat(256)))], "copy-system"),
    ] {
        let place = world();
        assert_eq!(code(copy(&tar(&entries), &place.path().join("to"))), expected, "{what}");
        assert!(is_untouched(&place), "{what}");
    }
}

#[test]
fn a_copy_is_of_what_was_asked_for() {
    let to = |asked: &str, entries: &[Vec<u8>]| {
        let place = world();
        let root = nex_tree::root_name(Path::new(asked));
        let options = UnpackOptions { place: nex_tree::Place::Copy, root: Some(root), ..UnpackOptions::default() };
        let result = unpacked(&tar(entries), &place.path().join("to"), options);
        assert!(is_untouched(&place));
        result.map(|_| fs::read_dir(place.path().join("to")).unwrap().count())
    };
    for asked in ["/etc/hosts", "etc/hosts/", "hosts"] {
        assert_eq!(to(asked, &[file("hosts")]).unwrap(), 1, "{asked}");
        for other in [".bashrc", "./", "host", "hosts2"] {
            let kind = if other == "./" { directory(other) } else { file(other) };
            assert!(to(asked, &[kind]).is_err(), "{asked}: {other}");
        }
    }
    for asked in ["/", "/.", "/etc/.", "..", "/etc/./"] {
        assert_eq!(to(asked, &[directory("./"), file("./x")]).unwrap(), 1, "{asked}");
        assert!(to(asked, &[directory("etc"), file("etc/x")]).is_err(), "{asked}");
    }
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced() {
    let place = world();
    let to = place.path().join("to");
    symlink("../outside/secret", to.join("file")).unwrap();
    copy(&tar(&[file("file")]), &to).unwrap();
    // One of the tar is, too.
    let twice = [directory("d"), link("d/x", "../../outside/secret"), file("d/x")];
    copy(&tar(&twice), &to).unwrap();
    assert_eq!(fs::read(to.join("d/x")).unwrap(), b"evil");
    assert!(is_untouched(&place));
}

#[test]
fn nothing_goes_through_a_link_that_was_there() {
    let place = world();
    symlink("../outside", place.path().join("to/d")).unwrap();
    for entries in
        [vec![directory("d")], vec![directory("./"), file("d/new")], vec![directory("./"), hard("x", "d/secret")]]
    {
        assert_eq!(code(copy(&tar(&entries), &place.path().join("to"))), "copy-destination");
        assert!(is_untouched(&place));
    }
}

#[test]
fn absolute_names_are_below_the_destination() {
    let place = world();
    let absolute = format!("{}/outside/secret", place.path().display());
    unpacked(&tar(&[file(&absolute)]), &place.path().join("to"), UnpackOptions::default()).unwrap();
    let below = place.path().join("to").join(absolute.trim_start_matches('/'));
    assert_eq!(fs::read(below).unwrap(), b"evil");
    assert!(is_untouched(&place));
}

#[test]
fn devices_and_the_rights_of_others_stay_away() {
    let place = world();
    let device = Device { major: 8, minor: 0 };
    let entries = [
        directory("d"),
        entry(b"d/disk", Kind::BlockDevice(device)),
        entry(b"d/tty", Kind::CharacterDevice(device)),
        file("d/root-shell"),
        entry(b"d/fifo", Kind::Fifo),
    ];
    let to = place.path().join("to");
    let notes = copy(&tar(&entries), &to).unwrap();
    assert_eq!(left_out(&notes), [("d/disk", &LeftOut::Device), ("d/tty", &LeftOut::Device)]);
    assert_eq!(fs::metadata(to.join("d/root-shell")).unwrap().mode() & 0o7777, 0o1755);
    assert_eq!(fs::read_dir(to.join("d")).unwrap().count(), 2);
}

#[test]
fn any_depth_takes_few_open_files() {
    const DEPTH: usize = 2000;
    let place = world();
    let deep = vec!["d"; DEPTH].join("/");
    let mut entries = vec![directory("d"), file(&format!("{deep}/file")), file("d/file")];
    // Back and forth, which costs no more than the way.
    entries.extend((1..20).map(|level| file(&format!("{}/again", vec!["d"; level * 100].join("/")))));
    let old = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let few = rustix::process::Rlimit { current: Some(256), maximum: old.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, few).unwrap();
    let to = place.path().join("to");
    copy(&tar(&entries), &to).unwrap();
    let mut packed = Vec::new();
    let mut notes = nex_tree::Notes::default();
    nex_tree::pack(&to.join("d"), nex_tree::PackOptions::default(), &mut packed, &mut notes).unwrap();
    rustix::process::setrlimit(rustix::process::Resource::Nofile, old).unwrap();
    assert!(packed.windows(4).any(|bytes| bytes == b"evil"));
    nex_file::remove::contents(fs::File::open(&to).unwrap()).unwrap();
}

#[test]
fn what_a_tar_says_of_directories_does_not_wait_in_memory() {
    let place = world();
    let deep = vec!["d"; 5000].join("/");
    let to = place.path().join("to");
    assert_eq!(code(copy(&tar(&[directory("d"), file(&format!("{deep}/file"))]), &to)), "copy-destination");

    let probe = rustix::fs::setxattr(&to, "user.probe", b"1", rustix::fs::XattrFlags::empty());
    if probe.is_err() {
        eprintln!("LEFT OUT: extended attributes: the directory of this test has none");
        return;
    }
    let time = Time { seconds: 0, nanoseconds: 0 };
    let metadata = Metadata { mode: 0o500, uid: 0, gid: 0, time };
    let xattrs = vec![Xattr { name: b"user.early".to_vec(), value: b"1".to_vec() }];
    let header = Header { path: b"e".to_vec(), kind: Kind::Directory, metadata, xattrs };
    let directory = encode(&header, FileContent::Whole(0)).unwrap();
    let cut = [&directory[..], &file("e/file")[..100]].concat();
    assert_eq!(code(copy(&cut, &to)), "tar-damaged");
    let mut value = [0; 8];
    assert_eq!(rustix::fs::getxattr(to.join("e"), "user.early", &mut value), Ok(1));
    assert_eq!(&value[..1], b"1");
    let whole = tar(&[directory, file("e/file")]);
    fs::remove_dir(to.join("e")).unwrap();
    copy(&whole, &to).unwrap();
    assert_eq!(fs::metadata(to.join("e")).unwrap().mode() & 0o7777, 0o500);
}

#[test]
fn a_tar_that_is_cut_or_damaged_is_an_error_and_leaves_no_half_file() {
    let place = world();
    let whole = tar(&[directory("d"), file("d/x"), file("d/y")]);
    for length in [700, 1530, 2600, 3080] {
        let result = copy(&whole[..length.min(whole.len())], &place.path().join("to"));
        assert_eq!(code(result), "tar-damaged", "{length}");
    }
    let mut damaged = whole.clone();
    damaged[1024] ^= 1;
    assert_eq!(code(copy(&damaged, &place.path().join("to"))), "tar-damaged");
    assert_eq!(code(copy(b"\x1f\x8bgzip", &place.path().join("to"))), "tar-damaged");
    for name in ["x", "y"] {
        let content = fs::read(place.path().join("to/d").join(name)).unwrap_or(b"evil".to_vec());
        assert_eq!(content, b"evil", "{name}");
    }
}

#[test]
fn a_file_of_holes_takes_no_room_whatever_its_size() {
    let place = world();
    let map = nex_tar::SparseMap::new(&[], 1 << 42);
    let time = Time { seconds: 0, nanoseconds: 0 };
    let metadata = Metadata { mode: 0o600, uid: 0, gid: 0, time };
    let header = Header { path: b"holes".to_vec(), kind: Kind::File, metadata, xattrs: Vec::new() };
    let mut bytes = encode(&header, FileContent::Sparse(&map)).unwrap();
    bytes.extend_from_slice(map.text());
    bytes.extend_from_slice(&END);
    let to = place.path().join("to");
    match copy(&bytes, &to) {
        Ok(_) => assert_eq!(fs::metadata(to.join("holes")).unwrap().blocks(), 0),
        // No such file fits into this file system.
        Err(_) => assert!(!Path::new(&to.join("holes")).exists()),
    }
}
