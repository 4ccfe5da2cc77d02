//! dm-verity: `veritysetup` and a guest's kernel accept what nex writes, and object to every change of it.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nex_testkit::guest::Guest;
use nex_testkit::nex::{self, fails, names, rootfs};
use nex_testkit::veritysetup::HashTree;
use nex_testkit::{Result, command, fsck, layout, places};
use serde_json::Value;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
const BLOCK: u64 = 4096;

/// An image with a hash tree, and what nex said about them.
struct Sealed {
    directory: TempDir,
    report: Value,
    hashes: PathBuf,
}

impl Sealed {
    /// Builds with these arguments beside `--verity`.
    fn appended(arguments: &[&str]) -> Result<Self> {
        Self::new("rootfs.ext4", |build| build.arg("--verity").args(arguments))
    }

    /// Builds with these arguments and a file for the tree.
    fn beside(arguments: &[&str]) -> Result<Self> {
        Self::new("rootfs.verity", |build| build.args(["--verity-file", "rootfs.verity"]).args(arguments))
    }

    fn new(hashes: &str, add: impl FnOnce(&mut Command) -> &mut Command) -> Result<Self> {
        let directory = nex::directory()?;
        let mut build = rootfs("scratch", Path::new("rootfs.ext4"))?;
        add(build.current_dir(directory.path()).args(["--format", "json"]));
        let report = serde_json::from_slice(&command::run(&mut build)?)?;
        let hashes = directory.path().join(hashes);
        Ok(Self { directory, report, hashes })
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("rootfs.ext4")
    }

    fn number(&self, key: &str) -> u64 {
        self.report["verity"][key].as_u64().unwrap_or_default()
    }

    fn text(&self, key: &str) -> &str {
        self.report["verity"][key].as_str().unwrap_or_default()
    }

    fn verify(&self, root_hash: &str) -> Result<()> {
        HashTree { data: &self.image(), hashes: &self.hashes, offset: self.number("hashOffset") }.verify(root_hash)
    }

    /// veritysetup makes the same tree, and e2fsck accepts the file system before it.
    fn is_what_veritysetup_makes(&self) -> Result<()> {
        fsck::judge(&self.image())?;
        self.verify(self.text("rootHash"))?;
        let theirs = self.directory.path().join("theirs");
        let tree = HashTree { data: &self.image(), hashes: &theirs, offset: 0 };
        let printed = tree.format(self.number("dataBlocks"), self.text("salt"), self.text("uuid"))?;
        assert!(printed.contains(self.text("rootHash")), "{printed}");
        let ours = fs::read(&self.hashes)?.split_off(self.number("hashOffset") as usize);
        assert!(ours == fs::read(&theirs)?, "veritysetup writes another tree");
        assert_eq!(ours.len() as u64, self.number("hashBytes"));
        assert_eq!(self.report["outputBytes"].as_u64(), Some(self.image().metadata()?.len()));
        Ok(())
    }

    /// Flips a byte of a file, has `judge` look, and flips it back.
    fn with_flipped_byte(&self, file: &Path, place: u64, judge: impl FnOnce() -> Result<()>) -> Result<()> {
        let file = File::options().read(true).write(true).open(file)?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, place)?;
        file.write_all_at(&[!byte[0]], place)?;
        judge()?;
        Ok(file.write_all_at(&byte, place)?)
    }
}

#[test]
fn veritysetup_makes_the_same_tree() -> Result<()> {
    // Among them a size that ends within a block, and one whose last block group is left off.
    for size in ["16MiB", "67108864", "25166336", "130MiB", "auto"] {
        let appended = Sealed::appended(&["--size", size])?;
        appended.is_what_veritysetup_makes()?;
        let end = appended.number("dataBlocks") * BLOCK;
        assert_eq!(appended.number("hashOffset"), end);
        assert_eq!(appended.report["size"].as_u64(), Some(end));
        let beside = Sealed::beside(&["--size", size])?;
        beside.is_what_veritysetup_makes()?;
        assert_eq!(beside.text("rootHash"), appended.text("rootHash"));
        assert_eq!(beside.report["uuid"], appended.report["uuid"]);
    }
    Ok(())
}

#[test]
fn the_report_names_the_file_that_is_there() -> Result<()> {
    let sealed = Sealed::appended(&["--sha256"])?;
    let digest = layout::digest(&fs::read(sealed.image())?);
    assert_eq!(sealed.report["sha256"].as_str(), digest.strip_prefix("sha256:"));
    assert_eq!(sealed.report["size"], 150 * MIB);
    assert_eq!(sealed.report["outputBytes"].as_u64(), Some(150 * MIB + sealed.number("hashBytes")));
    let unhashed = Sealed::appended(&[])?;
    assert_eq!(unhashed.report.get("sha256"), None);
    assert_eq!(fs::read(unhashed.image())?, fs::read(sealed.image())?);
    // The commands of the report are there to be copied.
    let mut verify = Command::new("sh");
    verify.current_dir(sealed.directory.path()).args(["-c", sealed.text("verify")]);
    command::run(&mut verify).map(drop)
}

#[test]
fn every_change_is_refused() -> Result<()> {
    for sealed in [Sealed::appended(&["--size", "67108864"])?, Sealed::beside(&["--size", "67108864"])?] {
        let root_hash = sealed.text("rootHash").to_owned();
        sealed.verify(&root_hash)?;
        let refused = || {
            assert!(sealed.verify(&root_hash).is_err(), "the change is accepted");
            Ok(())
        };
        let (offset, end) = (sealed.number("hashOffset"), sealed.number("hashOffset") + sealed.number("hashBytes"));
        let last_block = (sealed.number("dataBlocks") - 1) * BLOCK;
        for place in [0, 1024 + 56, 20 * MIB + 5, last_block + 4095] {
            sealed.with_flipped_byte(&sealed.image(), place, refused)?;
        }
        // The superblock's signature, the root, and the last hash.
        for place in [offset, offset + BLOCK, end - BLOCK] {
            sealed.with_flipped_byte(&sealed.hashes, place, refused)?;
        }
        let first = if root_hash.starts_with('0') { "1" } else { "0" };
        let other = format!("{first}{}", &root_hash[1..]);
        assert!(sealed.verify(&other).is_err(), "another root hash is accepted");
        sealed.verify(&root_hash)?;
    }
    Ok(())
}

#[test]
fn compressed_and_piped_outputs_hold_the_tree_too() -> Result<()> {
    let sealed = Sealed::appended(&[])?;
    let expected = fs::read(sealed.image())?;
    for (name, tool) in [("out.ext4.gz", "gzip"), ("out.ext4.zst", "zstd")] {
        let output = sealed.directory.path().join(name);
        command::run(rootfs("scratch", &output)?.arg("--verity"))?;
        let unpacked = command::run(Command::new(tool).arg("-dc").stdin(Stdio::from(File::open(&output)?)))?;
        assert!(unpacked == expected, "{name} holds another file");
        // A tree in a file of its own is never compressed.
        let hashes = sealed.directory.path().join("out.verity");
        command::run(rootfs("scratch", &output)?.arg("--verity-file").arg(&hashes))?;
        assert!(fs::read(&hashes)? == expected[150 * MIB as usize..], "the tree beside {name} is another");
    }
    let piped = command::run(rootfs("scratch", Path::new("-"))?.arg("--verity"))?;
    assert!(piped == expected, "-o - gives another file");
    let hashes = sealed.directory.path().join("piped.verity");
    let piped = command::run(rootfs("scratch", Path::new("-"))?.arg("--verity-file").arg(&hashes))?;
    assert!([piped, fs::read(hashes)?].concat() == expected, "-o - with a hash file gives other files");
    Ok(())
}

#[test]
fn holes_cost_nothing_but_their_hashes() -> Result<()> {
    let sealed = Sealed::beside(&["--size", "20GiB"])?;
    assert_eq!(sealed.hashes.metadata()?.len(), sealed.number("hashBytes"));
    assert!(sealed.image().metadata()?.blocks() * 512 < 64 * MIB, "the image lost its holes");
    Ok(())
}

#[test]
fn a_hash_file_that_cannot_be_written_is_named_and_nothing_is_left() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("rootfs.ext4");
    let build = |hash_file: &Path| -> Result<Command> {
        let mut build = rootfs("scratch", &output)?;
        build.arg("--verity-file").arg(hash_file);
        Ok(build)
    };
    let inside = |name: &str| directory.path().join(name);
    fails(&mut build(&inside("no/such"))?, directory.path(), &["/no'", "hash file", "--verity-file"])?;
    fails(&mut build(directory.path())?, directory.path(), &["hash file", "directory", "rootfs.verity"])?;
    fails(&mut build(Path::new("/dev/null"))?, directory.path(), &["/dev/null", "not a regular file"])?;
    fails(&mut build(&inside("./rootfs.ext4"))?, directory.path(), &["both", "--verity"])?;
    for wrong in [&["--verity", "--verity-file", "x"][..], &["--verity-file", "-"], &["--verity-file", "x.zst"]] {
        let result = command::output(rootfs("scratch", &output)?.current_dir(directory.path()).args(wrong))?;
        assert_eq!(result.status.code(), Some(2), "{wrong:?}");
    }
    assert!(names(directory.path())?.is_empty());
    Ok(())
}

#[test]
fn a_disk_too_full_for_the_tree_is_said_and_no_image_is_left() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: mounting a small tmpfs is root's");
        return Ok(());
    }
    let directory = nex::directory()?;
    let small = directory.path().join("small");
    fs::create_dir(&small)?;
    let mut build = rootfs("scratch", &directory.path().join("rootfs.ext4"))?;
    build.arg("--verity-file").arg(small.join("rootfs.verity"));
    let script = "mount -t tmpfs -o size=500k tmpfs \"$0\" && \"$@\"; code=$?; ls -A \"$0\"; exit $code";
    let mut bounded = Command::new("unshare");
    bounded.args(["--mount", "sh", "-c", script]).arg(&small).arg(build.get_program()).args(build.get_args());
    let result = command::output(&mut bounded)?;
    nex::failed(&result, &["no space is left", "/small'", "--verity-file"])?;
    assert!(result.stdout.is_empty(), "left behind: {}", String::from_utf8_lossy(&result.stdout));
    assert_eq!(names(directory.path())?, ["small"]);
    Ok(())
}

/// The kernel's own dm-verity, told by the very arguments that the report has for it: it takes what dmsetup calls concise.
#[test]
fn a_kernel_mounts_what_is_sealed_and_refuses_what_was_changed() -> Result<()> {
    let sealed = Sealed::appended(&["--size", "24MiB"])?;
    let beside = Sealed::beside(&["--size", "24MiB"])?;
    let agent = fs::read(nex::agent()?)?;
    let changed = sealed.directory.path().join("changed.ext4");
    fs::copy(sealed.image(), &changed)?;
    let start = fs::read(&changed)?.windows(64).position(|window| window == &agent[..64]);
    let start = start.ok_or(nex_testkit::Failure::new("the agent is not in the image"))? as u64;
    File::options().write(true).open(&changed)?.write_all_at(b"changed", start + 20_000)?;

    let script = format!(
        r#"
        check() {{
            dmsetup create --concise "$1" || return 2
            mount -t ext4 -o ro /dev/dm-0 /mnt || return 3
            cat /mnt/usr/local/bin/agent >/tmp/agent; read=$?
            ! touch /mnt/new 2>/dev/null || return 4
            umount /mnt; dmsetup remove rootfs
            return $read
        }}
        mkdir /mnt
        check '{appended}' || exit 1
        cp /tmp/agent /tmp/good
        check '{beside}' || exit 1
        cmp /tmp/agent /tmp/good || exit 1
        check '{changed}'; [ $? = 1 ] || exit 1
        echo 'all is as it should be'
        "#,
        appended = concise(&sealed, ["/dev/vda", "/dev/vda"]),
        beside = concise(&beside, ["/dev/vdb", "/dev/vdc"]),
        changed = concise(&sealed, ["/dev/vdd", "/dev/vdd"]),
    );
    let guest = Guest::new(script)
        .programs(&["dmsetup"])
        .modules(&["dm_verity", "sha256", "sha256_generic"])
        .drive(sealed.image())
        .drive(beside.image())
        .drive(&beside.hashes)
        .drive(&changed);
    let Some(finished) = guest.run()? else { return Ok(()) };
    assert!(finished.console.contains("data block"), "the kernel does not say what it refuses: {}", finished.console);
    assert!(finished.success()?.contains("all is as it should be"));
    Ok(())
}

/// The device that the kernel's arguments describe, with these drives for data and hashes.
fn concise(sealed: &Sealed, [data, hashes]: [&str; 2]) -> String {
    let arguments = sealed.text("kernelArguments");
    let device = arguments.split('"').nth(1).unwrap_or_default();
    let expected =
        if sealed.report["verity"]["hashFile"].is_null() { " /dev/vda /dev/vda " } else { " /dev/vda /dev/vdb " };
    assert!(device.contains(expected), "{arguments}");
    device.replace(expected, &format!(" {data} {hashes} "))
}
