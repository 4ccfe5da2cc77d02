//! Drives for guests: judged by e2fsck and ext4-view, and the same bytes each time.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::Path;

use nex_contract::{Json, Workload};
use nex_guest::{DriveError, UnnamedDrive, create_overlay_drive, overlay_drive, workload_drive};
use nex_testkit::manifest::{self, Kind, Manifest};
use nex_testkit::{Failure, Result, fsck, image_tree};

fn program(bytes: &[u8]) -> Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// All judges of a file system find nothing in a drive.
fn judge(drive: &UnnamedDrive) -> Result<()> {
    let copy = tempfile::NamedTempFile::new()?;
    fs::copy(drive.path(), copy.path())?;
    fsck::judge(copy.path())
}

/// Name, mode and content of each file.
fn files(image: &Path) -> Result<Vec<(String, u32, Kind)>> {
    let tree: Manifest = image_tree::read(image)?;
    let files = tree.into_iter().filter(|(_, entry)| entry.kind != Kind::Directory);
    Ok(files.map(|(path, entry)| (String::from_utf8_lossy(&path).into_owned(), entry.mode, entry.kind)).collect())
}

#[test]
fn a_workload_drive_holds_description_and_program() -> Result<()> {
    let workload = Workload { args: vec!["--name".into()], ..Workload::default() };
    let bytes: Vec<u8> = (0..2_000_001_u32).flat_map(u32::to_le_bytes).collect();
    let drive = workload_drive(&workload, Some(program(&bytes)?))?;
    judge(&drive)?;
    let description = workload.to_json().map_err(|error| Failure::new(error.to_string()))?;
    let expected = [
        ("binary".to_owned(), 0o755, manifest::file_kind(bytes.as_slice())?),
        ("workload.json".to_owned(), 0o644, manifest::file_kind(description.as_slice())?),
    ];
    assert_eq!(files(drive.path())?, expected);

    let again = workload_drive(&workload, Some(program(&bytes)?))?;
    assert!(fs::read(drive.path())? == fs::read(again.path())?, "the bytes differ");
    let without = workload_drive(&workload, None)?;
    judge(&without)?;
    assert_eq!(files(without.path())?.len(), 1);
    Ok(())
}

#[test]
fn a_drive_without_a_name_is_gone_with_its_value() -> Result<()> {
    let drive = workload_drive(&Workload::default(), None)?;
    let target = fs::read_link(drive.path())?;
    assert!(!target.exists(), "{}", target.display());
    let path = drive.path().to_owned();
    drop(drive);
    assert!(!path.exists());
    Ok(())
}

#[test]
fn an_overlay_drive_is_empty_and_as_large_as_was_asked_for() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("overlay.ext4");
    create_overlay_drive(&path, 256 << 20)?;
    fsck::judge(&path)?;
    assert_eq!((files(&path)?.len(), fs::metadata(&path)?.len()), (0, 256 << 20));
    assert!(matches!(create_overlay_drive(&path, 256 << 20), Err(DriveError::Create { .. })));
    assert!(fs::read(&path)? == fs::read(overlay_drive(256 << 20)?.path())?, "the bytes differ");

    let small = directory.path().join("small.ext4");
    let error = create_overlay_drive(&small, 4096).err().map(|error| nex_fault::whole(&error)).unwrap_or_default();
    assert!(error.contains("cannot write the drive ") && error.contains("too small"), "{error}");
    assert!(!small.exists());
    Ok(())
}
