//! The agent under the names by which it packs and unpacks tars, as a host has it started.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const AGENT: &str = env!("CARGO_BIN_EXE_nex-agent");

fn role(name: &str, path: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(AGENT);
    command.arg0(name).arg(path).args(options).env_clear().stderr(Stdio::piped());
    command
}

/// Packs one path and unpacks it at another, over a pipe, and gives both ends.
fn copied(from: &Path, to: &Path, options: &[&str]) -> (Child, Child) {
    let mut out = role("nex-tar-out", from, &[]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let tar = out.stdout.take().unwrap();
    (out, role("nex-tar-in", to, options).stdin(tar).stdout(Stdio::null()).spawn().unwrap())
}

fn said(child: Child) -> (bool, String) {
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    (status.code() == Some(0), String::from_utf8(stderr).unwrap())
}

/// The most memory that a process has had, in bytes.
fn peak(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

#[test]
fn what_goes_out_comes_in_and_notes_are_lines() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::create_dir(path("from")).unwrap();
    fs::write(path("from/program"), "x").unwrap();
    fs::set_permissions(path("from/program"), fs::Permissions::from_mode(0o750)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path("from/socket")).unwrap();
    let (out, into) = copied(&path("from"), &path("new"), &["copy"]);
    assert_eq!(said(into), (true, String::new()));
    assert_eq!(said(out), (true, "'from/socket' is a socket and is left out\n".to_owned()));
    assert_eq!(fs::metadata(path("new/program")).unwrap().mode() & 0o7777, 0o750);

    let (out, into) = copied(&path("missing"), &path("new"), &["copy"]);
    let missing = format!("cannot open '{}': No such file or directory (os error 2)\n", path("missing").display());
    assert_eq!(said(out), (false, missing));
    let empty = format!("cannot write '{}': the tar is empty\n", path("new").display());
    assert_eq!(said(into), (false, empty));
}

/// Tars end with more than their end: GNU tar fills them up to 10 KiB.
#[test]
fn all_of_the_input_is_taken() {
    let place = tempfile::tempdir().unwrap();
    let mut into = role("nex-tar-in", place.path(), &[]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = into.stdin.take().unwrap();
    input.write_all(&vec![0; 1 << 20]).unwrap();
    drop(input);
    assert_eq!(said(into), (true, String::new()));
}

#[test]
fn a_reader_that_stops_holds_it_and_one_that_goes_ends_it() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("large"), vec![1; 8 << 20]).unwrap();
    let mut out = role("nex-tar-out", place.path(), &[]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut tar = out.stdout.take().unwrap();
    tar.read_exact(&mut [0; 1000]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(out.try_wait().unwrap().is_none(), "it waits for its reader");
    drop(tar);
    assert!(!out.wait().unwrap().success());
}

/// 100,000 files in directories of 1,000, and one large file. In memory, where there is such a place: a disk takes minutes for it.
#[test]
fn memory_grows_with_neither_files_nor_bytes() {
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = |name: &str| place.path().join(name);
    fs::create_dir(path("many")).unwrap();
    for directory in 0..100 {
        let directory = path(&format!("many/{directory}"));
        fs::create_dir(&directory).unwrap();
        (0..1000).for_each(|number| fs::write(directory.join(format!("file-{number}")), b"x").unwrap());
    }
    fs::write(path("large"), vec![1; 64 << 20]).unwrap();
    let mut peaks = Vec::new();
    for name in ["many", "large"] {
        let (mut out, mut into) = copied(&path(name), &path("copy"), &["copy"]);
        let (mut most_out, mut most_in) = (0, 0);
        while into.try_wait().unwrap().is_none() {
            most_out = most_out.max(peak(&out));
            most_in = most_in.max(peak(&into));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(out.wait().unwrap().success());
        assert_eq!(said(into), (true, String::new()), "{name}");
        nex_file::remove::tree(fs::File::open(place.path()).unwrap(), "copy").unwrap();
        peaks.push((name, most_out >> 10, most_in >> 10));
    }
    eprintln!("the most memory of packing and unpacking, in KiB: {peaks:?}");
    assert!(peaks.iter().all(|(_, out, into)| *out.max(into) < 8 << 10), "{peaks:?}");
}

/// In namespaces of its own, where an ordinary user may mount.
#[test]
fn a_full_disk_is_said_and_leaves_no_half_file() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::create_dir_all(path("from")).unwrap();
    fs::create_dir(path("disk")).unwrap();
    fs::write(path("from/a"), vec![1; 100 << 10]).unwrap();
    fs::write(path("from/b"), vec![1; 4 << 20]).unwrap();
    let script = r#"set -e
mount -t tmpfs -o size=1m tmpfs disk
code=0
(exec -a nex-tar-out "$0" "$PWD/from" | (exec -a nex-tar-in "$0" "$PWD/disk/new" copy)) || code=$?
ls disk/new
exit $code"#;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "bash", "-c", script, AGENT]).current_dir(place.path());
    let output = command.output().expect("util-linux is there");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("unshare failed") || said.contains("permission denied") {
        eprintln!("LEFT OUT: this user has no namespaces: {said}");
        return;
    }
    assert_eq!(said, "cannot write 'from/b': No space left on device (os error 28)\n");
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b"a\n"[..]));
}
