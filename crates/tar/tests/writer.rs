//! Others read what is written here: GNU tar, bsdtar and Python's tarfile; and our own reader gives back what was asked for.

use std::convert::Infallible;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nex_tar::{
    ContentSink, Device, END, FileContent, Header, Kind, Metadata, Reader, SparseMap, Time, Types, Xattr, encode,
    padding,
};

/// An entry, and its content as it is in the file.
struct Entry {
    header: Header,
    content: Vec<u8>,
    /// Where the bytes are, in a file with holes.
    runs: Option<Vec<Range<u64>>>,
}

fn entry(path: &str, kind: Kind) -> Entry {
    let time = Time { seconds: 1_700_000_000, nanoseconds: 0 };
    let metadata = Metadata { mode: 0o755, uid: 0, gid: 0, time };
    Entry { header: Header { path: path.into(), kind, metadata, xattrs: Vec::new() }, content: Vec::new(), runs: None }
}

fn long(start: &str) -> String {
    format!("d/{start}{}", "x".repeat(150))
}

/// One of everything that ustar can say, and of what it cannot.
fn entries() -> Vec<Entry> {
    let mut file = entry("d/file", Kind::File);
    file.content = (0..1000u32).map(|at| at as u8).collect();
    file.header.metadata = Metadata {
        mode: 0o4751,
        uid: 3_000_000_000,
        gid: 2_097_152,
        time: Time { seconds: -2, nanoseconds: 123_456_789 },
    };
    file.header.xattrs = vec![Xattr { name: b"user.x".to_vec(), value: b"1\n\xff=\0".to_vec() }];
    let mut holes = entry("d/holes", Kind::File);
    holes.content = vec![0; 1 << 20];
    holes.content[4096..4101].copy_from_slice(b"first");
    holes.content[600_000..600_003].copy_from_slice(b"end");
    holes.runs = Some(vec![4096..4608, 600_000..600_003]);
    let mut long_holes = entry(&long("holes"), Kind::File);
    long_holes.content = [&b"start"[..], &[0; 100_000]].concat();
    long_holes.runs = Some(std::iter::once(0..5).collect());
    let mut late = entry(&long("file"), Kind::File);
    late.content = vec![7; 512];
    late.header.metadata.time = Time { seconds: 8_589_934_597, nanoseconds: 500_000_000 };
    vec![
        entry("./", Kind::Directory),
        entry("d/", Kind::Directory),
        file,
        holes,
        long_holes,
        late,
        entry(&format!("{}/", long("directory")), Kind::Directory),
        entry("d/short-link", Kind::Symlink(b"file".to_vec())),
        entry("d/long-link", Kind::Symlink(long("nowhere").into_bytes())),
        entry("d/hard", Kind::HardLink(long("file").into_bytes())),
        entry("d/console", Kind::CharacterDevice(Device { major: 5, minor: 1 })),
        entry("d/disk", Kind::BlockDevice(Device { major: 4095, minor: 1_048_575 })),
        entry("d/fifo", Kind::Fifo),
    ]
}

fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for Entry { header, content, runs } in entries {
        let before = tar.len();
        match runs {
            None => {
                tar.extend(encode(header, FileContent::Whole(content.len() as u64)).unwrap());
                tar.extend_from_slice(content);
            }
            Some(runs) => {
                let map = SparseMap::new(runs, content.len() as u64);
                tar.extend(encode(header, FileContent::Sparse(&map)).unwrap());
                tar.extend_from_slice(map.text());
                runs.iter().for_each(|run| tar.extend_from_slice(&content[run.start as usize..run.end as usize]));
            }
        }
        tar.extend_from_slice(padding((tar.len() - before) as u64));
    }
    tar.extend_from_slice(&END);
    tar
}

/// A program that reads tars.
#[derive(Clone, Copy, Debug)]
enum Judge {
    Gnu,
    Bsd,
    Python,
}

const JUDGES: [Judge; 3] = [Judge::Gnu, Judge::Bsd, Judge::Python];

const PYTHON: &str = r#"
import sys, tarfile
tar = tarfile.open(sys.argv[1])
if len(sys.argv) > 2:
    sys.stdout.buffer.write(tar.extractfile(sys.argv[2]).read())
    sys.exit()
for member in tar:
    attribute = member.pax_headers.get("SCHILY.xattr.user.x", "")
    print(member.name, member.type.decode(), oct(member.mode), member.uid, member.gid, member.pax_headers["mtime"],
          member.size, member.linkname or "-", member.devmajor, member.devminor, ascii(attribute))
"#;

impl Judge {
    /// Runs it on a tar; `None`, with a note, where it is not installed.
    fn run(self, tar: &Path, arguments: &[&str]) -> Option<Output> {
        let (program, options): (_, &[&str]) = match (self, arguments) {
            (Self::Gnu, []) => ("tar", &["--numeric-owner", "--full-time", "-tvf"]),
            // It makes holes by going on in its output, which no pipe lets it.
            (Self::Gnu, _) => ("sh", &["-c", r#"tar -xOf "$1" "$2" >"$1.out" && cat "$1.out""#, "sh"]),
            (Self::Bsd, []) => ("bsdtar", &["--numeric-owner", "-tvf"]),
            (Self::Bsd, _) => ("bsdtar", &["-xOf"]),
            (Self::Python, _) => ("python3", &["-c", PYTHON]),
        };
        let mut command = Command::new(program);
        let output = command.args(options).arg(tar).args(arguments).env("TZ", "UTC").env("LC_ALL", "C.UTF-8").output();
        if output.is_err() {
            eprintln!("left out: {self:?} is not installed");
        }
        output.ok()
    }

    /// What it lists, word by word.
    fn list(self, tar: &Path) -> Option<Vec<String>> {
        let output = self.run(tar, &[])?;
        assert!(output.status.success(), "{self:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        Some(text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect())
    }
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("x.tar");
    std::fs::write(&path, bytes).unwrap();
    (place, path)
}

#[test]
fn gnu_tar_reads_names_owners_sizes_and_times() {
    let (_place, path) = written(&tar(&entries()));
    let Some(lines) = Judge::Gnu.list(&path) else { return };
    let usual = "2023-11-14 22:13:20";
    let expected = [
        format!("drwxr-xr-x 0/0 0 {usual} ./"),
        format!("drwxr-xr-x 0/0 0 {usual} d/"),
        // It shows such a fraction as that of the number, which is -1.876543211.
        "-rwsr-x--x 3000000000/2097152 1000 1969-12-31 23:59:59.876543211 d/file".to_owned(),
        format!("-rwxr-xr-x 0/0 1048576 {usual} d/holes"),
        format!("-rwxr-xr-x 0/0 100005 {usual} {}", long("holes")),
        format!("-rwxr-xr-x 0/0 512 2242-03-16 12:56:37.5 {}", long("file")),
        format!("drwxr-xr-x 0/0 0 {usual} {}/", long("directory")),
        format!("lrwxr-xr-x 0/0 0 {usual} d/short-link -> file"),
        format!("lrwxr-xr-x 0/0 0 {usual} d/long-link -> {}", long("nowhere")),
        format!("hrwxr-xr-x 0/0 0 {usual} d/hard link to {}", long("file")),
        format!("crwxr-xr-x 0/0 5,1 {usual} d/console"),
        format!("brwxr-xr-x 0/0 4095,1048575 {usual} d/disk"),
        format!("prwxr-xr-x 0/0 0 {usual} d/fifo"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn bsdtar_reads_names_owners_and_sizes() {
    let (_place, path) = written(&tar(&entries()));
    let Some(lines) = Judge::Bsd.list(&path) else { return };
    let usual = "Nov 14 2023";
    let expected = [
        format!("drwxr-xr-x 0 0 0 0 {usual} ./"),
        format!("drwxr-xr-x 0 0 0 0 {usual} d/"),
        "-rwsr-x--x 0 3000000000 2097152 1000 Dec 31 1969 d/file".to_owned(),
        format!("-rwxr-xr-x 0 0 0 1048576 {usual} d/holes"),
        format!("-rwxr-xr-x 0 0 0 100005 {usual} {}", long("holes")),
        format!("-rwxr-xr-x 0 0 0 512 Mar 16 2242 {}", long("file")),
        format!("drwxr-xr-x 0 0 0 0 {usual} {}/", long("directory")),
        format!("lrwxr-xr-x 0 0 0 0 {usual} d/short-link -> file"),
        format!("lrwxr-xr-x 0 0 0 0 {usual} d/long-link -> {}", long("nowhere")),
        format!("hrwxr-xr-x 0 0 0 0 {usual} d/hard link to {}", long("file")),
        format!("crwxr-xr-x 0 0 0 5,1 {usual} d/console"),
        format!("brwxr-xr-x 0 0 0 4095,1048575 {usual} d/disk"),
        format!("prwxr-xr-x 0 0 0 0 {usual} d/fifo"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn python_reads_everything() {
    let (_place, path) = written(&tar(&entries()));
    let Some(lines) = Judge::Python.list(&path) else { return };
    let usual = "0o755 0 0 1700000000";
    let expected = [
        format!(". 5 {usual} 0 - 0 0 ''"),
        format!("d 5 {usual} 0 - 0 0 ''"),
        r"d/file 0 0o4751 3000000000 2097152 -1.876543211 1000 - 0 0 '1\n\udcff=\x00'".to_owned(),
        format!("d/holes 0 {usual} 1048576 - 0 0 ''"),
        format!("{} 0 {usual} 100005 - 0 0 ''", long("holes")),
        format!("{} 0 0o755 0 0 8589934597.500000000 512 - 0 0 ''", long("file")),
        format!("{} 5 {usual} 0 - 0 0 ''", long("directory")),
        format!("d/short-link 2 {usual} 0 file 0 0 ''"),
        format!("d/long-link 2 {usual} 0 {} 0 0 ''", long("nowhere")),
        format!("d/hard 1 {usual} 0 {} 0 0 ''", long("file")),
        format!("d/console 3 {usual} 0 - 5 1 ''"),
        format!("d/disk 4 {usual} 0 - 4095 1048575 ''"),
        format!("d/fifo 6 {usual} 0 - 0 0 ''"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn all_of_them_read_the_content_with_its_holes() {
    let entries = entries();
    let (_place, path) = written(&tar(&entries));
    for Entry { header, content, .. } in entries.iter().filter(|entry| !entry.content.is_empty()) {
        let name = str::from_utf8(&header.path).unwrap();
        for judge in JUDGES {
            let Some(output) = judge.run(&path, &[name]) else { continue };
            assert!(output.status.success(), "{judge:?}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(output.stdout == *content, "{judge:?}: {name}");
        }
    }
}

/// The controls: none of them takes a damaged header, and a damaged map gives other content or none.
#[test]
fn all_of_them_object_to_damage() {
    let entries = entries();
    let good = tar(&entries);
    let mut damaged = good.clone();
    damaged[0] ^= 1;
    let (_place, path) = written(&damaged);
    for judge in JUDGES {
        let Some(output) = judge.run(&path, &[]) else { continue };
        assert!(!output.status.success(), "{judge:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
    let map = b"3\n4096\n512\n600000\n3\n1048576\n0\n";
    let place = good.windows(map.len()).position(|bytes| bytes == map).unwrap();
    let mut damaged = good;
    damaged[place + 2] = b'5';
    let (_place, path) = written(&damaged);
    let holes = &entries[3];
    for judge in JUDGES {
        let Some(output) = judge.run(&path, &["d/holes"]) else { continue };
        assert!(!output.status.success() || output.stdout != holes.content, "{judge:?}");
    }
}

/// Takes content into memory.
struct Memory(Vec<u8>);

impl ContentSink for Memory {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn hole(&mut self, length: u64) -> Result<(), Infallible> {
        self.0.resize(self.0.len() + length as usize, 0);
        Ok(())
    }
}

#[test]
fn our_reader_gives_back_what_was_written() {
    let entries = entries();
    let tar = tar(&entries);
    let mut reader = Reader::new(&tar[..], 1 << 20, Types::Posix);
    for expected in &entries {
        let header = reader.next_entry().unwrap().expect("an entry");
        let mut content = Memory(Vec::new());
        reader.copy_content(&mut content).unwrap();
        assert_eq!(format!("{header:?}"), format!("{:?}", expected.header));
        assert!(content.0 == expected.content, "{header:?}");
    }
    assert!(reader.next_entry().unwrap().is_none());
}

#[test]
fn what_no_tar_can_say_is_refused() {
    for name in [&b"user.a=b"[..], b"user.\xff"] {
        let mut entry = entry("f", Kind::File);
        entry.header.xattrs = vec![Xattr { name: name.to_vec(), value: Vec::new() }];
        let error = encode(&entry.header, FileContent::Whole(0)).unwrap_err().to_string();
        assert!(error.contains("whose name no tar can hold"), "{error}");
    }
    let device = entry("f", Kind::BlockDevice(Device { major: 1 << 21, minor: 0 }));
    assert!(encode(&device.header, FileContent::Whole(0)).is_err());
}

/// Byte by byte: reference builds hash what is written here.
#[test]
fn the_bytes_stay_as_they_are() {
    let mut file = entry("f", Kind::File);
    file.header.metadata.uid = 1000;
    let mut expected = [[0; 512]; 3];
    for (record, fields) in [
        (
            0,
            &[
                (0, &b"pax"[..]),
                (100, b"0000000"),
                (108, b"0000000"),
                (116, b"0000000"),
                (124, b"00000000024"),
                (136, b"00000000000"),
                (148, b"0006546"),
                (156, b"x"),
                (257, b"ustar\x0000"),
            ][..],
        ),
        (1, &[(0, b"20 mtime=1700000000\n")]),
        (
            2,
            &[
                (0, b"f"),
                (100, b"0000755"),
                (108, b"0001750"),
                (116, b"0000000"),
                (124, b"00000000003"),
                (136, b"14524770400"),
                (148, b"0006170"),
                (156, b"0"),
                (257, b"ustar\x0000"),
            ],
        ),
    ] {
        fields.iter().for_each(|(place, bytes)| expected[record][*place..place + bytes.len()].copy_from_slice(bytes));
    }
    let bytes = encode(&file.header, FileContent::Whole(3)).unwrap();
    assert_eq!(bytes.escape_ascii().to_string(), expected.concat().escape_ascii().to_string());
}
