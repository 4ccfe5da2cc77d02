//! Archives made by GNU tar, and damaged ones.

use std::convert::Infallible;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use super::*;

/// Takes content into memory, and counts what came as holes.
#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    holes: u64,
}

impl ContentSink for Memory {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn hole(&mut self, length: u64) -> Result<(), Infallible> {
        self.bytes.resize(self.bytes.len() + length as usize, 0);
        self.holes += length;
        Ok(())
    }
}

fn gnu_tar(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("tar").arg("-C").arg(directory).args(["-cf", "-"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn reader(archive: &[u8]) -> TarReader<BufReader<&[u8]>> {
    // A buffer of an odd size, so that headers lie across its edges.
    TarReader::new(BufReader::with_capacity(1777, archive), 1 << 20)
}

fn read_all(archive: &[u8]) -> Result<Vec<(TarHeader, Memory)>, TarError> {
    let mut tar = reader(archive);
    let mut entries = Vec::new();
    while let Some(header) = tar.next_entry()? {
        let mut content = Memory::default();
        tar.copy_content(&mut content).map_err(|error| match error {
            CopyError::Tar(error) => error,
            CopyError::Sink(never) => match never {},
        })?;
        entries.push((header, content));
    }
    Ok(entries)
}

#[test]
fn holes_survive_in_every_sparse_form() {
    let directory = tempfile::tempdir().unwrap();
    let file = File::create(directory.path().join("sparse")).unwrap();
    file.set_len(40 << 20).unwrap();
    // More regions than one header holds, so that the old form needs extension headers.
    for index in 0..60u64 {
        file.write_all_at(format!("region {index}").as_bytes(), index * (640 << 10) + 4096).unwrap();
    }
    let expected = std::fs::read(directory.path().join("sparse")).unwrap();
    let forms: [&[&str]; 4] = [
        &["--format=gnu"],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ];
    for form in forms {
        let archive = gnu_tar(directory.path(), &[form, &["--sparse", "sparse", "sparse"]].concat());
        let entries = read_all(&archive).unwrap();
        assert_eq!(entries[0].0.path, b"sparse", "{form:?}");
        assert!(entries[0].1.bytes == expected, "{form:?}");
        assert!(entries[0].1.holes > 35 << 20, "{form:?}: {}", entries[0].1.holes);
    }
}

#[test]
fn names_owners_and_times_survive_in_every_format() {
    let directory = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(250));
    std::fs::create_dir(directory.path().join("d".repeat(200))).unwrap();
    std::fs::write(directory.path().join(&long), "x").unwrap();
    std::os::unix::fs::symlink("t".repeat(3000), directory.path().join("link")).unwrap();
    for format in ["gnu", "posix"] {
        let owner = ["--owner=:4000000000", "--group=:65536", "--mtime=@8589934597.5"];
        let archive = gnu_tar(
            directory.path(),
            &[&[&*format!("--format={format}")], owner.as_slice(), &[&*long, "link"]].concat(),
        );
        let entries = read_all(&archive).unwrap();
        let metadata = entries[0].0.metadata;
        assert_eq!(entries[0].0.path, long.as_bytes());
        assert_eq!((metadata.uid, metadata.gid), (4_000_000_000, 65536));
        assert_eq!(metadata.time.seconds, 8_589_934_597);
        assert_eq!(metadata.time.nanoseconds, if format == "posix" { 500_000_000 } else { 0 });
        assert_eq!(entries[1].0.kind, TarKind::Symlink(vec![b't'; 3000]));
    }
}

#[test]
fn times_before_1970_survive() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("f"), "").unwrap();
    for (format, time, nanoseconds) in [("gnu", "@-5", 0), ("posix", "@-5.25", 750_000_000)] {
        let archive = gnu_tar(directory.path(), &[&format!("--format={format}"), &format!("--mtime={time}"), "f"]);
        let time = read_all(&archive).unwrap()[0].0.metadata.time;
        assert_eq!(time, Timestamp { seconds: if nanoseconds == 0 { -5 } else { -6 }, nanoseconds });
    }
}

#[test]
fn every_cut_through_an_archive_is_noticed_or_harmless() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(directory.path().join(name), vec![7; 1000]).unwrap();
    }
    let archive = gnu_tar(directory.path(), &["--format=posix", "a", "b"]);
    let whole = read_all(&archive).unwrap();
    assert_eq!(whole.len(), 2);
    let last_entry = archive.iter().rposition(|&byte| byte != 0).unwrap().next_multiple_of(512);
    for cut in 1..last_entry + 1024 {
        if let Ok(entries) = read_all(&archive[..cut]) {
            assert!(entries.iter().all(|(_, content)| content.bytes == [7; 1000]), "cut at {cut}");
            assert!(cut % 512 == 0, "cut at {cut}");
        }
    }
}

#[test]
fn damaged_archives_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a"), "content").unwrap();
    let archive = gnu_tar(directory.path(), &["--format=gnu", "a"]);
    let checksum = 148..156;
    for position in (0..512).filter(|position| !checksum.contains(position)) {
        let mut damaged = archive.clone();
        damaged[position] ^= 0x01;
        let refused = read_all(&damaged).is_err();
        assert!(refused, "byte {position} of the header");
    }
}

#[test]
fn a_name_that_only_a_slash_makes_a_directory_is_one() {
    let mut header = tar_core::HeaderBuilder::new_ustar();
    header.path(b"old/").unwrap().mode(0o755).unwrap().entry_type(EntryType::from_byte(0));
    let mut header = *header.finish().as_bytes();
    header[156] = 0;
    let checksum: u32 =
        header.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { b.into() }).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    assert_eq!(read_all(&header).unwrap()[0].0.kind, TarKind::Directory);
}
