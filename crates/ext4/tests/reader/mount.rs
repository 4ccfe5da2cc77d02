//! What a kernel refuses to mount, and what it mounts. The kernel and e2fsck judge both.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use nex_ext4::reader::Error;
use nex_ext4::{Layout, Size};
use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::{command, fsck};

use crate::support::{Builder, MIB};
use crate::tree::{debugfs, mke2fs, open};

/// A change of one field.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// What debugfs is asked for.
    Request(&'static str),
    /// Bytes in the superblock, whose checksum stays as it is.
    Superblock(u64, &'static [u8]),
    /// Bytes in the journal's superblock.
    Journal(u64, &'static [u8]),
}

use Change::{Journal, Request, Superblock};

impl Change {
    fn apply(self, image: &Path) {
        match self {
            Request(request) => debugfs(image, request),
            Superblock(offset, bytes) => {
                let file = File::options().write(true).open(image).unwrap();
                file.write_all_at(bytes, 1024 + offset).unwrap();
            }
            Journal(offset, bytes) => {
                let block: u64 = first_block(image, "<8>").into();
                let file = File::options().write(true).open(image).unwrap();
                file.write_all_at(bytes, block * 4096 + offset).unwrap();
            }
        }
    }
}

/// Where a file begins.
fn first_block(image: &Path, file: &str) -> u32 {
    let told = crate::support::debugfs(image, &format!("bmap {file} 0"));
    told.lines().next().unwrap().parse().unwrap()
}

/// Who sees the damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judge {
    Both,
    /// e2fsck: whether a kernel mounts it depends on what stands where.
    Fsck,
    Kernel,
    /// The kernel, from Linux 6.18 on at the latest.
    NewKernel,
}

/// Damage to a file system of any form, and what the error names.
const DAMAGE: [(Change, Judge, &str); 27] = [
    (Request("set_super_value inodes_count 12345"), Judge::Both, "s_inodes_count"),
    (Request("set_super_value first_ino 5"), Judge::Both, "s_first_ino"),
    (Request("set_super_value reserved_gdt_blocks 60000"), Judge::Both, "s_reserved_gdt_blocks"),
    (Request("set_super_value clusters_per_group 100"), Judge::Both, "s_clusters_per_group"),
    (Request("set_super_value log_cluster_size 9"), Judge::Both, "s_log_cluster_size"),
    (Request("set_super_value log_groups_per_flex 255"), Judge::Both, "s_log_groups_per_flex"),
    (Request("set_super_value first_data_block 1"), Judge::Fsck, "s_first_data_block"),
    (Request("set_super_value min_extra_isize 4000"), Judge::Kernel, "s_min_extra_isize"),
    (Request("set_super_value want_extra_isize 4000"), Judge::Kernel, "s_want_extra_isize"),
    (Superblock(0xFC, &[0x77]), Judge::NewKernel, "s_def_hash_version"),
    (Superblock(0xFC, &[6]), Judge::NewKernel, "s_def_hash_version"),
    (Request("set_super_value creator_os 1"), Judge::Kernel, "s_creator_os"),
    (Request("set_super_value journal_inum 0"), Judge::Both, "s_journal_inum"),
    (Request("set_super_value journal_inum 2"), Judge::Both, "s_journal_inum"),
    (Request("set_super_value journal_inum 999999"), Judge::Both, "s_journal_inum"),
    (Request("set_super_value journal_dev 0x123"), Judge::Kernel, "s_journal_dev"),
    (Request("set_inode_field <8> links_count 0"), Judge::Both, "its journal"),
    (Request("set_inode_field <8> mode 040755"), Judge::Both, "its journal"),
    (Journal(0, &[0; 12]), Judge::Both, "the journal has no superblock"),
    (Journal(4, &[0, 0, 0, 9]), Judge::Both, "the journal has no superblock"),
    (Journal(12, &[0, 0, 4, 0]), Judge::Both, "the journal"),
    (Journal(16, &[0, 0xff, 0xff, 0xff]), Judge::Both, "the journal"),
    (Journal(20, &[0; 4]), Judge::Kernel, "the journal"),
    (Request("set_inode_field <2> blocks 0"), Judge::Both, "the root directory"),
    (Request("set_bg 0 block_bitmap 0"), Judge::Both, ""),
    (Request("set_bg 0 block_bitmap 268435455"), Judge::Both, ""),
    (Request("set_bg 0 inode_bitmap 1"), Judge::Both, ""),
];

/// What the reader says against a mount.
fn refusal(image: &Path) -> Option<Error> {
    open(image).and_then(|reader| reader.check_mount()).err()
}

/// Whether this kernel is as new as the newest of the rules.
fn is_new() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|text| text.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(18))
}

/// Changes a file system that is right, and asks the reader and the judges.
fn damage(image: &Path, (change, judge, names): (Change, Judge, &str), has_kernel: bool) {
    assert_eq!(refusal(image).map(|error| error.to_string()), None, "before {change:?}");
    change.apply(image);
    let error = refusal(image).unwrap_or_else(|| panic!("{change:?} is not seen"));
    let is_checksum = matches!(error, Error::Checksum { .. });
    assert!(is_checksum || error.to_string().contains(names), "{change:?}: {error}");
    if matches!(judge, Judge::Both | Judge::Fsck) {
        assert!(fsck::check(image).is_err(), "{change:?}: e2fsck sees nothing");
    }
    let judges = match judge {
        Judge::Both | Judge::Kernel => true,
        Judge::Fsck => false,
        Judge::NewKernel => is_new(),
    };
    if has_kernel && judges {
        assert!(Mount::new(image, Access::ReadWrite).is_err(), "{change:?}: the kernel mounts it ({error})");
    }
}

#[test]
fn one_wrong_field_is_enough_to_be_refused() {
    let has_kernel = kernel::is_available();
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    for case in DAMAGE {
        for options in [["-O", "^metadata_csum,^orphan_file"], ["-O", "metadata_csum,^orphan_file"]] {
            mke2fs(&image, &options, None);
            damage(&image, case, has_kernel);
        }
        let ours = Builder::new(&Layout::default()).finish(Size::Exact(64 * MIB));
        damage(&ours.path(), case, has_kernel);
    }
}

#[test]
fn fields_of_rare_forms_are_looked_at_too() {
    let has_kernel = kernel::is_available();
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    let request = |text, names| (Request(text), Judge::Both, names);
    for (options, case) in [
        (&["-b", "1024"][..], request("set_super_value first_data_block 0", "s_first_data_block")),
        (&["-O", "casefold"], request("set_super_value encoding 99", "s_encoding")),
        (&["-O", "meta_bg,^resize_inode"], request("set_super_value first_meta_bg 1000", "s_first_meta_bg")),
        (&["-O", "bigalloc"], request("set_super_value clusters_per_group 100", "s_clusters_per_group")),
        (&["-O", "^flex_bg,^metadata_csum"], request("set_bg 1 block_bitmap 5000", "group 1's descriptor")),
        (&["-O", "^flex_bg,^metadata_csum"], request("set_bg 1 inode_bitmap 32769", "block 32769")),
        (&["-O", "^metadata_csum"], request("set_bg 1 inode_table 1", "two kinds")),
        (&["-O", "metadata_csum"], request("set_super_value checksum_type 7", "s_checksum_type")),
    ] {
        mke2fs(&image, options, None);
        damage(&image, case, has_kernel);
    }
}

/// What is right is refused by nobody.
#[test]
fn forms_that_are_right_are_not_refused() {
    let has_kernel = kernel::is_available();
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    for options in [
        &[][..],
        &["-r", "0", "-O", "none"],
        &["-O", "none"],
        &["-O", "none,filetype,sparse_super"],
        &["-O", "none,has_journal,filetype"],
        &["-o", "hurd", "-O", "none"],
        &["-b", "1024"],
        &["-b", "1024", "-O", "^flex_bg,^64bit,^resize_inode"],
        &["-b", "1024", "-O", "meta_bg,^resize_inode"],
        &["-b", "1024", "-O", "bigalloc,^resize_inode", "-C", "16384"],
        &["-b", "1024", "-O", "^sparse_super,^resize_inode", "-g", "1024", "-N", "10000"],
        &["-b", "2048"],
        &["-g", "256", "-N", "4096", "-O", "^resize_inode"],
        &["-G", "1"],
        &["-G", "1024"],
        &["-I", "128"],
        &["-I", "4096"],
        &["-N", "16"],
        &["-J", "size=4"],
        &["-J", "size=64,fast_commit_size=8"],
        &["-O", "^has_journal"],
        &["-O", "64bit,meta_bg,^resize_inode", "-g", "512", "-N", "4096"],
        &["-O", "bigalloc", "-C", "1048576"],
        &["-O", "casefold,encrypt,verity"],
        &["-O", "inline_data,ea_inode,large_dir,project,quota"],
        &["-O", "mmp,metadata_csum_seed,orphan_file,fast_commit,stable_inodes"],
        &["-O", "sparse_super2,^resize_inode"],
        &["-O", "sparse_super2,^resize_inode", "-E", "num_backup_sb=1"],
        &["-O", "uninit_bg,^metadata_csum"],
        &["-E", "packed_meta_blocks=1"],
        &["-E", "resize=1T"],
        &["-E", "stride=16,stripe_width=64"],
    ] {
        mke2fs(&image, options, None);
        let said = refusal(&image).map(|error| error.to_string());
        assert_eq!(said, None, "{options:?}");
        if has_kernel && has_options(options) {
            let mount = Mount::new(&image, Access::ReadWrite).unwrap_or_else(|error| panic!("{options:?}: {error}"));
            mount.unmount().unwrap();
            assert_eq!(refusal(&image).map(|error| error.to_string()), None, "{options:?} after a mount");
        }
    }
}

/// Whether a kernel has what the form needs, as far as that is an option of its own.
fn has_options(options: &[&str]) -> bool {
    !options.iter().any(|option| option.contains("casefold") || option.contains("quota"))
}

#[test]
fn what_grew_elsewhere_is_not_refused() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    for options in [&[][..], &["-b", "1024"], &["-O", "^flex_bg"], &["-O", "^resize_inode"]] {
        for size in ["300M", "3G", "200M"] {
            if size == "300M" {
                mke2fs(&image, options, None);
            }
            command::run(Command::new("resize2fs").arg("-f").arg(&image).arg(size)).unwrap();
            fsck::check(&image).unwrap();
            assert_eq!(refusal(&image).map(|error| error.to_string()), None, "{options:?} {size}");
        }
    }
}

/// Without its journal's device no kernel mounts it, and the file does not tell whether it will be there.
#[test]
fn a_journal_on_another_device_is_left_open() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    mke2fs(&image, &["-O", "^has_journal"], None);
    debugfs(&image, "set_super_value feature_compat 0x3c");
    debugfs(&image, "set_super_value journal_dev 0x700");
    let error = refusal(&image).unwrap();
    assert!(matches!(error, Error::Unsupported { .. }) && error.to_string().contains("another device"), "{error}");
}

/// A directory whose map names its blocks twice.
#[test]
fn blocks_that_are_in_two_places_of_a_directory_are_damage() {
    let directory = tempfile::tempdir().unwrap();
    let (image, source) = (directory.path().join("image"), directory.path().join("source"));
    fs::create_dir_all(source.join("full")).unwrap();
    for number in 0..400 {
        fs::write(source.join(format!("full/a name of some length, number {number}")), b"").unwrap();
    }
    let root = |image: &Path| {
        let reader = open(image).unwrap();
        let full = reader.stat(b"/full").unwrap().unwrap();
        reader.list(&full).map(|names| names.len())
    };
    mke2fs(&image, &["-O", "^metadata_csum"], Some(&source));
    assert_eq!(root(&image).unwrap(), 400);
    debugfs(&image, "set_inode_field /full blocks 8");
    assert!(root(&image).unwrap_err().to_string().contains("i_blocks"));
    fsck::check(&image).unwrap_err();
    // Room enough, and two extents that are one.
    mke2fs(&image, &["-O", "^metadata_csum"], Some(&source));
    let place = first_block(&image, "/full");
    debugfs(&image, "set_inode_field /full blocks 8000");
    let extent = |logical: u32| [logical, 4, place].map(u32::to_le_bytes);
    let words = [[0x0a, 0xf3, 2, 0], [4, 0, 0, 0], [0; 4]].into_iter().chain(extent(0)).chain(extent(4));
    for (index, word) in words.enumerate() {
        let word = u32::from_le_bytes(word);
        debugfs(&image, &format!("set_inode_field /full block[{index}] {word}"));
    }
    assert!(root(&image).unwrap_err().to_string().contains("extent tree"));
}
