//! Roots that the guest's kernel checks: a sealed image comes up, a changed one does not, and who does not check it is told.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use nex_testkit::nex::boot::{Place, console, report};
use nex_testkit::{Result, command, nex};
use serde_json::Value;

/// The first byte belongs to nobody: ext4 leaves a kilobyte to boot loaders. So nothing but a hash tells that it has changed.
fn change_the_first_byte(image: &Path) -> Result<()> {
    Ok(File::options().write(true).open(image)?.write_all_at(b"x", 0)?)
}

/// Seals the root filesystem anew, and gives the build's report of its hash tree.
fn seal(image: &Path, arguments: &[&str]) -> Result<Value> {
    let mut build = nex::rootfs("scratch", image)?;
    build.args(["--size", "24MiB", "--format", "json"]).args(arguments).current_dir(image.parent().unwrap_or(image));
    let mut report: Value = serde_json::from_slice(&command::run(&mut build)?)?;
    Ok(report["verity"].take())
}

#[test]
fn the_guest_s_kernel_takes_what_was_sealed_and_refuses_what_was_changed() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let sealed = seal(&place.file(), &["--verity"])?;
    let root_hash = sealed["rootHash"].as_str().unwrap_or_default();
    let checked = || -> Result<Command> {
        let mut boot = place.boot()?;
        boot.args(["--quiet", "--root-hash", root_hash, "--verity"]).arg(place.file());
        Ok(boot)
    };
    let said = report(checked()?.arg("--overlay"))?;
    assert_eq!(said["verity"]["rootHash"], root_hash, "{said}");
    assert!(said["kernel"]["commandLine"].as_str().is_some_and(|line| line.contains("root=/dev/dm-0 ro")), "{said}");
    assert_eq!(said["notes"], Value::Array(Vec::new()), "{said}");

    let bytes = fs::read(place.file())?;
    change_the_first_byte(&place.file())?;
    let refused = command::output(&mut checked()?)?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let why = console(&refused);
    assert!(why.contains("(verity-mismatch)") && why.contains("data block 0 is corrupted"), "{why}");

    // Nothing else in the file keeps it from booting.
    let said = report(place.boot()?.arg("--quiet"))?;
    assert!(said["ready"] == true && said.get("verity").is_none(), "{said}");
    let note = said["notes"][0].as_str().unwrap_or_default();
    assert!(note.contains("sealed") && note.contains("nobody has checked it") && note.contains("--verity"), "{said}");
    assert!(fs::read(place.file())?[1..] == bytes[1..] && place.is_clean()?);
    Ok(())
}

#[test]
fn a_tree_that_is_not_the_image_s_is_refused_before_the_boot() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let sealed = seal(&place.file(), &["--verity-file", "tree.verity"])?;
    let root_hash = sealed["rootHash"].as_str().unwrap_or_default().to_owned();
    fs::write(place.path("short"), b"verity\0\0")?;
    let first = if root_hash.starts_with('0') { "1" } else { "0" };
    let wrong_hash = format!("{first}{}", &root_hash[1..]);
    let fails = |arguments: &[&str], words: &[&str]| {
        let mut boot = place.boot()?;
        boot.arg("--quiet").args(arguments).current_dir(place.directory.path());
        nex::fails(&mut boot, place.directory.path(), words)
    };
    // Its tree stands in a file of its own.
    fails(&["--verity", "rootfs.ext4"], &["rootfs.ext4' for dm-verity", "no hash tree", "--verity-file"])?;
    fails(&["--verity", "short"], &["short' for dm-verity", "no hash tree"])?;
    fails(&["--verity", "none"], &["none'", "No such file"])?;
    fails(&["--verity", "tree.verity", "--root-hash", &wrong_hash], &["tree.verity'", &root_hash, &wrong_hash])?;
    let tree = fs::read(place.path("tree.verity"))?;
    let mut longer = tree.clone();
    longer[72] ^= 1;
    fs::write(place.path("longer.verity"), &longer)?;
    fails(&["--verity", "longer.verity"], &["6145 blocks", "has 6144", "not of one build"])?;
    fs::write(place.path("cut.verity"), &tree[..tree.len() - 4096])?;
    fails(&["--verity", "cut.verity"], &["cut.verity' ends at byte", "it was cut off"])?;
    let mut changed = tree;
    changed[4096] ^= 1;
    fs::write(place.path("changed.verity"), &changed)?;
    fails(&["--verity", "changed.verity", "--root-hash", &root_hash], &["changed.verity'", &root_hash])?;
    // A root hash without a tree is checked by nobody.
    let alone = command::output(place.boot()?.args(["--root-hash", &root_hash]))?;
    assert_eq!(alone.status.code(), Some(2), "{}", console(&alone));
    Ok(())
}

#[test]
fn another_image_s_sealed_file_is_named_as_that() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    seal(&place.file(), &["--verity"])?;
    let other = place.path("other.ext4");
    seal(&other, &["--verity", "--label", "other"])?;
    let refused = command::output(place.boot()?.arg("--quiet").arg("--verity").arg(&other))?;
    let words = format!("'{}' is a root filesystem with a hash tree of its own, and the root is '", other.display());
    nex::failed(&refused, &[&words, "--verity-file"])?;
    let plain = place.path("plain.ext4");
    nex::build("scratch", &plain)?;
    nex::failed(&command::output(place.boot()?.arg("--verity").arg(&plain))?, &["there is no hash tree"])
}
