//! Journals that the kernel and debugfs have written, judged block by block by e2fsck, which replays them on a copy.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::kernel::{self, Mount};
use nex_testkit::noise::Random;
use nex_testkit::{command, fsck};

use super::log::Log;
use super::*;
use crate::jbd2::{COMPAT_CHECKSUM, Header, block_type, incompat};
use crate::reader::{Budget, Options};

/// Makes a file system of 48 MiB.
fn mke2fs(directory: &Path, options: &[&str]) -> PathBuf {
    let image = directory.join("image");
    let mut mke2fs = Command::new("mke2fs");
    mke2fs.args(["-q", "-F", "-t", "ext4", "-T", "default", "-E", "lazy_journal_init=0", "-N", "2000"]).args(options);
    command::run(mke2fs.arg(&image).arg("48M")).unwrap();
    image
}

/// Has debugfs do things; what it says is for people.
fn debugfs(image: &Path, requests: &str) -> String {
    let script = image.with_extension("requests");
    fs::write(&script, requests).unwrap();
    let output = command::output(Command::new("debugfs").arg("-w").arg("-f").arg(&script).arg(image)).unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Writes files, deletes directories so that blocks are revoked and used again, and commits.
const WRITE: &str = "
mkdir kept old
for i in $(seq 120); do seq $((i * 9)) >kept/$i; mkdir old/$i; done
dd if=/dev/zero of=sync bs=1 count=1 conv=fsync status=none
rm -r old
for i in $(seq 90); do seq $((i * 40)) >new$i; ln -s $(seq -s/ 30) link$i; done
dd if=/dev/zero of=sync bs=1 count=1 conv=fsync status=none
";

/// Begins a block with the magic of the journal, in a file whose blocks are in the journal.
const ESCAPED: &str = "printf '\\300\\073\\071\\230' | dd of=escaped bs=4096 count=1 conv=fsync status=none\n";

/// A copy of a file system that the kernel has mounted, with changes that are in the journal only.
fn stopped(image: &Path, mount_options: &str, script: &str) -> tempfile::TempPath {
    let mount = Mount::with_options(image, mount_options).unwrap();
    mount.run(script).unwrap();
    let copy = fsck::sparse_copy(image).unwrap();
    mount.unmount().unwrap();
    copy
}

fn open(image: &Path) -> Reader<File> {
    Reader::open(File::open(image).unwrap(), Options::default()).unwrap()
}

/// The image as it stands, with nothing replayed.
fn unreplayed(image: &Path) -> Reader<File> {
    let options = Options { replay: Replay::Never, ..Options::default() };
    Reader::open(File::open(image).unwrap(), options).unwrap()
}

/// A copy that e2fsck has replayed the journal of, and has changed nothing else in.
fn replayed(image: &Path) -> tempfile::TempPath {
    let copy = fsck::sparse_copy(image).unwrap();
    let mut e2fsck = Command::new("e2fsck");
    let output = command::output(e2fsck.args(["-y", "-E", "journal_only"]).arg(&copy)).unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("recovering journal"), "{output:?}");
    copy
}

/// The blocks that a reader shows otherwise than a file has them. Left out is what a replay writes besides: superblocks, and
/// the journal's own.
fn differences(reader: &Reader<File>, file: &Path) -> BTreeSet<u64> {
    let block_size = reader.superblock.block_size;
    let file = File::open(file).unwrap();
    let log = reader.run(&reader.inode(reader.superblock.journal_inode).unwrap(), 0).unwrap().start.unwrap();
    let mut own: BTreeSet<u64> = [log, 1024 / block_size].into();
    own.extend((0..reader.superblock.group_count()).map(|group| reader.superblock.group_start(group)));
    let differs = |block: u64, count: u64| {
        let (mut shown, mut expected) =
            (vec![0; (count * block_size) as usize], vec![0; (count * block_size) as usize]);
        reader.storage.read_at(&mut shown, block * block_size).unwrap();
        file.read_exact_at(&mut expected, block * block_size).unwrap();
        shown != expected
    };
    let at_once = 256;
    let runs = (0..reader.superblock.blocks).step_by(at_once as usize);
    let runs = runs.map(|start| start..(start + at_once).min(reader.superblock.blocks));
    let differing = runs.filter(|run| differs(run.start, run.end - run.start)).flatten();
    differing.filter(|block| !own.contains(block) && differs(*block, 1)).collect()
}

/// The reader shows what e2fsck's replay leaves, which is not what stood there.
fn judge(image: &Path, what: &str) {
    let expected = replayed(image);
    let reader = open(image);
    assert!(matches!(reader.recovery(), Recovery::Done), "{what}: {:?}", reader.recovery());
    assert_eq!(differences(&reader, &expected), BTreeSet::new(), "{what}");
    assert!(!differences(&unreplayed(image), &expected).is_empty(), "{what}: the journal holds nothing");
    let after = open(&expected);
    assert!(reader.superblock().needs_recovery() && !after.superblock().needs_recovery());
    let counts = |reader: &Reader<File>| (reader.superblock.blocks, reader.superblock.inodes, reader.superblock.uuid);
    assert_eq!(counts(&reader), counts(&after), "{what}");
}

#[test]
fn what_the_kernel_left_in_journals() {
    if !kernel::is_available() {
        return;
    }
    for (options, mount_options, features, compat) in [
        (&[][..], "commit=300", incompat::CSUM_V3 | incompat::BIT64, 0),
        (&["-b", "1024"], "commit=300", incompat::CSUM_V3, 0),
        (&["-b", "2048", "-O", "^64bit"], "commit=300", incompat::CSUM_V3, 0),
        (&["-O", "^metadata_csum"], "commit=300", incompat::BIT64, 0),
        (&["-O", "^metadata_csum,^64bit,^extent"], "commit=300", 0, 0),
        (&["-O", "^metadata_csum", "-b", "1024"], "commit=300,journal_checksum", incompat::BIT64, COMPAT_CHECKSUM),
        (
            &["-O", "^metadata_csum,^64bit"],
            "commit=300,data=writeback,journal_async_commit",
            incompat::ASYNC_COMMIT,
            COMPAT_CHECKSUM,
        ),
        (&[], "commit=300,data=writeback,journal_async_commit", incompat::ASYNC_COMMIT | incompat::CSUM_V3, 0),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let image = mke2fs(directory.path(), options);
        let what = format!("{options:?} {mount_options}");
        let copy = stopped(&image, mount_options, WRITE);
        judge(&copy, &what);
        let reader = unreplayed(&copy);
        let log = Log::open(&reader).unwrap().unwrap();
        let end = passes::scan(&log).unwrap();
        let mut writes = passes::writes(&log, end).unwrap();
        let before = writes.count();
        passes::revoke(&log, end, &mut writes).unwrap();
        assert!(writes.count() < before, "{what}: nothing is revoked");
        assert_eq!((log.superblock.incompat & features, log.superblock.compat), (features, compat), "{what}");
    }
}

#[test]
fn content_in_a_journal_that_looks_like_its_own_blocks() {
    if !kernel::is_available() {
        return;
    }
    for options in [&[][..], &["-b", "1024"], &["-O", "^metadata_csum"]] {
        let directory = tempfile::tempdir().unwrap();
        let image = mke2fs(directory.path(), options);
        let copy = stopped(&image, "data=journal,commit=300", ESCAPED);
        judge(&copy, &format!("{options:?}"));
        let reader = open(&copy);
        let file = reader.stat(b"/escaped").unwrap().unwrap();
        assert_eq!(reader.content(&file, 10).unwrap(), [0xC0, 0x3B, 0x39, 0x98]);
    }
}

/// A log of 1,023 blocks, written over again and again.
#[test]
fn a_log_that_goes_over_its_end() {
    if !kernel::is_available() {
        return;
    }
    let commit = "for i in $(seq 12); do mkdir d$1-$i; seq $i >d$1-$i/f; done; rm -rf d$(($1 - 3))-*\n\
                  dd if=/dev/zero of=sync bs=1 count=1 conv=fsync status=none";
    let directory = tempfile::tempdir().unwrap();
    let image = mke2fs(directory.path(), &["-b", "1024", "-J", "size=1"]);
    let mount = Mount::with_options(&image, "commit=300").unwrap();
    let mut over_the_end = 0;
    for round in 0..60 {
        mount.run(&format!("set -- {round}\n{commit}")).unwrap();
        if round % 5 != 4 {
            continue;
        }
        let copy = fsck::sparse_copy(&image).unwrap();
        let reader = unreplayed(&copy);
        let Some(log) = Log::open(&reader).unwrap() else { continue };
        let end = passes::scan(&log).unwrap();
        let writes = passes::writes(&log, end).unwrap();
        let places = writes.into_places(&log).unwrap();
        let start = log.place(log.superblock.start).unwrap();
        // The journal is in one piece here.
        over_the_end += usize::from(places.values().any(|place| place.block < start));
        judge(&copy, &format!("round {round}"));
    }
    mount.unmount().unwrap();
    assert!(over_the_end > 0, "the log has never gone over its end");
}

#[test]
fn fast_commits_are_told() {
    if !kernel::is_available() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let image = mke2fs(directory.path(), &["-O", "fast_commit"]);
    // Extended attributes are beyond fast commits, so that all is committed.
    let whole = "mkdir -p kept; seq 90 >kept/1; setfattr -n user.x -v $(date +%N) kept/1; sync kept/1\n";
    judge(&stopped(&image, "commit=300", whole), "without any");
    let fast = "seq 900 >kept/2; sync kept/2; dd if=/dev/zero of=kept/3 bs=9k count=1 conv=fsync status=none\n";
    let copy = stopped(&image, "commit=300", &format!("{whole}{fast}"));
    let reader = open(&copy);
    assert!(matches!(reader.recovery(), Recovery::WithoutFastCommits), "{:?}", reader.recovery());
    assert!(reader.stat(b"/kept/1").unwrap().is_some());
}

/// Requests to debugfs that write transactions to a journal: with a block that is escaped, with revokes of what was written
/// before and of what is written again, and one that is not committed at last.
fn transactions(image: &Path, block_size: usize, checksums: &str) -> String {
    let mut random = Random::new(7);
    let mut file = |name: &str, blocks: usize| {
        let mut bytes: Vec<u8> = (0..blocks * block_size).map(|_| random.byte()).collect();
        if blocks > 1 {
            bytes[block_size..][..4].copy_from_slice(&[0xC0, 0x3B, 0x39, 0x98]);
        }
        let path = image.with_extension(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let [three, two, one, many] = [file("three", 3), file("two", 2), file("one", 1), file("many", 400)];
    let places: Vec<String> = (10_000..10_400).map(|block: u32| block.to_string()).collect();
    // With tags of an odd length, debugfs 1.47 writes what comes behind many blocks over their commit.
    let uncommitted = if checksums.contains("-v 2") { String::new() } else { format!("jw -b 9002 -c {one}\n") };
    [
        format!("jo {checksums}"),
        format!("jw -b 9000,9001,9002 {three}"),
        format!("jw -b 9003,9000 {two}"),
        "jw -r 9001,9002".into(),
        format!("jw -b 9001 {one}"),
        format!("jw -b {} {many}", places.join(",")),
        format!("{uncommitted}jc\n"),
    ]
    .join("\n")
}

const WRITTEN: [(&[&str], usize, &str); 8] = [
    (&[], 4096, "-c"),
    (&[], 4096, "-c -v 2"),
    (&["-b", "1024"], 1024, "-c -v 3"),
    (&["-b", "1024", "-O", "^64bit"], 1024, "-c -v 2"),
    (&["-b", "2048", "-O", "^64bit"], 2048, "-c -v 3"),
    (&["-O", "^metadata_csum"], 4096, ""),
    (&["-b", "1024", "-O", "^metadata_csum,^64bit"], 1024, ""),
    (&["-b", "1024", "-O", "^metadata_csum,^64bit,^extent"], 1024, ""),
];

#[test]
fn what_debugfs_wrote_to_journals_of_each_format() {
    for (options, block_size, checksums) in WRITTEN {
        let directory = tempfile::tempdir().unwrap();
        let image = mke2fs(directory.path(), options);
        let told = debugfs(&image, &transactions(&image, block_size, checksums));
        let what = format!("{options:?} {checksums}: {told}");
        judge(&image, &what);
        let before = unreplayed(&image);
        let (places, _) = before.replay().unwrap();
        let expected = [9000, 9001, 9003].into_iter().chain(10_000..10_400);
        assert!(places.keys().copied().eq(expected), "{what}: {:?}", places.keys());
        assert!(places.values().any(|place| place.is_escaped), "{what}");
    }
}

/// What a block of the journal's own is.
fn header_type(log: &Log<File>, index: u32) -> Option<u32> {
    Header::decode(&log.block(index).unwrap()).map(|header| header.block_type)
}

/// Either the reader refuses the journal, or it shows what e2fsck's replay leaves.
#[test]
fn any_byte_of_a_journal_may_be_wrong() {
    let mut random = Random::new(0x5eed);
    for (options, block_size, checksums) in WRITTEN {
        let directory = tempfile::tempdir().unwrap();
        let image = mke2fs(directory.path(), options);
        debugfs(&image, &transactions(&image, block_size, checksums));
        let reader = unreplayed(&image);
        let log = Log::open(&reader).unwrap().unwrap();
        let own: Vec<u32> = (0..420).filter(|index| header_type(&log, *index).is_some()).collect();
        let (mut refused, mut read) = (0, 0);
        for round in 0..20 {
            let copy = fsck::sparse_copy(&image).unwrap();
            let index = if round % 4 == 3 { random.below(420) as u32 } else { own[random.below(own.len())] };
            // e2fsck 1.47 knows no commit that reached the disk in part.
            let is_commit = header_type(&log, index) == Some(block_type::COMMIT);
            let at = random.below(if is_commit { 60 } else { [16, 100, block_size][round % 3] });
            // It also refuses several users of a journal (`s_nr_users`), which the kernel does not look at.
            let at = if index == 0 && (0x40..0x44).contains(&at) { 0 } else { at };
            let place = log.place(index).unwrap() * block_size as u64 + at as u64;
            let file = File::options().read(true).write(true).open(&copy).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, place).unwrap();
            byte[0] ^= 1 << random.below(8);
            file.write_all_at(&byte, place).unwrap();
            let reader = open(&copy);
            if let Recovery::Failed(error) = reader.recovery() {
                assert!(!matches!(error, Error::Io(_) | Error::OverBudget { .. }), "{error}");
                assert_eq!(differences(&reader, &copy), BTreeSet::new(), "a part is replayed");
                refused += 1;
                continue;
            }
            let what = format!("{options:?} {checksums}: byte {at} of block {index} of the journal");
            assert_eq!(differences(&reader, &replayed(&copy)), BTreeSet::new(), "{what}");
            read += 1;
        }
        assert!(read > 0 && (refused > 0 || checksums.is_empty()), "{options:?}: {refused} refused, {read} read");
    }
}

/// What a journal's superblock can say, and what is made of it.
#[test]
fn journals_that_are_not_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let image = mke2fs(directory.path(), &["-O", "^metadata_csum"]);
    debugfs(&image, &transactions(&image, 4096, ""));
    let reader = unreplayed(&image);
    let start = Log::open(&reader).unwrap().unwrap().place(0).unwrap() * 4096;
    for (field, value, message) in [
        (0x0, 0, "the journal has no superblock"),
        (0x4, 9, "the journal has no superblock"),
        (0xC, 1024, "s_blocksize"),
        (0x10, 1_000_000, "s_maxlen"),
        (0x10, 100, "s_maxlen"),
        (0x14, 0, "s_first"),
        (0x14, u32::MAX, "s_first"),
        (0x1C, u32::MAX, "the journal has no block"),
        (0x28, 0x42, "incompat 0x40"),
        (0x28, 0x18, "checksums of two versions"),
        (0x28, 0x12, "the checksum of the journal's superblock"),
        (0x28, 0x22, "s_num_fc_blks"),
        (0x2C, 1, "ro_compat 0x1"),
    ] {
        let copy = fsck::sparse_copy(&image).unwrap();
        let file = File::options().write(true).open(&copy).unwrap();
        file.write_all_at(&u32::to_be_bytes(value), start + field).unwrap();
        let reader = open(&copy);
        let Recovery::Failed(error) = reader.recovery() else { panic!("{field:#x}: {:?}", reader.recovery()) };
        assert!(error.to_string().contains(message), "{field:#x}: {error}");
    }
    for (request, message) in [
        ("set_super_value journal_dev 0x801", "another device"),
        ("set_super_value journal_inum 0", "s_journal_inum"),
        ("set_super_value journal_inum 2", "inode 2, its journal (s_journal_inum), is none"),
        ("set_super_value feature_compat 0x38", "no journal (has_journal)"),
        ("set_inode_field <8> size 40000", "s_maxlen"),
    ] {
        let copy = fsck::sparse_copy(&image).unwrap();
        debugfs(&copy, request);
        let reader = open(&copy);
        let Recovery::Failed(error) = reader.recovery() else { panic!("{request}: {:?}", reader.recovery()) };
        assert!(error.to_string().contains(message), "{request}: {error}");
    }
    let first = unreplayed(&image);
    let first = Log::open(&first).unwrap().unwrap().place(1).unwrap() * 4096;
    for (block, message) in [(0x7FFF_FFFF, "past the end"), (12_288, "past the end"), (start as u32 / 4096 + 7, "own")]
    {
        let copy = fsck::sparse_copy(&image).unwrap();
        let file = File::options().write(true).open(&copy).unwrap();
        file.write_all_at(&block.to_be_bytes(), first + 12).unwrap();
        let reader = open(&copy);
        let Recovery::Failed(error) = reader.recovery() else { panic!("{block}: {:?}", reader.recovery()) };
        assert!(error.to_string().contains(message), "{block}: {error}");
    }
    let budget = Budget { structures: 12, ..Budget::default() };
    let options = Options { budget, ..Options::default() };
    assert!(matches!(Reader::open(File::open(&image).unwrap(), options), Err(Error::OverBudget { .. })));
}

/// The kernel would go round in it for ever.
#[test]
fn a_log_without_an_end() {
    let directory = tempfile::tempdir().unwrap();
    let image = mke2fs(directory.path(), &["-O", "^metadata_csum"]);
    debugfs(&image, &transactions(&image, 4096, ""));
    let reader = unreplayed(&image);
    let log = Log::open(&reader).unwrap().unwrap();
    let words = [crate::jbd2::MAGIC, block_type::REVOKE, log.superblock.sequence, 16].map(u32::to_be_bytes);
    let file = File::options().write(true).open(&image).unwrap();
    for index in log.superblock.first..log.end {
        file.write_all_at(&words.concat(), log.place(index).unwrap() * 4096).unwrap();
    }
    let reader = open(&image);
    let Recovery::Failed(error) = reader.recovery() else { panic!("{:?}", reader.recovery()) };
    assert!(error.to_string().contains("has no end"), "{error}");
}
