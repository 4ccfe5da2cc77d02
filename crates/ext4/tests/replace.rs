//! Replacing one file's content in place: every judge accepts what comes out, whatever the sizes and whoever was there
//! before.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use nex_ext4::{EditError, Editor, Inode, Journal, Kind, Layout, Replaced, Size, Sizes, Timestamp, Tree, Xattr};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, Image, MIB, assert_fsck_is_silent, debugfs, metadata, pattern, read};

const AGENT: &str = "/usr/local/bin/agent";

/// An image with an agent of `old` bytes, and other files around it.
fn image(size: impl Into<Sizes>, old: usize) -> Image {
    let mut builder = Builder::new(&Layout::default());
    builder.add_file(Tree::ROOT, "before", &pattern(1, 100_000));
    let usr = builder.add_directory(Tree::ROOT, "usr");
    let local = builder.add_directory(usr, "local");
    let bin = builder.add_directory(local, "bin");
    let content = builder.place(&pattern(2, old));
    // More than the inode holds, so that there is a block of attributes beside the content.
    let xattrs = [("user.long", vec![b'x'; 300]), ("user.short", b"s".to_vec())];
    let xattrs = xattrs.map(|(name, value)| Xattr { name: name.as_bytes().into(), value: value.into() });
    let agent = Inode { metadata: metadata(0o775), kind: Kind::File(content), xattrs: Box::new(xattrs) };
    builder.add_inode(bin, "agent", agent);
    builder.add(bin, "link", Kind::Symlink(b"agent"[..].into()));
    builder.add(Tree::ROOT, "bin", Kind::Symlink(b"/usr/local/bin"[..].into()));
    builder.add_file(Tree::ROOT, "behind", &pattern(3, 100_000));
    builder.finish(size)
}

fn replace_at(image: &Path, path: &str, new: &[u8], time: Option<Timestamp>) -> Result<Replaced, EditError> {
    let file = File::options().read(true).write(true).open(image).unwrap();
    let mut file_system = Editor::open(&file)?;
    let mut replacement = file_system.replace(path.as_bytes(), new.len() as u64)?;
    for chunk in new.chunks(100_001) {
        replacement.write(chunk)?;
    }
    replacement.commit(time)
}

fn replace(image: &Path, new: &[u8]) -> Result<Replaced, EditError> {
    replace_at(image, AGENT, new, None)
}

/// The new content is there, everything else is as before, and e2fsck finds nothing.
fn assert_replaced(image: &Path, new: &[u8]) {
    assert_fsck_is_silent(image);
    assert!(read(image, AGENT) == new, "{} bytes", new.len());
    assert!(read(image, "/before") == pattern(1, 100_000));
    assert!(read(image, "/behind") == pattern(3, 100_000));
}

#[test]
fn any_size_takes_the_place_of_any_other() {
    for old in [0, 1, 4096, 4097, 3_000_000] {
        let image = image(Size::Exact(64 * MIB), old);
        for (seed, new) in (10..).zip([0, 1, 4095, 4096, 4097, 1_000_000, 20_000_000, 12_345, 0, 700_000]) {
            let free = image.report.free_blocks + (old as u64).div_ceil(4096);
            let new = pattern(seed, new);
            let replaced = replace(&image.path(), &new).unwrap();
            assert_replaced(&image.path(), &new);
            assert_eq!(replaced.free_blocks, free - (new.len() as u64).div_ceil(4096), "{old} -> {}", new.len());
            assert!(replaced.extents <= 1);
        }
        image.assert_repair_changes_nothing();
    }
}

#[test]
fn all_but_the_content_stays() {
    let image = image(Size::Exact(64 * MIB), 5000);
    let describe = |path: &Path| {
        let told = debugfs(path, &format!("stat {AGENT}"));
        let fields = [
            "Inode:",
            "User:",
            "Links:",
            "ctime:",
            "atime:",
            "mtime:",
            "crtime:",
            "user.long",
            "user.short",
            "Generation:",
        ];
        let is_kept = |line: &&str| fields.iter().any(|field| line.contains(field));
        let of_size = |line: &str| line.replace("Size: 5000", "Size: 6000");
        told.lines().filter(is_kept).map(of_size).collect::<Vec<_>>()
    };
    let before = describe(&image.path());
    assert!(before.len() >= 9, "{before:?}");
    replace(&image.path(), &pattern(5, 6000)).unwrap();
    assert_eq!(describe(&image.path()), before);

    replace_at(&image.path(), AGENT, &pattern(6, 1), Some(Timestamp { seconds: 1_600_000_000, nanoseconds: 0 }))
        .unwrap();
    let told = debugfs(&image.path(), &format!("stat {AGENT}"));
    // 1,600,000,000 and, for the creation, 1,700,000,000.
    for (label, seconds) in
        [("ctime", "0x5f5e1000"), ("atime", "0x5f5e1000"), ("mtime", "0x5f5e1000"), ("crtime", "0x6553f100")]
    {
        assert!(told.contains(&format!("{label}: {seconds}:")), "{label}: {told}");
    }
}

#[test]
fn replaced_content_is_gone_from_the_raw_image() {
    let image = image(Size::Exact(64 * MIB), 300_000);
    let old = pattern(2, 300_000);
    let contains = |needle: &[u8]| image.bytes().chunks(4096).any(|block| block == needle);
    assert!(old.chunks_exact(4096).all(contains));
    replace(&image.path(), &pattern(5, 10)).unwrap();
    assert!(!old.chunks_exact(4096).any(contains));
}

#[test]
fn the_same_change_gives_the_same_bytes() {
    let images = [image(Size::Exact(64 * MIB), 5000), image(Size::Exact(64 * MIB), 5000)];
    images.iter().for_each(|image| _ = replace(&image.path(), &pattern(5, 1_000_000)).unwrap());
    assert!(support::difference(&images[0].path(), &images[1].path()).is_empty());
}

#[test]
fn paths_lead_through_links_but_not_past_one_in_the_last_place() {
    let image = image(Size::Exact(64 * MIB), 5000);
    replace_at(&image.path(), "/bin/agent", b"through a link", None).unwrap();
    assert_replaced(&image.path(), b"through a link");
    for (path, expected) in [
        ("/bin/link", "/bin/link in the file system is a symbolic link, and not a regular file"),
        ("/usr/local/bin", "/usr/local/bin in the file system is a directory, and not a regular file"),
        ("/usr/bin/agent", "there is no /usr/bin/agent in the file system"),
    ] {
        assert_eq!(replace_at(&image.path(), path, b"x", None).unwrap_err().to_string(), expected);
    }
}

#[test]
fn without_room_nothing_changes() {
    let image = image(Size::Exact(16 * MIB), 5000);
    let before = image.bytes();
    let free = image.report.free_blocks;
    let error = replace(&image.path(), &vec![1; (free as usize + 1) * 4096]).unwrap_err();
    assert!(matches!(error, EditError::NoRoom { needed, free: said } if needed == free + 1 && said == free), "{error}");
    assert!(image.bytes() == before);

    // To the last block.
    let new = pattern(9, free as usize * 4096);
    assert_eq!(replace(&image.path(), &new).unwrap().free_blocks, 2);
    assert_replaced(&image.path(), &new);
}

#[test]
fn a_replacement_that_is_given_up_leaves_no_byte() {
    let image = image(Size::Exact(64 * MIB), 5000);
    let before = image.bytes();
    let file = File::options().read(true).write(true).open(image.path()).unwrap();
    let mut file_system = Editor::open(&file).unwrap();
    let mut replacement = file_system.replace(AGENT.as_bytes(), 100_000).unwrap();
    replacement.write(&pattern(5, 50_000)).unwrap();
    assert!(matches!(replacement.commit(None), Err(EditError::LengthChanged { expected: 100_000 })));
    let mut replacement = file_system.replace(AGENT.as_bytes(), 10).unwrap();
    assert!(matches!(replacement.write(&[0; 11]), Err(EditError::LengthChanged { expected: 10 })));
    drop(replacement);
    assert!(image.bytes() == before);
}

#[test]
fn many_groups_without_a_journal() {
    let sizes = Sizes { journal: Journal::None, ..Size::Exact(600 * MIB).into() };
    let image = image(sizes, 5000);
    let new = pattern(5, 150 << 20);
    let replaced = replace(&image.path(), &new).unwrap();
    assert_replaced(&image.path(), &new);
    assert!(replaced.extents <= 3, "{replaced:?}");
    // A group that held nothing had no bitmap before.
    image.assert_repair_changes_nothing();
}

#[test]
fn scattered_free_blocks_take_a_tree() {
    if !kernel::is_available() {
        return;
    }
    let image = image(Size::Exact(24 * MIB), 3_000_000);
    let path = image.path();
    let mount = Mount::new(&path, Access::ReadWrite).unwrap();
    // Every second block becomes free.
    let filler = |i: u32| mount.path().join(format!("filler {i}"));
    let mut count = 0;
    while fs::write(filler(count), pattern(u64::from(count), 4096)).is_ok() {
        count += 1;
    }
    (0..count).step_by(2).for_each(|i| fs::remove_file(filler(i)).unwrap());
    mount.unmount().unwrap();

    for (seed, length) in [(20, 4_000_000), (21, 5000), (22, 6_000_000)] {
        let new = pattern(seed, length);
        let replaced = replace(&path, &new).unwrap();
        assert_replaced(&path, &new);
        if length > 3_000_000 {
            assert!(replaced.extents > 4 && replaced.new_blocks > (length as u64).div_ceil(4096), "{replaced:?}");
        }
    }
    let mount = Mount::new(&path, Access::ReadWrite).unwrap();
    assert!(fs::read(mount.path().join("usr/local/bin/agent")).unwrap() == pattern(22, 6_000_000));
    assert!(fs::read(mount.path().join("filler 1")).unwrap() == pattern(1, 4096));
    fs::write(mount.path().join("after"), b"the kernel goes on").unwrap();
    fs::remove_file(mount.path().join("usr/local/bin/agent")).unwrap();
    mount.unmount().unwrap();
    assert_fsck_is_silent(&path);
}

#[test]
fn what_the_kernel_made_of_the_agent_is_replaced() {
    if !kernel::is_available() {
        return;
    }
    let image = image(Size::Exact(64 * MIB), 5000);
    let path = image.path();
    let mount = Mount::new(&path, Access::ReadWrite).unwrap();
    let agent = mount.path().join("usr/local/bin/agent");
    fs::hard_link(&agent, mount.path().join("second name")).unwrap();
    let file = File::options().write(true).open(&agent).unwrap();
    for i in 0..2000 {
        file.write_all_at(&[7; 4096], (2 * i + 5) * 4096).unwrap();
    }
    drop(file);
    for i in 0..1000 {
        fs::write(mount.path().join(format!("usr/local/bin/neighbour {i}")), b"x").unwrap();
    }
    mount.unmount().unwrap();

    let new = pattern(8, 600_000);
    let replaced = replace(&path, &new).unwrap();
    assert_eq!(replaced.links, 2);
    assert!(replaced.old_blocks > 2001, "with its tree: {replaced:?}");
    assert_replaced(&path, &new);
    assert!(read(&path, "/second name") == new);
}

/// A file system that mke2fs made of a directory with an agent in it.
fn made_by_mkfs(directory: &Path, features: &str) -> std::path::PathBuf {
    let tree = directory.join("tree");
    fs::create_dir_all(tree.join("usr/local/bin")).unwrap();
    fs::write(tree.join("usr/local/bin/agent"), pattern(2, 5000)).unwrap();
    fs::write(tree.join("before"), pattern(1, 100_000)).unwrap();
    fs::write(tree.join("behind"), pattern(3, 100_000)).unwrap();
    let image = directory.join("image");
    let mut mkfs = Command::new("mke2fs");
    let features = format!("^metadata_csum_seed,^orphan_file,{features}");
    mkfs.args(["-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-O", &features, "-d"]).arg(&tree).arg(&image);
    let output = mkfs.arg("20G").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    image
}

#[test]
fn file_systems_of_mkfs_are_changed_too() {
    // The last with descriptors in their own groups, as growth past the reserve leaves them.
    for features in ["^has_journal", "^has_journal,meta_bg,^resize_inode"] {
        let directory = tempfile::tempdir().unwrap();
        let image = made_by_mkfs(directory.path(), features);
        // Longer than what is free in the first group: it goes on into groups that have no bitmaps yet.
        for new in [pattern(5, 140 << 20), b"short".to_vec()] {
            replace(&image, &new).unwrap();
            assert_fsck_is_silent(&image);
            // The independent reader does not know meta_bg.
            let dumped = directory.path().join("dumped");
            debugfs(&image, &format!("dump {AGENT} {}", dumped.display()));
            assert!(fs::read(&dumped).unwrap() == new);
        }
    }
}

#[test]
fn a_journal_of_mkfs_has_to_be_written_by_a_kernel_first() {
    let directory = tempfile::tempdir().unwrap();
    let image = made_by_mkfs(directory.path(), "has_journal");
    let error = replace(&image, b"new").unwrap_err().to_string();
    assert!(error.contains("its journal has no checksums (csum_v3); a kernel that writes to it adds them"), "{error}");
    if kernel::is_available() {
        let mount = Mount::new(&image, Access::ReadWrite).unwrap();
        fs::write(mount.path().join("written"), b"by the kernel").unwrap();
        mount.unmount().unwrap();
        replace(&image, b"new").unwrap();
        assert_replaced(&image, b"new");
    }
}

#[test]
fn damage_is_told_or_does_no_harm() {
    let sizes = Sizes { inodes: Some(64), ..Size::Exact(7 * MIB).into() };
    let image = image(sizes, 20_000);
    let metadata = debugfs(&image.path(), "stats");
    let block = |label: &str| -> u64 {
        let rest = metadata.split_once(label).unwrap().1;
        rest.trim_start_matches([':', ' ']).split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let blocks = |request: &str| -> u64 {
        let told = debugfs(&image.path(), request);
        told.split_whitespace().next().unwrap().parse().unwrap()
    };
    let places = [
        (1024, 1024),
        (4096, 64),
        (4096 * block("block bitmap at"), 4096),
        (4096 * block("inode table at"), 24 * 256),
        (4096 * blocks("blocks <8>"), 1024),
        (4096 * blocks("blocks /usr/local/bin"), 4096),
    ];
    let before = image.bytes();
    let new = pattern(7, 50_000);
    let (mut told, mut harmless) = (0, 0);
    for (start, length) in places {
        for place in (start..start + length).step_by(17) {
            support::flip_byte(&image.path(), place);
            match replace(&image.path(), &new) {
                Ok(_) => {
                    harmless += 1;
                    assert!(read(&image.path(), AGENT) == new, "byte {place:#x}");
                    fs::write(image.path(), &before).unwrap();
                }
                Err(_) => {
                    told += 1;
                    support::flip_byte(&image.path(), place);
                    assert!(image.bytes() == before, "byte {place:#x}: an error, and yet a change");
                }
            }
        }
    }
    // Of account are all but the inodes of other files.
    assert!(told > 2 * harmless, "{told} told, {harmless} harmless");
}
