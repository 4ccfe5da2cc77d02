//! Opening and reading file systems that exist: as written, as the kernel left them, and as damage or others left them.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::Command;

use nex_ext4::{EditError, Editor, FileType, Kind, Layout, Size, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, Image, MIB, flip_byte, pattern, read, said};

/// A file's bytes as the file system under test reads them.
fn content(image: &Path, path: &str) -> Option<Vec<u8>> {
    let file = File::open(image).unwrap();
    let editor = Editor::open(&file).unwrap();
    let reader = editor.reader();
    let found = reader.stat(path.as_bytes()).unwrap().filter(|found| found.file_type == FileType::Regular)?;
    Some(reader.content(&found, u64::MAX).unwrap())
}

/// The names in a directory, likewise.
fn names(image: &Path, path: &str) -> Vec<Vec<u8>> {
    let file = File::open(image).unwrap();
    let editor = Editor::open(&file).unwrap();
    let found = editor.reader().stat(path.as_bytes()).unwrap().unwrap();
    let mut names: Vec<Vec<u8>> =
        editor.reader().list(&found).unwrap().into_iter().map(|entry| entry.name.into_vec()).collect();
    names.sort();
    names
}

/// The names in a directory as an independent reader sees them.
fn names_by_others(image: &Path, path: &str) -> Vec<Vec<u8>> {
    let reader = ext4_view::Ext4::load_from_path(image).unwrap();
    let entries = reader.read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().as_ref().to_vec());
    let mut names: Vec<Vec<u8>> = entries.filter(|name| name != b"." && name != b"..").collect();
    names.sort();
    names
}

fn error(image: &Path) -> EditError {
    let file = File::open(image).unwrap();
    Editor::open(&file).err().expect("this cannot be opened")
}

/// Files, links of all kinds, and a directory large enough to be indexed.
fn image() -> Image {
    let mut builder = Builder::new(&Layout::default());
    builder.add_file(Tree::ROOT, "file", &pattern(1, 3 << 20));
    builder.add_file(Tree::ROOT, "empty", b"");
    let usr = builder.add_directory(Tree::ROOT, "usr");
    let bin = builder.add_directory(usr, "bin");
    builder.add_file(bin, "tool", b"a tool");
    builder.add(Tree::ROOT, "bin", Kind::Symlink(b"usr/bin"[..].into()));
    builder.add(bin, "absolute", Kind::Symlink(b"/bin/tool"[..].into()));
    builder.add(bin, "out", Kind::Symlink(b"../../../../../usr/./bin//tool"[..].into()));
    let long = [&b"/usr/bin/"[..], &b"../bin/".repeat(100), b"tool"].concat();
    builder.add(bin, "long", Kind::Symlink(long.into()));
    builder.add(bin, "loop", Kind::Symlink(b"loop"[..].into()));
    builder.add(bin, "dangling", Kind::Symlink(b"nowhere"[..].into()));
    builder.add(bin, "fifo", Kind::Fifo);
    let many = builder.add_directory(Tree::ROOT, "many");
    for i in 0..3000 {
        builder.add_file(many, format!("a name of some length, number {i}"), b"x");
    }
    builder.finish(Size::Exact(150 * MIB))
}

#[test]
fn what_was_written_is_found() {
    let image = image();
    let path = image.path();
    assert!(content(&path, "/file").unwrap() == pattern(1, 3 << 20));
    assert_eq!(content(&path, "empty").unwrap(), b"");
    for way in ["/usr/bin/tool", "/bin/tool", "/bin/absolute", "/bin/out", "/bin/long", "//bin/./../bin/tool"] {
        assert_eq!(content(&path, way).unwrap(), b"a tool", "{way}");
    }
    for nothing in ["/usr/bin/none", "/bin/loop", "/bin/dangling", "/file/below", "/bin/tool/", "/bin/fifo", "/usr"] {
        let expected = if nothing == "/bin/tool/" { Some(b"a tool".to_vec()) } else { None };
        assert_eq!(content(&path, nothing), expected, "{nothing}");
    }
    for directory in ["/", "/usr/bin", "/many"] {
        assert_eq!(names(&path, directory), names_by_others(&path, directory), "{directory}");
    }
    let file = File::open(&path).unwrap();
    let editor = Editor::open(&file).unwrap();
    let link = editor.reader().lstat(b"/bin/dangling").unwrap().unwrap();
    assert_eq!((link.file_type, link.size), (FileType::Symlink, 7));
    assert_eq!(editor.reader().read_link(&link).unwrap(), b"nowhere");
    assert_eq!(editor.free_blocks(), image.report.free_blocks);
    assert_eq!(editor.free_inodes(), image.report.free_inodes);
    assert_eq!(editor.size(), 150 * MIB);
}

#[test]
fn what_the_kernel_changed_is_found() {
    if !kernel::is_available() {
        return;
    }
    let image = image();
    let path = image.path();
    let mount = Mount::new(&path, Access::ReadWrite).unwrap();
    let at = |name: &str| mount.path().join(name);
    for i in 0..2000 {
        fs::write(at(&format!("many/added {i}")), b"y").unwrap();
    }
    for i in 0..1500 {
        fs::remove_file(at(&format!("many/a name of some length, number {i}"))).unwrap();
    }
    fs::create_dir(at("new")).unwrap();
    for i in 0..4000 {
        fs::write(at(&format!("new/{i}")), i.to_string()).unwrap();
    }
    // Runs of one block, each with a hole before: a tree of more than one level.
    let file = File::create(at("holes")).unwrap();
    for i in 0..2000 {
        file.write_all_at(&pattern(i, 4096), (2 * i + 1) * 4096).unwrap();
    }
    drop(file);
    assert!(Command::new("fallocate").args(["-l", "1M"]).arg(at("reserved")).status().unwrap().success());
    symlink("a".repeat(200), at("long link")).unwrap();
    let holes = fs::read(at("holes")).unwrap();
    mount.unmount().unwrap();

    for directory in ["/", "/many", "/new"] {
        assert_eq!(names(&path, directory), names_by_others(&path, directory), "{directory}");
    }
    assert_eq!(content(&path, "/new/3999").unwrap(), b"3999");
    assert!(content(&path, "/holes").unwrap() == holes);
    assert!(content(&path, "/reserved").unwrap() == vec![0; 1 << 20]);
    let file = File::open(&path).unwrap();
    let editor = Editor::open(&file).unwrap();
    let link = editor.reader().lstat(b"/long link").unwrap().unwrap();
    assert_eq!(editor.reader().read_link(&link).unwrap(), "a".repeat(200).as_bytes());
}

#[test]
fn a_mounted_file_system_is_left_alone() {
    if !kernel::is_available() {
        return;
    }
    let image = image();
    let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
    fs::write(mount.path().join("new"), b"new").unwrap();
    let while_mounted = error(&image.path());
    mount.unmount().unwrap();
    assert!(matches!(while_mounted, EditError::NeedsRecovery), "{while_mounted}");
    assert_eq!(content(&image.path(), "/new").unwrap(), b"new");
}

/// What debugfs makes of the file system's superblock.
fn debugfs(image: &Path, request: &str) {
    let output = Command::new("debugfs").args(["-w", "-R", request]).arg(image).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_others_made_or_left_unclean_is_refused_by_name() {
    let image = image();
    for (request, expected) in [
        ("feature needs_recovery", "puts its journal into effect"),
        ("feature orphan_file", "it has the feature orphan_file"),
        ("feature inline_data", "it has the feature inline_data"),
        ("feature ^dir_index", "it lacks the feature dir_index"),
        ("feature FEATURE_I23", "it has the feature 0x800000"),
        ("ssv state 0", "was not unmounted cleanly"),
        ("ssv state 3", "the kernel found errors in it"),
        ("ssv last_orphan 12", "was not unmounted cleanly"),
        ("ssv inode_size 128", "its inode size (s_inode_size) is 128 and not 256"),
        ("ssv log_block_size 1", "its block size (s_log_block_size) is 1 and not 2"),
        ("ssv inodes_per_group 8190", "s_inodes_per_group"),
        ("ssv inodes_count 17", "s_inodes_count disagrees"),
        ("ssv blocks_count 38401", "the file is cut off"),
    ] {
        let copy = image.copy();
        debugfs(&copy, request);
        let error = said(&error(&copy));
        assert!(error.contains(expected), "{request}: {error}");
    }
}

#[test]
fn what_is_no_file_system_is_refused() {
    let image = image();
    let copy = image.copy();
    let file = File::options().write(true).open(&copy).unwrap();
    file.set_len(150 * MIB - 1).unwrap();
    assert!(matches!(error(&copy), EditError::CutOff { .. }));
    file.set_len(2047).unwrap();
    assert!(matches!(error(&copy), EditError::NotExt4));
    file.set_len(0).unwrap();
    assert!(matches!(error(&copy), EditError::NotExt4));
    file.set_len(MIB).unwrap();
    assert!(matches!(error(&copy), EditError::NotExt4));
}

#[test]
fn a_sealed_file_system_is_left_alone() {
    let image = image();
    let copy = image.copy();
    let file = File::options().write(true).open(&copy).unwrap();
    file.write_all_at(b"verity\0\0\x01", 150 * MIB).unwrap();
    assert!(matches!(error(&copy), EditError::Sealed));
    file.write_all_at(b"verify\0\0\x01", 150 * MIB).unwrap();
    assert_eq!(content(&copy, "/bin/tool").unwrap(), b"a tool");
}

/// What stands behind `label`, up to the next space.
fn word_after<'a>(text: &'a str, label: &str) -> &'a str {
    text.split_once(label).unwrap().1.split_whitespace().next().unwrap()
}

#[test]
fn a_flipped_byte_in_metadata_on_the_way_is_noticed() {
    let image = image();
    let told = support::debugfs(&image.path(), "imap /usr/bin/tool");
    let block: u64 = word_after(&told, "located at block ").trim_end_matches(',').parse().unwrap();
    let offset = u64::from_str_radix(word_after(&told, "offset 0x"), 16).unwrap();
    let told = support::debugfs(&image.path(), "blocks /usr/bin");
    let directory: u64 = word_after(&told, "").parse().unwrap();
    let inode = block * 4096 + offset;
    // The superblock, the first descriptor, the file's inode, and the entries of its directory. Bytes of the superblock
    // that say whether it has a checksum, and which ext4 it is, are told in other words.
    let places = (1024..2048)
        .step_by(7)
        .chain(4096..4160)
        .chain(inode..inode + 256)
        .chain((0..4096).step_by(9).map(|at| directory * 4096 + at));
    for place in places {
        let copy = image.path();
        flip_byte(&copy, place);
        let file = File::open(&copy).unwrap();
        let result = Editor::open(&file).and_then(|editor| {
            let found = editor.reader().stat(b"/usr/bin/tool")?.expect("the name is there, or damage was noticed");
            Ok(editor.reader().content(&found, u64::MAX)?)
        });
        assert!(result.is_err(), "byte {place:#x}");
        flip_byte(&copy, place);
    }
    assert_eq!(read(&image.path(), "/usr/bin/tool"), b"a tool");
}
