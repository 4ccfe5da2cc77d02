//! File systems of many forms that the kernel has filled, judged by what it shows of them.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::{command, image_tree, manifest};

use crate::tree::{Wishes, debugfs, mke2fs, open, populate, read_all};

const USUAL: Wishes = Wishes { names: 1200, longest_value: 2500, longest_target: 4000, far_times: true };
/// What fits into a block of 1 KiB.
const SMALL_BLOCKS: Wishes = Wishes { longest_value: 550, longest_target: 900, ..USUAL };

/// Makes a file system, has the kernel fill it, and compares what the kernel shows with what is read.
fn judge(options: &[&str], wishes: Wishes, prepare: impl Fn(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    mke2fs(&image, options, None);
    prepare(&image);
    let mount = Mount::new(&image, Access::ReadWrite).unwrap();
    populate(mount.path(), wishes).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    // A directory that has shrunk, and blocks that are allocated and not written.
    let script = "cd many; for n in $(seq 0 2 900); do rm -f *number\\ $n; done; cd ..; truncate -s +50000 holes; \
                  fallocate -l 3M reserved 2>&1 || truncate -s 3M reserved; \
                  printf x | dd of=reserved bs=1 seek=1000000 conv=notrunc status=none";
    mount.run(script).unwrap();
    mount.unmount().unwrap();

    let expected = kernel::read_tree(&image).unwrap();
    let reader = open(&image).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    let found = read_all(&reader).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    manifest::equal(&expected, &found).unwrap_or_else(|error| panic!("{options:?}: {error}"));
    assert!(reader.doubts().is_empty());
    reader.check_mount().unwrap_or_else(|error| panic!("{options:?}: {error}"));
    // Names are found by the index as well as they are listed.
    for path in expected.keys() {
        assert!(reader.lstat(path).unwrap().is_some(), "{options:?}: /{}", path.escape_ascii());
    }
    for path in ["many/é name of some length that is number 0", "many/nothing", "many/é name"] {
        assert_eq!(reader.lstat(path.as_bytes()).unwrap(), None, "{options:?}: {path}");
    }
}

#[test]
fn of_the_usual_form_and_with_other_blocks() {
    if !kernel::is_available() {
        return;
    }
    judge(&["-b", "1024"], SMALL_BLOCKS, |_| ());
    judge(&["-b", "2048"], SMALL_BLOCKS, |_| ());
    for options in [&[][..], &["-I", "1024"], &["-G", "1", "-g", "8192"]] {
        judge(options, USUAL, |_| ());
    }
}

#[test]
fn of_old_forms() {
    if !kernel::is_available() {
        return;
    }
    let small = Wishes { far_times: false, ..USUAL };
    judge(&["-O", "^extent,^64bit,^metadata_csum"], USUAL, |_| ());
    judge(&["-b", "1024", "-O", "^extent,^64bit,^flex_bg,^metadata_csum,uninit_bg"], SMALL_BLOCKS, |_| ());
    judge(&["-I", "128"], small, |_| ());
    judge(&["-I", "128", "-O", "^filetype,^metadata_csum,^64bit,^huge_file,^dir_nlink"], small, |_| ());
    judge(&["-O", "^dir_index,^has_journal,^resize_inode,^sparse_super"], USUAL, |_| ());
    judge(&["-O", "^metadata_csum,uninit_bg"], USUAL, |_| ());
}

#[test]
fn of_new_forms() {
    if !kernel::is_available() {
        return;
    }
    let large_values = Wishes { longest_value: 60_000, ..USUAL };
    judge(&["-O", "inline_data"], USUAL, |_| ());
    judge(&["-O", "inline_data", "-I", "1024"], USUAL, |_| ());
    judge(&["-O", "ea_inode"], large_values, |_| ());
    judge(&["-O", "ea_inode,inline_data", "-b", "1024"], Wishes { longest_target: 900, ..large_values }, |_| ());
    judge(&["-O", "meta_bg,^resize_inode", "-b", "1024"], SMALL_BLOCKS, |_| ());
    judge(&["-O", "sparse_super2,metadata_csum_seed,mmp,orphan_file,large_dir"], USUAL, |_| ());
    judge(&["-O", "bigalloc", "-C", "65536"], USUAL, |_| ());
    // Checksums start from a seed of their own once the UUID has changed.
    judge(&["-O", "metadata_csum_seed"], USUAL, |image| {
        let tune2fs = &mut Command::new("tune2fs");
        command::run(tune2fs.args(["-U", "0fc48be0-17dc-4791-b120-39964e159a31"]).arg(image)).unwrap();
    });
}

#[test]
fn with_other_hashes_of_names() {
    if !kernel::is_available() {
        return;
    }
    for (hash, flags) in [("legacy", 1), ("tea", 2), ("half_md4", 2)] {
        judge(&[], USUAL, |image| {
            debugfs(image, &format!("set_super_value def_hash_version {hash}"));
            debugfs(image, &format!("set_super_value flags {flags}"));
        });
    }
}

#[test]
fn names_in_any_case_are_found_by_their_own_bytes_alone() {
    const CASEFOLD_FL: u32 = 0x4000_0000;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir_all(source.join("any")).unwrap();
    fs::write(source.join("any/Name"), b"x").unwrap();
    let image = directory.path().join("image");
    mke2fs(&image, &["-O", "casefold"], Some(&source));
    debugfs(&image, &format!("set_inode_field /any flags {:#x}", CASEFOLD_FL | 0x8_0000));
    let reader = open(&image).unwrap();
    assert!(reader.stat(b"/any/Name").unwrap().is_some());
    let error = reader.stat(b"/any/NAME").unwrap_err().to_string();
    assert!(error.contains("casefold"), "{error}");
    assert_eq!(reader.list(&reader.stat(b"/any").unwrap().unwrap()).unwrap().len(), 1);
}

/// The other judges agree, and they see a change.
#[test]
fn as_other_readers_read_it() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), crate::tree::pattern(1, 100_000)).unwrap();
    fs::create_dir(source.join("directory")).unwrap();
    let image = directory.path().join("image");
    for options in [&[][..], &["-b", "1024", "-O", "^extent,^64bit"], &["-O", "bigalloc"], &["-O", "^metadata_csum"]] {
        mke2fs(&image, options, Some(&source));
        let expected = image_tree::read(&image).unwrap();
        let found = read_all(&open(&image).unwrap()).unwrap();
        manifest::equal(&expected, &found).unwrap_or_else(|error| panic!("{options:?}: {error}"));
        for request in ["set_inode_field /file mtime 20200101", "set_inode_field /directory uid 7"] {
            debugfs(&image, request);
            let found = read_all(&open(&image).unwrap()).unwrap();
            assert!(manifest::equal(&expected, &found).is_err(), "{options:?}: {request} is not seen");
        }
    }
}

/// Three levels of index, which takes the feature `large_dir`.
#[test]
fn with_an_index_that_is_deep() {
    if !kernel::is_available() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    mke2fs(&image, &["-b", "1024", "-O", "large_dir", "-N", "80000"], None);
    let mount = Mount::new(&image, Access::ReadWrite).unwrap();
    let names: Vec<String> = (0..55_000).map(|number| format!("{number:0>240}")).collect();
    for name in &names {
        File::create(mount.path().join(name)).unwrap();
    }
    mount.unmount().unwrap();
    let reader = open(&image).unwrap();
    let root = reader.stat(b"/").unwrap().unwrap();
    let told = nex_testkit::command::run(Command::new("debugfs").args(["-R", "htree_dump /"]).arg(&image)).unwrap();
    let told = String::from_utf8_lossy(&told);
    assert!(told.contains("Indirect levels: 2"), "{}", &told[..told.len().min(400)]);
    for name in names.iter().step_by(7) {
        assert!(reader.lookup(&root, name.as_bytes()).unwrap().is_some(), "{name}");
    }
    assert_eq!(reader.lookup(&root, b"nothing").unwrap(), None);
    assert_eq!(reader.list(&root).unwrap().len(), names.len() + 1);
}
