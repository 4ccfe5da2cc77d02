//! The walk, judged by GNU tar and by the files themselves.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::{open_root, tar_stream};
use crate::error::{Error, LayerError};
use crate::limits::TREE_LEVELS;

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
fn holes_stay_holes_and_gnu_tar_knows_them() {
    const SIZE: u64 = 10 << 30;
    let here = tempfile::tempdir().expect("a directory");
    let (from, to) = (here.path().join("from"), here.path().join("to"));
    fs::create_dir(&from).expect("made");
    fs::create_dir(&to).expect("made");
    let make = |name: &str, size: u64, runs: &[(u64, &[u8])]| {
        let file = fs::File::create(from.join(name)).expect("made");
        file.set_len(size).expect("holes");
        runs.iter().for_each(|(place, bytes)| file.write_all_at(bytes, *place).expect("written"));
    };
    let long = "n".repeat(150);
    make("large", SIZE, &[(1 << 20, b"here"), (SIZE - 3, b"end")]);
    make(&long, 1 << 20, &[(0, b"start")]);
    make("empty", 1 << 20, &[]);
    make("odd", (1 << 20) + 1234, &[(1 << 20, &[7; 1234])]);
    if fs::metadata(from.join("large")).expect("there").blocks() > 1 << 20 {
        eprintln!("left out: this file system knows no holes");
        return;
    }
    let tar = tar_of(&from).expect("a tar");
    assert!(tar.len() < 100 << 10, "{} bytes", tar.len());
    fs::write(here.path().join("x.tar"), tar).expect("written");
    let tar = Command::new("tar").args(["-xpf", "x.tar", "-C", "to"]).current_dir(&here).output().expect("GNU tar");
    assert!(tar.status.success() && tar.stderr.is_empty(), "{}", String::from_utf8_lossy(&tar.stderr));
    for name in ["large", long.as_str(), "empty", "odd"] {
        let (own, other) =
            (fs::File::open(from.join(name)).expect("open"), fs::File::open(to.join(name)).expect("open"));
        let (metadata, expected) = (other.metadata().expect("there"), own.metadata().expect("there"));
        assert_eq!((metadata.len(), metadata.blocks()), (expected.len(), expected.blocks()), "{name}");
        for place in [0, (1 << 20) - 8, expected.len() - 8] {
            let mut bytes = [[0; 8]; 2];
            own.read_exact_at(&mut bytes[0], place).expect("read");
            other.read_exact_at(&mut bytes[1], place).expect("read");
            assert_eq!(bytes[0], bytes[1], "{name} at {place}");
        }
    }
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

/// A tree that may be too deep for the standard library: its paths are, and its way to remove it.
struct DeepTree(tempfile::TempDir);

impl DeepTree {
    /// Directories `d` inside one another; with each, a file `z` that comes after it.
    fn new(levels: usize) -> DeepTree {
        let here = tempfile::tempdir().expect("a directory");
        let mut at = open_root(here.path()).expect("a handle");
        for _ in 0..levels {
            let file = OFlags::CREATE | OFlags::WRONLY;
            rustix::fs::openat(&at, "z", file, Mode::RUSR).expect("a file");
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).expect("a directory");
            at = rustix::fs::openat(&at, "d", OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).expect("a handle");
        }
        DeepTree(here)
    }
}

impl Drop for DeepTree {
    fn drop(&mut self) {
        let removed = Command::new("rm").arg("-rf").arg(self.0.path()).status().expect("rm");
        assert!(removed.success(), "{removed}");
    }
}

#[test]
fn a_tree_of_as_many_levels_as_allowed_is_walked() {
    let tree = DeepTree::new(TREE_LEVELS);
    let archive = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&archive, tar_of(tree.0.path()).expect("a tar")).expect("written");
    let tar = Command::new("tar").arg("-tf").arg(archive.path()).output().expect("GNU tar");
    assert!(tar.status.success(), "{}", String::from_utf8_lossy(&tar.stderr));

    let directories = (1..=TREE_LEVELS).map(|level| "d/".repeat(level));
    let files = (0..TREE_LEVELS).rev().map(|level| "d/".repeat(level) + "z");
    let expected: Vec<String> = ["./".to_owned()].into_iter().chain(directories).chain(files).collect();
    let listed = String::from_utf8(tar.stdout).expect("plain names");
    assert!(listed.lines().eq(expected.iter()), "{} names, not {}", listed.lines().count(), expected.len());
}

#[test]
fn a_deep_tree_needs_few_open_files() {
    let this = std::env::current_exe().expect("the test program");
    let test = "directory::tests::a_tree_of_as_many_levels_as_allowed_is_walked";
    let run = Command::new("sh")
        .args(["-c", r#"ulimit -n 64; exec "$@""#, "sh"])
        .arg(this)
        .args(["--exact", test])
        .output()
        .expect("sh");
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn a_tree_that_is_too_deep_is_refused_by_name() {
    let tree = DeepTree::new(TREE_LEVELS + 1);
    let error = tar_of(tree.0.path()).expect_err("too deep").downcast::<LayerError>().expect("the typed error");
    let LayerError::Tree(error) = error else { panic!("{error}") };
    let expected = tree.0.path().join(vec!["d"; TREE_LEVELS + 1].join("/")).display().to_string();
    assert!(matches!(&*error, Error::Limit { what, limit: 2_048, .. } if *what == expected), "{error}");
}

#[test]
fn a_directory_that_is_moved_away_meanwhile_is_noticed() {
    let tree = DeepTree::new(100);
    let root = tree.0.path();
    // More than all buffers hold, so that the walk waits at the bottom until this is read.
    fs::write(root.join("d/".repeat(100)).join("file"), vec![1; 4 << 20]).expect("written");
    let handle = Arc::new(open_root(root).expect("a handle"));
    let mut tar = tar_stream(handle, root.to_owned()).expect("a stream");
    let mut content = vec![0; 1 << 20];
    tar.read_exact(&mut content).expect("the first files");

    let (parent, elsewhere) = (root.join("d/".repeat(10)), tempfile::tempdir_in(root).expect("a directory"));
    fs::rename(parent.join("d"), elsewhere.path().join("d")).expect("moved");
    let error = tar.read_to_end(&mut Vec::new()).expect_err("moved").to_string();
    assert!(error.contains("changed while it was read"), "{error}");
    assert!(error.contains(parent.display().to_string().trim_end_matches('/')), "{error}");
}
