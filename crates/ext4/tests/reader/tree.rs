//! Trees to be read, and what the reader under test makes of them.

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use nex_ext4::reader::{Error, Inode, Options, Reader};
use nex_ext4::{FileType, ReadAt};
use nex_testkit::manifest::{self, Collector, Entry, Kind, Manifest};
use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, utimensat};

/// How large a file the reader is asked for at once.
const CHUNK: usize = 100_000;

/// What a tree holds beside the usual.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Names in one directory.
    pub names: usize,
    /// The longest value of an extended attribute.
    pub longest_value: usize,
    /// The longest target of a symbolic link.
    pub longest_target: usize,
    /// Whether there are times that only larger inodes hold.
    pub far_times: bool,
}

/// Bytes that are neither zero nor the same in two blocks.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| ((at * 7 + at / 251 + seed * 31) % 255 + 1) as u8).collect()
}

/// Fills a directory with files of every kind.
pub fn populate(root: &Path, wishes: Wishes) -> io::Result<()> {
    let at = |name: &str| root.join(name);
    fs::create_dir_all(at("deep/er/and/deeper"))?;
    for (name, length) in
        [("empty", 0), ("tiny", 7), ("inode", 60), ("inode and tail", 120), ("block", 5000), ("large", 700_000)]
    {
        fs::write(at(name), pattern(length as u64, length))?;
    }
    fs::write(at("deep/er/and/deeper/file"), b"deep")?;
    // Runs of one block, each behind a hole: a tree of more than one level.
    let holes = File::create(at("holes"))?;
    for run in 0..900 {
        holes.write_all_at(&pattern(run, 4096), run * 8192 + 4096)?;
    }
    let far = File::create(at("far"))?;
    for place in [0, 13 * 1024, 300 * 1024, 5 << 20, 70 << 20, 100 << 20] {
        far.write_all_at(&pattern(place, 3000), place)?;
    }
    fs::hard_link(at("tiny"), at("deep/another name"))?;
    for length in [1, 59, 60, 61, 150, wishes.longest_target] {
        symlink("t".repeat(length), at(&format!("link of {length}")))?;
    }
    fs::create_dir(at("many"))?;
    for number in 0..wishes.names {
        fs::write(at(&format!("many/é name of some length that is number {number}")), b"")?;
    }
    fs::create_dir(at("short"))?;
    for number in 0..20 {
        fs::write(at(&format!("short/{number}")), number.to_string())?;
    }
    special_files(root)?;
    attributes(root, wishes)?;
    times(root, wishes)
}

fn special_files(root: &Path) -> io::Result<()> {
    for (name, mode, device) in [
        ("old device", 0o020_666, makedev(1, 3)),
        ("new device", 0o060_660, makedev(259, 70_000)),
        ("pipe", 0o010_644, 0),
    ] {
        let file_type = rustix::fs::FileType::from_raw_mode(mode);
        mknodat(CWD, root.join(name), file_type, Mode::from_raw_mode(mode), device)?;
    }
    drop(UnixListener::bind(root.join("s"))?);
    for (name, mode, (uid, gid)) in
        [("tiny", 0o4755, (0, 0)), ("block", 0o640, (100_000, 4_000_000_000)), ("deep", 0o1777, (33, 65_536))]
    {
        chown(root.join(name), Some(uid), Some(gid))?;
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode))?;
    }
    lchown(root.join("link of 60"), Some(70_000), Some(7))
}

fn attributes(root: &Path, wishes: Wishes) -> io::Result<()> {
    // ACLs as `setfacl -m u:1000:rw` and `setfacl -d -m g:4:rx` make them.
    let access = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x06\0\xe8\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\x10\0\x06\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";
    let default = b"\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x04\0\x05\0\xff\xff\xff\xff\x08\0\x05\0\x04\0\0\0\x10\0\x05\0\xff\xff\xff\xff\x20\0\x05\0\xff\xff\xff\xff";
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let long = pattern(5, wishes.longest_value);
    for (file, name, value) in [
        ("block", "user.short", &b"value"[..]),
        ("block", "user.é", b"\0\xff"),
        ("block", "security.capability", &capability),
        ("large", "user.empty", b""),
        ("large", "user.long", &long),
        ("large", "trusted.x", &long[..long.len() / 2]),
        ("tiny", "system.posix_acl_access", access),
        ("short", "system.posix_acl_default", default),
    ] {
        lsetxattr(root.join(file), name, value, XattrFlags::empty())?;
    }
    Ok(())
}

fn times(root: &Path, wishes: Wishes) -> io::Result<()> {
    let near = [("empty", 1, 0), ("large", 2_147_483_647, 0), ("link of 1", 1_600_000_000, 0)];
    // With nanoseconds, and past 2038, 2106, 2174 and 2310.
    let far = [
        ("empty", -1, 5),
        ("large", 2_147_483_648, 999_999_999),
        ("deep", 4_294_967_296, 1),
        ("block", 6_442_450_944, 2),
        ("short", 15_032_385_535, 3),
    ];
    let times = if wishes.far_times { &far[..] } else { &near };
    for (name, tv_sec, tv_nsec) in times {
        let time = Timespec { tv_sec: *tv_sec, tv_nsec: *tv_nsec };
        let path = CString::new(root.join(name).as_os_str().as_bytes())?;
        utimensat(CWD, &path, &Timestamps { last_access: time, last_modification: time }, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Makes an image of 256 MiB with `mke2fs`.
pub fn mke2fs(image: &Path, options: &[&str], source: Option<&Path>) {
    let mut mke2fs = Command::new("mke2fs");
    mke2fs.args(["-q", "-F", "-t", "ext4", "-T", "default", "-E", "root_owner=0:0"]).args(options);
    if let Some(source) = source {
        mke2fs.arg("-d").arg(source);
    }
    nex_testkit::command::run(mke2fs.arg(image).arg("256M")).unwrap();
}

/// Changes an image with debugfs.
pub fn debugfs(image: &Path, request: &str) {
    let output = Command::new("debugfs").args(["-w", "-R", request]).arg(image).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

pub fn open(image: &Path) -> Result<Reader<File>, Error> {
    Reader::open(File::open(image).unwrap(), Options::default())
}

/// The whole tree of an image as the reader under test has it; `lost+found` is left out.
pub fn read_all<S: ReadAt>(reader: &Reader<S>) -> Result<Manifest, Error> {
    let mut collector = Collector::default();
    let root = reader.stat(b"/")?.expect("a root");
    let mut seen = HashSet::new();
    let mut directories = vec![(Vec::new(), root)];
    while let Some((path, directory)) = directories.pop() {
        // Damage can make a circle.
        if !seen.insert(directory.number) {
            continue;
        }
        for entry in reader.list(&directory)? {
            if path.is_empty() && *entry.name == *b"lost+found" {
                continue;
            }
            let inode = reader.inode(entry.inode)?;
            let name = if path.is_empty() { entry.name.into_vec() } else { [&path[..], b"/", &entry.name].concat() };
            if inode.file_type == FileType::Directory {
                directories.push((name, inode));
            } else {
                collector.add(name, inode.number.into(), describe(reader, &inode)?);
            }
        }
        collector.add(path, directory.number.into(), describe(reader, &directory)?);
    }
    Ok(collector.finish())
}

fn describe<S: ReadAt>(reader: &Reader<S>, inode: &Inode) -> Result<Entry, Error> {
    let device = || inode.device.map(|device| (device.major, device.minor)).expect("a device");
    let kind = match inode.file_type {
        FileType::Directory => Kind::Directory,
        FileType::Regular => {
            let mut content = Content { reader, inode, offset: 0, error: None };
            match manifest::file_kind(&mut content) {
                Ok(kind) => kind,
                Err(_) => return Err(content.error.expect("an error")),
            }
        }
        FileType::Symlink => Kind::Symlink(reader.read_link(inode)?),
        FileType::CharacterDevice => Kind::CharacterDevice(device().0, device().1),
        FileType::BlockDevice => Kind::BlockDevice(device().0, device().1),
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
    };
    let xattrs = reader.xattrs(inode)?.into_iter().map(|xattr| {
        let value = manifest::canonical_xattr(&xattr.name, xattr.value.into_vec());
        (xattr.name.into_vec(), value)
    });
    Ok(Entry {
        kind,
        mode: inode.mode.into(),
        uid: inode.uid,
        gid: inode.gid,
        modified: (inode.modified.seconds, inode.modified.nanoseconds),
        xattrs: xattrs.collect(),
        linked: None,
    })
}

/// A file as a stream, in pieces that are no multiple of a block.
struct Content<'a, S> {
    reader: &'a Reader<S>,
    inode: &'a Inode,
    offset: u64,
    error: Option<Error>,
}

impl<S: ReadAt> Read for Content<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(CHUNK - 1);
        match self.reader.read(self.inode, self.offset, &mut buffer[..length]) {
            Ok(count) => {
                self.offset += count as u64;
                Ok(count)
            }
            Err(error) => {
                let text = error.to_string();
                self.error = Some(error);
                Err(io::Error::other(text))
            }
        }
    }
}
