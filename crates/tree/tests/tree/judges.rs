//! GNU tar and bsdtar take our tars apart as we do, and we theirs.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nex_tree::{Devices, Place, UnpackOptions};
use tempfile::TempDir;

use crate::support::{code, copy, kept, left_out, look, make_tree, packed, run, unpacked};

const OUT: [(&str, &[&str]); 2] =
    [("tar", &["-xpf", "-", "--xattrs", "--same-owner"]), ("bsdtar", &["-xpf", "-", "--same-owner"])];
const IN: [(&str, &[&str]); 3] = [
    ("tar", &["-cf", "-", "--sparse", "--format=pax", "src"]),
    ("tar", &["-cf", "-", "--format=gnu", "--sparse", "src"]),
    ("bsdtar", &["-cf", "-", "--format=pax", "src"]),
];

fn places() -> (TempDir, TempDir) {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::create_dir(from.path().join("src")).unwrap();
    make_tree(&from.path().join("src"));
    (from, to)
}

#[test]
fn others_unpack_what_is_packed_here() {
    let (from, _) = places();
    let (tar, notes) = packed(&from.path().join("src"));
    assert_eq!(left_out(&notes), []);
    assert!(tar.len() < 2 << 20, "the holes of a sparse file are no bytes of the tar");
    for (program, arguments) in OUT {
        let to = tempfile::tempdir().unwrap();
        if run(program, arguments, to.path(), &tar).is_some() {
            assert_eq!(look(&to.path().join("src")), look(&from.path().join("src")), "{program}");
        }
    }
}

#[test]
fn what_others_pack_is_unpacked_here() {
    let (from, _) = places();
    for (program, arguments) in IN {
        let Some(tar) = run(program, arguments, from.path(), b"") else { continue };
        let to = tempfile::tempdir().unwrap();
        assert_eq!(left_out(&unpacked(&tar, to.path(), UnpackOptions { place: Place::Below, ..kept() }).unwrap()), []);
        let mut expected = look(&from.path().join("src"));
        if arguments.contains(&"--format=gnu") {
            // Its times are seconds.
            let whole = |line: &mut String| {
                let dot = line.rfind('.').unwrap();
                line.replace_range(dot..dot + 10, ".000000000");
            };
            expected.values_mut().for_each(whole);
        }
        assert_eq!(look(&to.path().join("src")), expected, "{program} {arguments:?}");
        let blocks = fs::metadata(to.path().join("src/sparse")).unwrap().blocks();
        assert!(blocks < 1000, "{program}: the holes are {blocks} blocks");
    }
}

#[test]
fn a_copy_is_what_was_copied_and_the_judge_sees_when_it_is_not() {
    let (from, to) = places();
    let (tar, _) = packed(&from.path().join("src"));
    copy(&tar, &to.path().join("new")).unwrap();
    let expected = look(&from.path().join("src"));
    assert_eq!(look(&to.path().join("new")), expected);
    fs::set_permissions(to.path().join("new/file"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_ne!(look(&to.path().join("new")), expected);
}

#[test]
fn a_tar_in_any_order_gives_directories_what_they_had() {
    let (from, to) = places();
    // Directories behind what is in them, and entered again and again.
    let names = run("find", &["src", "-depth"], from.path(), b"").unwrap();
    let mut names: Vec<_> = names.split(|&byte| byte == b'\n').filter(|name| !name.is_empty()).collect();
    names.retain(|name| !name.ends_with(b"caf\xe9"));
    let list = names.join(&b'\n');
    let list: Vec<u8> = [&list[..], b"\n"].concat();
    let arguments = ["-cf", "-", "--format=pax", "--no-recursion", "-T", "-"];
    fs::remove_file(from.path().join("src/deep/er").read_dir().unwrap().next().unwrap().unwrap().path()).unwrap();
    let time = fs::metadata(from.path().join("src/deep")).unwrap().modified().unwrap();
    fs::File::open(from.path().join("src/deep/er")).unwrap().set_modified(time).unwrap();
    let Some(tar) = run("tar", &arguments, from.path(), &list) else { return };
    unpacked(&tar, to.path(), UnpackOptions { place: Place::Below, ..kept() }).unwrap();
    assert_eq!(look(&to.path().join("src")), look(&from.path().join("src")));
}

/// Bits and attributes that only root has to give.
#[test]
fn owners_come_with_their_bits_or_not_at_all() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("LEFT OUT: only root can give files away");
        return;
    }
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = from.path().join("file");
    fs::write(&file, "x").unwrap();
    std::os::unix::fs::chown(&file, Some(1234), Some(5678)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o6755)).unwrap();
    let has_xattrs = set_xattr(&file, "user.kept", b"1") && set_xattr(&file, "trusted.owners", b"2");
    if !has_xattrs {
        eprintln!("LEFT OUT: this file system has no extended attributes");
    }
    let (tar, _) = packed(&file);
    assert_eq!(left_out(&copy(&tar, &to.path().join("own")).unwrap()), []);
    assert_eq!(left_out(&unpacked(&tar, &to.path().join("kept"), kept()).unwrap()), []);
    let of = |name: &str| {
        let metadata = fs::metadata(to.path().join(name)).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
    };
    assert_eq!(of("own"), (0, 0, 0o755));
    assert_eq!(of("kept"), (1234, 5678, 0o6755));
    if has_xattrs {
        let xattrs = |name: &str| {
            let mut list = vec![0; 1000];
            let length = rustix::fs::listxattr(to.path().join(name), &mut list).unwrap();
            String::from_utf8_lossy(&list[..length]).replace("security.selinux\0", "")
        };
        assert_eq!(xattrs("own"), "user.kept\0");
        assert!(xattrs("kept").contains("trusted.owners\0") && xattrs("kept").contains("user.kept\0"));
    }
}

fn set_xattr(path: &Path, name: &str, value: &[u8]) -> bool {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).is_ok()
}

#[test]
fn devices_are_made_only_where_that_is_asked_for() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let null = rustix::fs::makedev(1, 3);
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let device = from.path().join("null");
    if rustix::fs::mknodat(rustix::fs::CWD, &device, rustix::fs::FileType::CharacterDevice, mode, null).is_err() {
        eprintln!("LEFT OUT: this user makes no devices");
        return;
    }
    let (tar, _) = packed(from.path());
    let name = from.path().file_name().unwrap().to_str().unwrap();
    let notes = copy(&tar, &to.path().join("without")).unwrap();
    assert_eq!(notes.lines().collect::<Vec<_>>(), [format!("'{name}/null' is a device and is left out")]);
    assert_eq!(fs::read_dir(to.path().join("without")).unwrap().count(), 0);
    let made = UnpackOptions { devices: Devices::Made, ..kept() };
    unpacked(&tar, &to.path().join("with"), made).unwrap();
    assert_eq!(look(&to.path().join("with")), look(from.path()));
    // What is there as a device stays one, whatever comes.
    fs::write(from.path().join("file"), "x").unwrap();
    let (tar, _) = packed(&from.path().join("file"));
    assert_eq!(code(copy(&tar, &to.path().join("with/null"))), "copy-destination");
}
