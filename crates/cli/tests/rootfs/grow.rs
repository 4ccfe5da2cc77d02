//! `nex rootfs grow`: the same tree in a larger file, and whatever goes wrong leaves the file as it was.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::nex::{self, failed, rootfs};
use nex_testkit::{Failure, Result, command, fsck, image_tree, manifest};
use serde_json::Value;
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// A root filesystem.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new(arguments: &[&str]) -> Result<Self> {
        let place = Self { directory: nex::directory()? };
        command::run(rootfs("scratch", &place.file())?.args(arguments))?;
        Ok(place)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("rootfs.ext4")
    }

    fn length(&self) -> Result<u64> {
        Ok(fs::metadata(self.file())?.len())
    }

    fn grow(&self, size: &str) -> Command {
        grow(&self.file(), size)
    }

    /// The command fails with all of `words`, and changes no byte.
    fn fails(&self, command: &mut Command, words: &[&str]) -> Result<()> {
        nex::fails_to_change(command, &self.file(), words)
    }
}

fn grow(file: &Path, size: &str) -> Command {
    nex::change("grow", file, size)
}

#[test]
fn the_file_and_its_file_system_become_as_large_as_asked() -> Result<()> {
    let place = Place::new(&[])?;
    let tree = image_tree::read(&place.file())?;
    for (size, expected) in [("157286400", 150 * MIB), ("+50MiB", 200 * MIB), ("1GiB", 1024 * MIB), ("2G", 2048 * MIB)]
    {
        let said = String::from_utf8_lossy(&command::run(&mut place.grow(size))?).into_owned();
        assert_eq!(place.length()?, expected);
        assert!(said.contains(&format!("({expected} bytes)")), "{said}");
        assert_eq!(said.contains("nothing to grow"), expected == 150 * MIB, "{said}");
        fsck::judge(&place.file())?;
        manifest::equal(&tree, &image_tree::read(&place.file())?)?;
    }
    assert!(fs::metadata(place.file())?.blocks() * 512 < 16 * MIB, "the file stays sparse");
    if kernel::is_available() {
        kernel::writes(&place.file())?;
    }
    Ok(())
}

#[test]
fn the_report_is_one_json_object() -> Result<()> {
    let place = Place::new(&["--size", "64MiB", "--max-size", "64MiB"])?;
    // Three blocks more than 73 groups, for which there is no group.
    let size = 73 * 128 * MIB + 3 * 4096;
    let json = command::run(place.grow(&size.to_string()).args(["--format", "json"]))?;
    let report: Value = serde_json::from_slice(&json)?;
    assert_eq!(report["schemaVersion"], 1);
    assert_eq!(report["size"], size);
    assert_eq!(report["before"]["bytes"], 64 * MIB);
    assert_eq!(report["now"]["blocks"], 73 * 32_768);
    assert_eq!(report["now"]["inodes"], 73 * 8192);
    assert_eq!(report["notes"][0], "the last 12.0 KiB of the file are not used: too few for a group of blocks");
    fsck::check(&place.file())?;

    let result = command::output(place.grow("64MiB").env("NEX_FORMAT", "json"))?;
    let error: Value = serde_json::from_slice(&result.stdout)?;
    assert!(error["error"]["causes"].to_string().contains("cannot shrink to 67108864"), "{error}");
    assert_eq!(result.status.code(), Some(1));
    Ok(())
}

#[test]
fn sizes_that_cannot_be_are_refused() -> Result<()> {
    let place = Place::new(&[])?;
    place.fails(&mut place.grow("149MiB"), &["has 157286400 bytes already", "cannot shrink to 156237824"])?;
    place.fails(&mut place.grow("17TiB"), &["can grow to 17592186044416 bytes", "ask for that or less"])?;
    place.fails(&mut place.grow("+18446744073709551104"), &["can grow to 17592186044416 bytes"])?;
    for (size, word) in [("1.5G", "is not a size"), ("+", "is not a size"), ("-5M", "-5"), ("157286401", "157286912")] {
        let result = command::output(&mut place.grow(size))?;
        assert_eq!(result.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&result.stderr).contains(word), "{size}");
    }
    Ok(())
}

#[test]
fn a_file_that_cannot_be_changed_is_refused() -> Result<()> {
    let place = Place::new(&[])?;
    let at = |name: &str| place.directory.path().join(name);
    let fails = |file: &Path, words: &[&str]| failed(&command::output(&mut grow(file, "1G"))?, words);
    fails(&at("none"), &["cannot open", "No such file"])?;
    fails(place.directory.path(), &["is not a regular file"])?;
    fs::write(at("other"), vec![7; 100_000])?;
    fails(&at("other"), &["no ext4 file system"])?;
    command::run(&mut rootfs("scratch", &at("image.zst"))?)?;
    fails(&at("image.zst"), &["is compressed", "unzstd"])?;
    command::run(rootfs("scratch", &at("sealed"))?.arg("--verity"))?;
    let sealed = fs::read(at("sealed"))?;
    fails(&at("sealed"), &["dm-verity", "seals it"])?;
    assert!(fs::read(at("sealed"))? == sealed);
    // Marked as the kernel marks what it has mounted.
    for (request, words) in [
        ("feature needs_recovery", &["not unmounted cleanly", "e2fsck -p"]),
        ("ssv state 0", &["not unmounted cleanly", "e2fsck -f"]),
        ("ssv state 3", &["found errors", "e2fsck -f"]),
    ] {
        let before = fs::read(place.file())?;
        command::run(Command::new("debugfs").args(["-w", "-R", request]).arg(place.file()))?;
        place.fails(&mut place.grow("1G"), words)?;
        fs::write(place.file(), before)?;
    }
    let file = File::options().write(true).open(place.file())?;
    file.write_all_at(&[1], 4096 + 20)?;
    place.fails(&mut place.grow("1G"), &["is damaged", "e2fsck -f"])?;
    file.set_len(100 * MIB)?;
    place.fails(&mut place.grow("1G"), &["is cut off", "take a whole copy"])
}

#[test]
fn a_file_in_use_is_refused() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let place = Place::new(&[])?;
    let mount = Mount::new(&place.file(), Access::ReadOnly)?;
    let result = command::output(&mut place.grow("1G"))?;
    mount.unmount()?;
    failed(&result, &["is in use", "attached as /dev/loop"])?;
    assert_eq!(place.length()?, 150 * MIB);
    Ok(())
}

#[test]
fn the_growth_that_set_agent_asks_for_makes_its_room() -> Result<()> {
    let place = Place::new(&["--size", "auto", "--free", "1MiB"])?;
    let agent = place.directory.path().join("large-agent");
    let mut large = fs::read(nex::agent()?)?;
    large.resize(200 << 20, 1);
    fs::write(&agent, large)?;
    let set_agent = || {
        let mut command = Command::new(nex::program());
        command.args(["rootfs", "set-agent"]).arg(place.file()).arg(&agent);
        command
    };
    let refusal = command::output(&mut set_agent())?;
    let said = String::from_utf8_lossy(&refusal.stderr).into_owned();
    let advice = said.split("make room with: nex ").nth(1).expect("advice").trim_end().to_owned();
    command::run(Command::new("sh").args(["-c", &format!("{} {advice}", nex::program())]))?;
    command::run(&mut set_agent())?;
    fsck::check(&place.file())
}

#[test]
fn a_limit_on_the_size_of_files_is_said() -> Result<()> {
    let place = Place::new(&[])?;
    let grow = place.grow("1GiB");
    let mut bounded = Command::new("sh");
    bounded.args(["-c", "ulimit -f 400000; exec \"$@\"", "sh"]).arg(grow.get_program()).args(grow.get_args());
    place.fails(&mut bounded, &["larger than a file may be", "ulimit -f"])
}

#[test]
fn a_full_host_leaves_the_file_as_it_was() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let place = Place::new(&["--size", "64MiB"])?;
    let mount = nex::directory()?;
    command::run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=8M", "tmpfs"]).arg(mount.path()))?;
    let result = (|| {
        let file = mount.path().join("rootfs.ext4");
        command::run(Command::new("cp").arg("--sparse=always").arg(place.file()).arg(&file))?;
        let filler = Command::new("dd")
            .args(["if=/dev/zero", "bs=4096"])
            .arg(format!("of={}", mount.path().join("filler").display()))
            .stderr(Stdio::null())
            .status()?;
        if filler.success() {
            return Err(Failure::new("the host is not full"));
        }
        failed(&command::output(&mut grow(&file, "100GiB"))?, &["No space left on device"])?;
        if fs::read(&file)? != fs::read(place.file())? {
            return Err(Failure::new("the file changed"));
        }
        fs::remove_file(mount.path().join("filler"))?;
        command::run(&mut grow(&file, "100GiB"))?;
        fsck::check(&file)
    })();
    command::run(Command::new("umount").arg(mount.path()))?;
    result
}

#[test]
fn its_page_is_there() -> Result<()> {
    for (arguments, expected) in
        [(["manual", "rootfs-grow"], "nex\\-rootfs\\-grow"), (["completion", "bash"], "rootfs__subcmd__grow")]
    {
        let said = String::from_utf8_lossy(&command::run(Command::new(nex::program()).args(arguments))?).into_owned();
        assert!(said.contains(expected), "{arguments:?}");
    }
    Ok(())
}
