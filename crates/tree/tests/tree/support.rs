//! What the tests have in common: trees, what is in them, and tars made by hand.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use nex_testkit::fault::parts;
use nex_tree::{LeftOut, Notes, Owners, PackOptions, Place, TreeError, UnpackOptions, pack, unpack};
use rustix::fs::{CWD, FileType, Mode};

/// A tree with one of everything that a caller without rights can make.
pub fn make_tree(root: &Path) {
    let path = |name: &str| root.join(name);
    fs::create_dir_all(path("deep/er")).unwrap();
    fs::write(path("file"), vec![7; 100_000]).unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("deep/program"), "#!/bin/sh\n").unwrap();
    fs::write(path("deep/er").join(OsStr::from_bytes(b"caf\xe9\n")), "not UTF-8").unwrap();
    fs::write(path("deep").join("n".repeat(255)), "long").unwrap();
    fs::hard_link(path("file"), path("deep/hard")).unwrap();
    symlink("../file", path("deep/soft")).unwrap();
    symlink("/nowhere", path("dangling")).unwrap();
    rustix::fs::mknodat(CWD, path("fifo"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    let sparse = fs::File::create(path("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"middle", 32 << 20).unwrap();
    fs::set_permissions(path("deep/program"), fs::Permissions::from_mode(0o751)).unwrap();
    let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, 123_456_789);
    fs::File::options().write(true).open(path("empty")).unwrap().set_modified(time).unwrap();
    fs::set_permissions(path("deep/er"), fs::Permissions::from_mode(0o555)).unwrap();
    for name in ["deep/er", "deep"] {
        fs::File::open(path(name)).unwrap().set_modified(time).unwrap();
    }
}

/// What is in a tree, by path: all that a copy keeps.
pub fn look(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let (mut found, mut ahead) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(path) = ahead.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let relative = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        let kind = metadata.file_type();
        let what = if kind.is_dir() {
            ahead.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            "directory".to_owned()
        } else if kind.is_symlink() {
            format!("link to {:?}", fs::read_link(&path).unwrap())
        } else if kind.is_file() {
            let content = fs::read(&path).unwrap();
            let sum = content.iter().fold(0u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            format!("file of {} bytes, sum {sum}", content.len())
        } else if kind.is_fifo() {
            "fifo".to_owned()
        } else {
            format!("device {}", metadata.rdev())
        };
        let links = if metadata.nlink() > 1 && !kind.is_dir() {
            format!(", links {}", metadata.nlink())
        } else {
            String::new()
        };
        let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
        let time = format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec());
        let mode = if kind.is_symlink() { 0 } else { mode };
        found.insert(relative, format!("{what} {mode:o} {uid}:{gid} {time}{links}"));
    }
    found
}

/// Packs a path.
pub fn packed(path: &Path) -> (Vec<u8>, Notes) {
    let (mut tar, mut notes) = (Vec::new(), Notes::default());
    pack(path, PackOptions::default(), &mut tar, &mut notes).unwrap();
    (tar, notes)
}

/// Unpacks a tar as a copy.
pub fn copy(tar: &[u8], to: &Path) -> Result<Notes, TreeError> {
    unpacked(tar, to, UnpackOptions { place: Place::Copy, ..UnpackOptions::default() })
}

pub fn unpacked(tar: &[u8], to: &Path, options: UnpackOptions<'_>) -> Result<Notes, TreeError> {
    let mut notes = Notes::default();
    unpack(&mut &tar[..], to, options, &mut notes).map(|()| notes)
}

/// With owners, as root.
pub fn kept() -> UnpackOptions<'static> {
    UnpackOptions { place: Place::Copy, owners: Owners::Kept, ..UnpackOptions::default() }
}

/// The code of an error.
pub fn code(result: Result<Notes, TreeError>) -> &'static str {
    match result {
        Ok(notes) => panic!("no error, but {notes:?}"),
        Err(error) => parts(&error).1,
    }
}

/// What the notes are about.
pub fn left_out(notes: &Notes) -> Vec<(&str, &LeftOut)> {
    notes.kept().iter().map(|note| (&*note.place, &note.what)).collect()
}

/// Runs a program, with input; `None`, with a note, where it is not installed.
pub fn run(program: &str, arguments: &[&str], directory: &Path, input: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("LEFT OUT: {program} is not installed");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}
