//! Sizes, outputs and reports.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nex_testkit::nex::{self, rootfs};
use nex_testkit::{Result, command, fsck, layout};
use serde_json::Value;

const MIB: u64 = 1 << 20;

#[test]
fn sizes_are_bytes_or_have_a_unit_and_150_mib_without_one() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    for (size, bytes) in [("157286400", 150 * MIB), ("64MiB", 64 * MIB), ("1G", 1024 * MIB)] {
        command::run(rootfs("scratch", &output)?.args(["--size", size]))?;
        assert_eq!(fs::metadata(&output)?.len(), bytes, "--size {size}");
        fsck::judge(&output)?;
    }
    command::run(&mut rootfs("scratch", &output)?)?;
    assert_eq!(fs::metadata(&output)?.len(), 150 * MIB);
    Ok(())
}

#[test]
fn automatic_sizes_leave_the_room_asked_for() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    for (free, least) in [(None, 64 * MIB), (Some("200MiB"), 200 * MIB)] {
        let mut build = rootfs("scratch", &output)?;
        build.args(["--size", "auto", "--format", "json"]);
        free.map(|free| build.args(["--free", free]));
        let report: Value = serde_json::from_slice(&command::run(&mut build)?)?;
        let room = report["free"]["bytes"].as_u64().unwrap_or(0);
        assert!((least..least + 40 * MIB).contains(&room), "--free {free:?} leaves {room}");
    }
    Ok(())
}

#[test]
fn compressed_and_piped_outputs_hold_the_same_file() -> Result<()> {
    let directory = nex::directory()?;
    let plain = directory.path().join("out.ext4");
    command::run(&mut rootfs("scratch", &plain)?)?;
    let expected = fs::read(&plain)?;
    for (name, tool) in [("out.ext4.gz", "gzip"), ("out.ext4.zst", "zstd")] {
        let output = directory.path().join(name);
        command::run(&mut rootfs("scratch", &output)?)?;
        assert!(fs::metadata(&output)?.len() < expected.len() as u64 / 4, "{name} is compressed");
        let unpacked = command::run(Command::new(tool).arg("-dc").stdin(Stdio::from(fs::File::open(&output)?)))?;
        assert!(unpacked == expected, "{name} holds another file");
    }
    let piped = command::run(&mut rootfs("scratch", Path::new("-"))?)?;
    assert!(piped == expected, "-o - gives another file");
    Ok(())
}

#[test]
fn the_report_is_one_json_object_about_the_file_that_is_there() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    let printed = command::run(rootfs("scratch", &output)?.args(["--format", "json", "--sha256"]))?;
    let report: Value = serde_json::from_slice(&printed)?;
    assert_eq!(report["schemaVersion"], 1);
    assert_eq!(report["size"], 150 * MIB);
    assert_eq!(report["output"], output.display().to_string());
    let digest = layout::digest(&fs::read(&output)?);
    assert_eq!(report["sha256"].as_str(), digest.strip_prefix("sha256:"));
    assert_eq!(free_blocks(&output)?, report["free"]["blocks"].as_u64());
    for key in ["used", "image", "agent", "startedBy", "phases", "uuid"] {
        assert!(!report[key].is_null(), "{key} is missing");
    }
    Ok(())
}

/// The free blocks that the superblock counts, as dumpe2fs reads it.
fn free_blocks(image: &Path) -> Result<Option<u64>> {
    let text = command::run(Command::new("dumpe2fs").arg("-h").arg(image))?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().find_map(|line| line.strip_prefix("Free blocks:"));
    Ok(line.and_then(|count| count.trim().parse().ok()))
}

#[test]
fn fs_is_another_name_and_quiet_prints_no_progress() -> Result<()> {
    let directory = nex::directory()?;
    let mut build = Command::new(nex::program());
    build.args(["fs", "--quiet", "--image", "scratch", "--agent"]).arg(nex::agent()?);
    let result = command::output(build.arg("-o").arg(directory.path().join("out.ext4")))?;
    assert!(result.status.success());
    assert!(result.stderr.is_empty(), "{}", String::from_utf8_lossy(&result.stderr));
    assert!(!result.stdout.is_empty());
    Ok(())
}

#[test]
fn an_output_that_exists_is_replaced_whole() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    fs::write(&output, "something else")?;
    command::run(&mut rootfs("scratch", &output)?)?;
    fsck::check(&output)?;
    assert_eq!(nex::names(directory.path())?, ["out.ext4"]);
    Ok(())
}

#[test]
fn variables_give_way_and_old_names_are_warned_of() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    let mut build = rootfs("scratch", &output)?;
    // What only scripts and jails need, and what a flag contradicts; none of them is a reason to build nothing.
    build.envs([("NEX_ROOTFS_ENV", "A=1\nB=2"), ("NEX_ROOTFS_SNAPSHOT", "/x"), ("NEX_JAILER", "/none")]);
    build.envs([("NEX_ROOTFS_VERITY_FILE", "/none/at/all"), ("NEX_ROOTFS_SIZE", "32MiB")]).arg("--verity");
    let old = [("NEX_ENV", "A=1"), ("NEX_MOUNT", "a:/b"), ("NEX_LABEL", "old"), ("NEX_TIMEOUT", "1s")];
    let result = command::output(build.envs(old))?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(result.status.success(), "{said}");
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "warning: NEX_LABEL is not read any more; the variable of 'nex rootfs --label' is NEX_ROOTFS_LABEL",
            "warning: NEX_MOUNT is not read any more; the variable of 'nex rootfs --mount' is NEX_ROOTFS_MOUNT",
        ]
    );
    assert!(fs::metadata(&output)?.len() > 32 * MIB, "the hash tree stands behind the file system");
    let wrong = command::output(rootfs("scratch", &output)?.env("NEX_ROOTFS_SIZE", "huge"))?;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("NEX_ROOTFS_SIZE"), "{wrong:?}");
    Ok(())
}
