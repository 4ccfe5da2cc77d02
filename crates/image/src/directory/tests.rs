//! The walk, judged by GNU tar and by the files themselves.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::{open_root, tar_stream};
use crate::error::LayerError;

fn tar_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let root = open_root(path).map_err(std::io::Error::other)?;
    let mut tar = Vec::new();
    tar_stream(Arc::new(root), path.to_owned()).map_err(std::io::Error::other)?.read_to_end(&mut tar)?;
    Ok(tar)
}

/// A tree with one of everything that an ordinary user can make.
fn make_tree(root: &Path) {
    fs::create_dir_all(root.join("b/deep")).expect("made");
    fs::write(root.join("b/file"), vec![7; 300_001]).expect("made");
    fs::write(root.join("a-empty"), "").expect("made");
    fs::set_permissions(root.join("b/file"), fs::Permissions::from_mode(0o4751)).expect("made");
    fs::hard_link(root.join("b/file"), root.join("a-link")).expect("made");
    symlink("b/../no/where", root.join("sym")).expect("made");
    fs::write(root.join("b/deep").join("n".repeat(200)), "long").expect("made");
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"not-utf8-\xff")), "bytes").expect("made");
    rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .expect("made");
    let time = rustix::fs::Timespec { tv_sec: -2, tv_nsec: 123_456_789 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, root.join("a-empty"), &times, rustix::fs::AtFlags::empty()).expect("set");
}

#[test]
fn gnu_tar_unpacks_the_same_tree() {
    let here = tempfile::tempdir().expect("a directory");
    let (from, to) = (here.path().join("from"), here.path().join("to"));
    make_tree(&from);
    fs::create_dir(&to).expect("made");
    let _socket = UnixListener::bind(from.join("socket")).expect("a socket");
    fs::write(here.path().join("x.tar"), tar_of(&from).expect("a tar")).expect("written");
    let tar = Command::new("tar")
        .args(["--warning=no-timestamp", "-xpf", "x.tar", "-C", "to"])
        .current_dir(&here)
        .output()
        .expect("GNU tar");
    assert!(tar.status.success() && tar.stderr.is_empty(), "{}", String::from_utf8_lossy(&tar.stderr));

    assert!(!to.join("socket").exists());
    fs::remove_file(from.join("socket")).expect("removed");
    let list = |root: &Path| {
        let arguments = [".", "-mindepth", "1", "-printf", "%P %y %m %n %l %T@ %U %G "];
        let kind = ["(", "-type", "d", "-printf", "-\n", "-o", "-printf", "%s\n", ")"];
        let find = Command::new("find").args(arguments).args(kind).current_dir(root).output().expect("find");
        let mut lines: Vec<Vec<u8>> = find.stdout.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
        lines.sort();
        lines
    };
    assert_eq!(list(&from), list(&to));
    assert_eq!(fs::read(from.join("b/file")).expect("read"), fs::read(to.join("b/file")).expect("read"));
    let inode = |name: &str| fs::metadata(to.join(name)).expect("there").ino();
    assert_eq!(inode("b/file"), inode("a-link"));
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let here = tempfile::tempdir().expect("a directory");
    let root = here.path().join("tree");
    make_tree(&root);
    assert!(tar_of(&root).expect("a tar") == tar_of(&root).expect("a tar"));
}

#[test]
fn xattrs_are_kept_sorted() {
    let here = tempfile::tempdir().expect("a directory");
    let file = here.path().join("file");
    fs::write(&file, "").expect("made");
    for (name, value) in [("user.b", &b"2\n3"[..]), ("user.a", b"\0\xff")] {
        if rustix::fs::setxattr(&file, name, value, rustix::fs::XattrFlags::empty()).is_err() {
            eprintln!("left out: this filesystem has no user xattrs");
            return;
        }
    }
    let tar = tar_of(here.path()).expect("a tar");
    let find = |needle: &[u8]| tar.windows(needle.len()).position(|part| part == needle);
    let first = find(b"26 SCHILY.xattr.user.a=\0\xff\n").expect("the first one");
    assert!(find(b"27 SCHILY.xattr.user.b=2\n3\n").expect("the second one") > first);
}

#[test]
fn a_missing_root_and_a_file_as_root_are_errors() {
    let here = tempfile::tempdir().expect("a directory");
    let file = here.path().join("file");
    fs::write(&file, "").expect("made");
    for path in [here.path().join("none"), file] {
        let error = open_root(&path).expect_err("no directory").to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

#[test]
fn an_unreadable_file_is_named() {
    let here = tempfile::tempdir().expect("a directory");
    let file = here.path().join("secret");
    fs::write(&file, "x").expect("made");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("set");
    if fs::File::open(&file).is_ok() {
        eprintln!("left out: root can read everything");
        return;
    }
    let error = tar_of(here.path()).expect_err("an error").downcast::<LayerError>().expect("the typed error");
    assert!(error.to_string().contains("secret"), "{error}");
}
