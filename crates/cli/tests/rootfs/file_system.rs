//! The flags for the parts of the file system: what they give, and what they refuse.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use nex_testkit::nex::{self, rootfs};
use nex_testkit::{Failure, Result, command, fsck};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// Builds with these flags, asks e2fsck, and gives the report and what `dumpe2fs -h` says of each field.
fn build(flags: &[&str]) -> Result<(Value, BTreeMap<String, String>)> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    let report = command::run(rootfs("scratch", &output)?.args(["--format", "json", "--sha256"]).args(flags))?;
    fsck::check(&output)?;
    Ok((serde_json::from_slice(&report)?, dumpe2fs(&output)?))
}

fn dumpe2fs(image: &Path) -> Result<BTreeMap<String, String>> {
    let text = command::run(Command::new("dumpe2fs").env("LC_ALL", "C").arg("-h").arg(image))?;
    let text = String::from_utf8_lossy(&text);
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    Ok(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
}

#[test]
fn each_flag_does_what_it_says() -> Result<()> {
    const UUID: &str = "01234567-89ab-4def-8123-456789abcdef";
    for (flags, field, expected) in [
        (["--inodes", "30000"], "Inode count", "30016"),
        (["--journal-size", "5MiB"], "Total journal blocks", "1280"),
        (["--label", "sixteen bytes ok"], "Filesystem volume name", "sixteen bytes ok"),
        (["--uuid", UUID], "Filesystem UUID", UUID),
        (["--reserved", "2.5%"], "Reserved block count", "960"),
        (["--reserved", "8MiB"], "Reserved block count", "2048"),
        (["--max-size", "1TiB"], "Reserved GDT blocks", "127"),
    ] {
        let (report, fields) = build(&flags)?;
        assert_eq!(fields.get(field).map(String::as_str), Some(expected), "{flags:?}");
        assert_eq!(report["uuid"].as_str(), fields.get("Filesystem UUID").map(String::as_str));
    }
    let (_, fields) = build(&["--no-journal"])?;
    assert!(!fields["Filesystem features"].contains("has_journal"));
    Ok(())
}

#[test]
fn a_flag_that_decides_bytes_decides_the_uuid_and_a_uuid_decides_the_seed() -> Result<()> {
    let usual = build(&[])?;
    let named = build(&["--label", "root"])?;
    assert_ne!(usual.0["uuid"], named.0["uuid"]);
    assert_eq!(build(&["--label", "root"])?.0["sha256"], named.0["sha256"]);
    let seed = |flags: &[&str]| Ok::<_, nex_testkit::Failure>(build(flags)?.1["Directory Hash Seed"].clone());
    let uuid = ["--uuid", "01234567-89ab-4def-8123-456789abcdef"];
    assert_ne!(usual.1["Directory Hash Seed"], seed(&uuid)?);
    assert_eq!(seed(&uuid)?, seed(&[&uuid[..], &["--label", "root"]].concat())?);
    assert_ne!(seed(&uuid)?, seed(&["--uuid", "01234567-89ab-4def-8123-456789abcdee"])?);
    Ok(())
}

#[test]
fn automatic_sizes_count_what_was_asked_for() -> Result<()> {
    for (flags, least) in [
        (["--journal-size", "1GiB"], 1024 * MIB),
        (["--inodes", "1000000"], 30 * 128 * MIB),
        (["--reserved", "500MiB"], 1000 * MIB),
    ] {
        let flags = [["--size", "auto"], flags].concat();
        let (report, _) = build(&flags)?;
        assert!(report["size"].as_u64() >= Some(least), "{flags:?} gives {}", report["size"]);
    }
    Ok(())
}

#[test]
fn impossible_values_are_wrong_usage_and_name_the_bounds() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    for (flags, words) in [
        (&["--inodes", "65537"][..], &["65537", "11 to 65536", "--inodes"][..]),
        (&["--size", "auto", "--inodes", "67108865"], &["11 to 67108864"]),
        (&["--inodes", "many"], &["--inodes"]),
        (&["--journal-size", "4091KiB"], &["4194304 to 41943040000 bytes", "1,024 to 10,240,000 blocks"]),
        (&["--journal-size", "40001MiB"], &["4194304 to 41943040000 bytes", "--journal-size"]),
        (&["--journal-size", "8MiB", "--no-journal"], &["--journal-size", "--no-journal"]),
        (&["--label", "seventeen bytes !"], &["17 bytes", "16 at most"]),
        (&["--uuid", "00000000-0000-0000-0000-000000000000"], &["nil"]),
        (&["--uuid", "0123"], &["'0123' is not a UUID"]),
        (&["--reserved", "51%"], &["0% to 50%"]),
        (&["--reserved", "76MiB"], &["half of the file system", "78643200", "--reserved"]),
        (&["--max-size", "100MiB"], &["--max-size 104857600", "--size 157286400"]),
        (&["--max-size", "17TiB"], &["16TiB"]),
        (&["--max-size", "9TiB"], &["at most 8804682956800 bytes", "--max-size"]),
    ] {
        let result = command::output(rootfs("scratch", &output)?.args(flags))?;
        let text = String::from_utf8_lossy(&result.stderr);
        assert_eq!(result.status.code(), Some(2), "{flags:?}: {text}");
        let missing: Vec<_> = words.iter().filter(|word| !text.contains(**word)).collect();
        assert!(missing.is_empty(), "{flags:?}: {missing:?} missing in {text}");
    }
    assert!(nex::names(directory.path())?.is_empty());
    Ok(())
}

#[test]
fn what_only_the_content_shows_fails_with_the_bounds() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    let fails =
        |flags: &[&str], words: &[&str]| nex::fails(rootfs("scratch", &output)?.args(flags), directory.path(), words);
    fails(&["--inodes", "20"], &["to 65536 inodes, and not 20", "--inodes"])?;
    fails(&["--journal-size", "200MiB"], &["a journal of 200.0 MiB", "--size"])?;
    fails(&["--size", "auto", "--max-size", "9TiB"], &["--max-size"])?;
    fails(&["--size", "12MiB", "--inodes", "32768"], &["32768 inodes", "--size"])
}

#[test]
fn the_environment_sets_them_too() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    let set = [
        ("NEX_ROOTFS_INODES", "30000"),
        ("NEX_ROOTFS_JOURNAL_SIZE", "5MiB"),
        ("NEX_ROOTFS_NO_JOURNAL", "0"),
        ("NEX_ROOTFS_LABEL", "env"),
        ("NEX_ROOTFS_RESERVED", "1MiB"),
        ("NEX_ROOTFS_MAX_SIZE", "1GiB"),
        ("NEX_ROOTFS_UUID", "01234567-89ab-4def-8123-456789abcdef"),
    ];
    command::run(rootfs("scratch", &output)?.envs(set))?;
    let fields = dumpe2fs(&output)?;
    for (field, expected) in [
        ("Inode count", "30016"),
        ("Total journal blocks", "1280"),
        ("Filesystem volume name", "env"),
        ("Reserved block count", "256"),
        ("Filesystem UUID", "01234567-89ab-4def-8123-456789abcdef"),
    ] {
        let found = fields.get(field).ok_or(Failure::new(format!("dumpe2fs says nothing of {field}")))?;
        assert_eq!(found, expected, "{field}");
    }
    assert_eq!(fields.get("Reserved GDT blocks"), None);
    Ok(())
}

#[test]
fn a_size_that_the_host_cannot_hold_is_said_to_be_that() -> Result<()> {
    let directory = nex::directory()?;
    const LARGEST: u64 = 16 << 40;
    match tempfile::tempfile_in(directory.path())?.set_len(LARGEST) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {}
        other => {
            eprintln!("LEFT OUT: files of 16 TiB are no error here: {other:?}");
            return Ok(());
        }
    }
    let mut build = rootfs("scratch", &directory.path().join("out.ext4"))?;
    nex::fails(build.args(["--size", "16TiB"]), directory.path(), &["larger than a file may be", "--output"])
}
