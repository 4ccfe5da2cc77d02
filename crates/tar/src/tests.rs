//! Archives made by GNU tar, and damaged ones.

use std::convert::Infallible;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use nex_testkit::sparse::{self, Form, header, pax, pax_record};

use super::*;
use crate::pax::PaxError;

/// Takes content into memory, and counts what came as holes.
#[derive(Debug, Default)]
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

fn reader(archive: &[u8]) -> Reader<BufReader<&[u8]>> {
    // A buffer of an odd size, so that headers lie across its edges.
    Reader::new(BufReader::with_capacity(1777, archive), 1 << 20, Types::Vendor)
}

fn read_all(archive: &[u8]) -> Result<Vec<(Header, Memory)>, Error> {
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
        assert_eq!(entries[1].0.kind, Kind::Symlink(vec![b't'; 3000]));
    }
}

#[test]
fn times_before_1970_survive() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("f"), "").unwrap();
    for (format, time, nanoseconds) in [("gnu", "@-5", 0), ("posix", "@-5.25", 750_000_000)] {
        let archive = gnu_tar(directory.path(), &[&format!("--format={format}"), &format!("--mtime={time}"), "f"]);
        let time = read_all(&archive).unwrap()[0].0.metadata.time;
        assert_eq!(time, Time { seconds: if nanoseconds == 0 { -5 } else { -6 }, nanoseconds });
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
    let header = header(b"old/", 0, 0);
    assert_eq!(read_all(&header).unwrap()[0].0.kind, Kind::Directory);
}

fn names(archive: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    Ok(read_all(archive)?.into_iter().map(|(header, _)| header.path).collect())
}

#[test]
fn types_of_single_writers_are_read_in_tars_and_refused_in_layers() {
    let file = header(b"f", b'0', 0);
    let mut records = pax(pax_record("path", "g").into_bytes(), &file);
    records[156] = b'X';
    sparse::seal(records.first_chunk_mut().unwrap());
    let dumped = [&header(b"d/", b'D', 3)[..], b"Yf\0", &[0; 509], &file].concat();
    let labelled = [&header(b"a label", b'V', 0)[..], &file].concat();
    for (archive, expected, writer) in [
        (&records, &[&b"g"[..]][..], "Solaris"),
        (&dumped, &[b"d/", b"f"], "--incremental"),
        (&labelled, &[b"f"], "--label"),
    ] {
        assert_eq!(names(archive).unwrap(), expected);
        let error = Reader::new(&archive[..], 1 << 20, Types::Posix).next_entry().unwrap_err().to_string();
        assert!(error.contains(writer), "{error}");
    }
    assert_eq!(read_all(&dumped).unwrap()[0].0.kind, Kind::Directory);
}

#[test]
fn a_number_may_have_a_nul_in_front_and_a_long_name_several_behind_it() {
    let mut odd = header(b"f", b'0', 0);
    odd[100..107].copy_from_slice(b"\x00000751");
    odd[108..115].copy_from_slice(b"\x00000017");
    odd[136..147].copy_from_slice(b"\x000000000017");
    sparse::seal(&mut odd);
    let metadata = read_all(&odd).unwrap()[0].0.metadata;
    assert_eq!((metadata.mode, metadata.uid, metadata.time.seconds), (0o751, 15, 15));
    odd[124..135].copy_from_slice(b"\x000000000017");
    sparse::seal(&mut odd);
    assert!(matches!(read_all(&odd), Err(Error::Field { field: "size", .. })));
    let long =
        |name: &[u8; 8]| [&header(b"././@LongLink", b'L', 8)[..], name, &[0; 504], &header(b"f", b'0', 0)].concat();
    assert_eq!(names(&long(b"lon\0\0\0\0\0")).unwrap(), [b"lon"]);
    assert_eq!(names(&long(b"lo\0g\0\0\0\0")).unwrap(), [b"lo\0g"]);
}

#[test]
fn one_record_of_zeros_ends_a_tar_only_at_its_end() {
    let file = header(b"f", b'0', 0);
    let records = pax(pax_record("path", "g").into_bytes(), &file);
    let zeros = [0; 512];
    assert_eq!(names(&[&file[..], &zeros].concat()).unwrap(), [b"f"]);
    assert_eq!(names(&[&file[..], &zeros, &zeros, &file].concat()).unwrap(), [b"f"]);
    for archive in [[&file[..], &zeros, &file].concat(), [&records[..1024], &zeros, &file].concat()] {
        assert!(matches!(read_all(&archive), Err(Error::LoneZeros)));
    }
}

#[test]
fn the_last_extension_of_each_type_counts_and_must_extend_something() {
    let file = header(b"f", b'0', 0);
    let records = pax(pax_record("path", "g").into_bytes(), &file)[..1024].to_vec();
    let global = header(b"pax_global_header", b'g', 0);
    assert_eq!(names(&[&records[..], &file].concat()).unwrap(), [b"g"]);
    assert_eq!(names(&[&global[..], &records, &file].concat()).unwrap(), [b"g"]);
    assert!(matches!(read_all(&[&records[..], &global, &file].concat()), Err(Error::NothingExtended)));
    assert!(matches!(read_all(&[&records[..], &[0; 1024]].concat()), Err(Error::NothingExtended)));
    let other = pax(pax_record("uid", "7").into_bytes(), &file);
    assert_eq!(names(&[&records[..], &other].concat()).unwrap(), [b"f"], "all records of the first are void");
    let long = |name: &[u8]| [&header(b"././@LongLink", b'L', 5)[..], name, &[0; 507]].concat();
    assert_eq!(names(&[&long(b"once\0"), &long(b"last\0"), &file[..]].concat()).unwrap(), [b"last"]);
    assert!(matches!(read_all(&records), Err(Error::NothingExtended)));
}

#[test]
fn extensions_have_a_limit_all_together() {
    let name = header(b"././@LongLink", b'L', 700);
    let records = pax(vec![b'x'; 700], &header(b"f", b'0', 0));
    let archive = [&name[..], &[b'n'; 700], &[0; 324], &records].concat();
    let mut tar = Reader::new(&archive[..], 1000, Types::Posix);
    assert!(matches!(tar.next_entry(), Err(Error::TooManyExtensions(1000))));
}

/// As in Go: `handleSparseFile` and `next` take GNU tar's long name after what PAX says.
#[test]
fn a_long_name_counts_more_than_a_record() {
    let long = [&header(b"././@LongLink", b'L', 5)[..], b"long\0", &[0; 507]].concat();
    let records = pax(pax_record("path", "record").into_bytes(), &header(b"f", b'0', 0));
    assert_eq!(names(&[long, records].concat()).unwrap(), [b"long"]);
    let taken_back = [pax_record("path", "record"), pax_record("path", "")].concat();
    assert_eq!(names(&pax(taken_back.into_bytes(), &header(b"f", b'0', 0))).unwrap(), [b"f"]);
}

/// star ends a header with its own mark, and puts times where POSIX has the end of the prefix.
#[test]
fn the_prefix_is_as_long_as_the_format_has_it() {
    let mut file = header(b"name", b'0', 0);
    file[345..351].copy_from_slice(b"prefix");
    file[476..487].copy_from_slice(b"12345670123");
    file[508..].copy_from_slice(b"tar\0");
    sparse::seal(&mut file);
    assert_eq!(names(&file).unwrap(), [b"prefix/name"]);
    file[476..].fill(b'p');
    file[351..476].fill(b'p');
    sparse::seal(&mut file);
    assert_eq!(names(&file).unwrap()[0].len(), 155 + 1 + 4);
}

/// Docker's first archives have spaces where POSIX has the version 00.
#[test]
fn the_prefix_counts_whatever_the_version() {
    let mut file = header(b"name", b'0', 0);
    file[257..265].copy_from_slice(b"ustar\0 \0");
    file[345..351].copy_from_slice(b"prefix");
    sparse::seal(&mut file);
    assert_eq!(names(&file).unwrap(), [b"prefix/name"]);
}

#[test]
fn signed_checksums_of_old_writers_are_right_too() {
    let mut file = header(b"\xff\xfe", b'0', 0);
    let unsigned = u32::from_str_radix(str::from_utf8(&file[148..154]).unwrap(), 8).unwrap();
    file[148..156].copy_from_slice(format!("{:06o}\0 ", unsigned - 512).as_bytes());
    assert_eq!(names(&file).unwrap(), [b"\xff\xfe"]);
    file[148..156].copy_from_slice(format!("{:06o}\0 ", unsigned - 256).as_bytes());
    assert!(matches!(names(&file), Err(Error::Checksum { .. })));
}

#[test]
fn owners_and_sizes_that_do_not_fit_are_refused() {
    let cases = [
        ("uid", "4294967296"),
        ("uid", "4294967295"),
        ("gid", "4294967295"),
        ("gid", "99999999999"),
        ("size", "18446744073709551615"),
    ];
    for (key, value) in cases {
        let archive = pax(pax_record(key, value).into_bytes(), &header(b"f", b'0', 0));
        let error = read_all(&archive).unwrap_err();
        assert!(matches!(error, Error::Owner { .. } | Error::Size), "{key}: {error}");
    }
    let mut negative = header(b"f", b'0', 0);
    negative[124..136].fill(0xff);
    sparse::seal(&mut negative);
    assert!(matches!(read_all(&negative), Err(Error::Size)));
    let mut negative = header(b"f", b'0', 0);
    negative[108..116].fill(0xff);
    sparse::seal(&mut negative);
    assert!(matches!(read_all(&negative), Err(Error::Owner { uid: -1, gid: 0 })));
}

/// The sizes of files with 8 GiB of content and more stand in a PAX record alone.
#[test]
fn a_pax_size_counts_the_map_in_front_of_the_content() {
    let whole = sparse::tar(Form::Pax10, "s", 9000, &[(0, b"start"), (8192, b"end")]);
    let mut plain_header = header(b"cut", b'0', 0);
    sparse::seal(&mut plain_header);
    let header_at = 1024;
    let size = 512 + 8;
    let records = whole[512..1024].split(|&byte| byte == 0).next().unwrap();
    let records = [records, pax_record("size", &size.to_string()).as_bytes()].concat();
    let archive = [pax(records, &plain_header), whole[header_at + 512..].to_vec()].concat();
    let entries = read_all(&archive).unwrap();
    assert_eq!((entries[0].1.bytes.len(), &entries[0].1.bytes[8192..8195]), (9000, &b"end"[..]));
    assert_eq!(entries[0].0.path, b"s");
}

#[test]
fn a_map_that_lies_is_refused() {
    let content = [0; 1024];
    let maps: [(&[(u64, u64)], u64); 7] = [
        (&[(0, 600), (500, 424)], 2000),
        (&[(1000, 512), (0, 512)], 2000),
        (&[(0, 1025)], 2000),
        (&[(0, 1023)], 2000),
        (&[(1000, 1024)], 2000),
        (&[(u64::MAX, 1024)], u64::MAX),
        (&[(0, u64::MAX), (u64::MAX, 1025)], u64::MAX),
    ];
    for form in Form::ALL {
        for (map, size) in &maps {
            let archive = [&sparse::headers(form, "s", *size, map, 1024)[..], &content].concat();
            let error = read_all(&archive).unwrap_err();
            assert!(matches!(error, Error::SparseMap | Error::Size | Error::Field { .. }), "{form:?} {map:?}: {error}");
        }
    }
}

/// Such a line made an earlier reader ask for more of it for ever.
#[test]
fn a_map_without_an_end_is_refused() {
    let headers = sparse::headers(Form::Pax10, "s", 9000, &[], 0);
    for content in [vec![b'1'; 8192], vec![b'\n'; 8192], b"99999999\n".repeat(2000), b"3\n1\n1\n+3".to_vec()] {
        let archive = [&headers[..headers.len() - 1024], &header(b"cut", b'0', 8192), &content, &[0; 1024]].concat();
        let error = read_all(&archive).unwrap_err();
        assert!(matches!(error, Error::SparseMap), "{error}");
    }
    let mut header = header(b"s", b'S', 0);
    header[257..265].copy_from_slice(b"ustar  \0");
    header[482] = 1;
    sparse::seal(&mut header);
    let mut more = [0; 512];
    more[504] = 1;
    assert!(matches!(read_all(&[header, more, more, more].concat()), Err(Error::SparseMap)));
}

#[test]
fn sparse_files_of_unknown_versions_and_of_other_types_are_refused() {
    let version = [pax_record("GNU.sparse.major", "2"), pax_record("GNU.sparse.minor", "0")].concat();
    let error = read_all(&pax(version.into_bytes(), &header(b"s", b'0', 0))).unwrap_err();
    assert!(error.to_string().contains("2.0"), "{error}");
    let map = [pax_record("GNU.sparse.size", "9"), pax_record("GNU.sparse.map", "9,0")].concat();
    let directory = pax(map.into_bytes(), &header(b"d", b'5', 0));
    assert!(matches!(read_all(&directory), Err(Error::SparseMap)));
    for records in [["offset", "offset"], ["numbytes", "offset"]] {
        let pairs = records.map(|key| pax_record(&format!("GNU.sparse.{key}"), "0")).concat();
        let error = read_all(&pax(pairs.into_bytes(), &header(b"s", b'0', 0))).unwrap_err();
        assert!(matches!(error, Error::Pax(PaxError::SparsePairs)), "{error}");
    }
}
