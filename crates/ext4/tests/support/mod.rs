//! What the tests share: making images, and asking the judges.

#![allow(dead_code, reason = "each test program uses its part")]

pub mod growth;
pub mod recording;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nex_ext4::{
    Content, Directory, Error, Inode, InodeId, Kind, Layout, Metadata, Options, Report, Sizes, Timestamp, Tree, Writer,
};
use nex_fault::Fault;
use nex_testkit::e2fsck::E2fsck;
use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::{fsck, noise};

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// What an error says, with what it advises.
pub fn said(error: &dyn Fault) -> String {
    nex_fault::advised(error, |setting| setting.name().to_owned())
}

/// An image in a directory of its own, which goes away with it.
pub struct Image {
    directory: tempfile::TempDir,
    pub report: Report,
}

impl Image {
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    /// A second image that can be damaged, with the holes of the first.
    pub fn copy(&self) -> PathBuf {
        let copy = self.directory.path().join("copy");
        assert!(Command::new("cp").arg("--sparse=always").arg(self.path()).arg(&copy).status().unwrap().success());
        copy
    }

    /// Asserts that e2fsck has nothing to say and nothing to change.
    pub fn assert_clean(&self) {
        if !have("e2fsck") {
            return;
        }
        fsck::judge(&self.path()).unwrap();
    }

    /// Asserts that dumpe2fs, whose fields these are, counts as the report does.
    pub fn assert_counts(&self, fields: &BTreeMap<String, String>) {
        if !have("dumpe2fs") {
            return;
        }
        let report = &self.report;
        for (name, expected) in [
            ("Block count", report.block_count),
            ("Free blocks", report.free_blocks),
            ("Reserved block count", report.reserved_blocks),
            ("Inode count", report.inode_count.into()),
            ("Free inodes", report.free_inodes.into()),
        ] {
            assert_eq!(fields.get(name), Some(&expected.to_string()), "{name}");
        }
    }

    /// Asserts that `e2fsck -fy` changes nothing on a copy but the times of the check.
    pub fn assert_repair_changes_nothing(&self) {
        fsck::repair_changes_nothing(&self.path()).unwrap();
    }
}

/// Builds a tree with one data phase.
pub struct Builder {
    pub writer: Writer,
    pub tree: Tree,
    directory: tempfile::TempDir,
}

impl Builder {
    pub fn new(layout: &Layout) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("image");
        let file = File::options().read(true).write(true).create_new(true).open(path).unwrap();
        Self { writer: Writer::new(file, layout).unwrap(), tree: Tree::new(metadata(0o755)), directory }
    }

    /// Places a file's bytes.
    pub fn place(&mut self, bytes: &[u8]) -> Content {
        let mut file = self.writer.file();
        file.write(bytes).unwrap();
        file.finish().unwrap()
    }

    pub fn add(&mut self, parent: InodeId, name: impl AsRef<[u8]>, kind: Kind) -> InodeId {
        let inode = Inode { metadata: metadata(0o644), kind, xattrs: Box::default() };
        self.add_inode(parent, name, inode)
    }

    pub fn add_inode(&mut self, parent: InodeId, name: impl AsRef<[u8]>, inode: Inode) -> InodeId {
        let id = self.tree.add(inode);
        self.link(parent, name, id);
        id
    }

    pub fn link(&mut self, parent: InodeId, name: impl AsRef<[u8]>, id: InodeId) {
        self.tree.directory_mut(parent).unwrap().insert(name.as_ref().into(), id);
    }

    pub fn add_file(&mut self, parent: InodeId, name: impl AsRef<[u8]>, bytes: &[u8]) -> InodeId {
        let content = self.place(bytes);
        self.add(parent, name, Kind::File(content))
    }

    pub fn add_directory(&mut self, parent: InodeId, name: impl AsRef<[u8]>) -> InodeId {
        let kind = Kind::Directory(Directory::new());
        let inode = Inode { metadata: metadata(0o755), kind, xattrs: Box::default() };
        self.add_inode(parent, name, inode)
    }

    pub fn try_finish(self, sizes: impl Into<Sizes>) -> Result<Image, Error> {
        let (_, report) = self.writer.finish(&self.tree, &options(sizes))?;
        Ok(Image { directory: self.directory, report })
    }

    pub fn finish(self, sizes: impl Into<Sizes>) -> Image {
        self.try_finish(sizes).unwrap()
    }
}

pub fn metadata(mode: u16) -> Metadata {
    Metadata { mode, uid: 0, gid: 0, time: Timestamp { seconds: 1_700_000_000, nanoseconds: 123_456_789 } }
}

pub fn options(sizes: impl Into<Sizes>) -> Options {
    let uuid = *b"\x01\x23\x45\x67\x89\xab\x4d\xef\x81\x23\x45\x67\x89\xab\xcd\xef";
    Options {
        sizes: sizes.into(),
        uuid,
        hash_seed: *b"hash seed of 16!",
        label: *b"test\0\0\0\0\0\0\0\0\0\0\0\0",
        time: 1_700_000_000,
    }
}

/// Bytes that are neither zero nor the same in two blocks.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    noise::bytes(length, seed)
}

/// Whether a program can be run; says so when it cannot.
pub fn have(program: &str) -> bool {
    let found = Command::new(program).arg("-V").output().is_ok();
    if !found {
        eprintln!("{program} is missing, so this test judges less");
    }
    found
}

pub fn e2fsck(arguments: &[&str], image: &Path) -> Output {
    Command::new("e2fsck").env("LC_ALL", "C").args(arguments).arg(image).output().unwrap()
}

/// The exit code alone proves nothing: e2fsck returns 0 with complaints.
pub fn assert_fsck_is_silent(image: &Path) {
    let output = e2fsck(&["-fn"], image);
    let said = text(&output);
    let is_expected = |line: &str| {
        line.is_empty()
            || line.starts_with("e2fsck 1.")
            || line.starts_with("Pass ")
            || line.contains(" files (") && line.ends_with(" blocks")
    };
    let complaints: Vec<_> = said.lines().filter(|line| !is_expected(line)).collect();
    assert!(output.status.success() && complaints.is_empty(), "e2fsck -fn: {said}");
}

/// The same by each generation of e2fsck that there is.
pub fn assert_every_fsck_is_silent(image: &Path) {
    E2fsck::all().unwrap().iter().for_each(|e2fsck| fsck::check_by(e2fsck, image).unwrap());
}

/// What a shell script writes in the root of the mounted image; `None`, with a message, where mounting is not possible.
pub fn in_kernel(image: &Image, script: &str) -> Option<String> {
    if !kernel::is_available() {
        return None;
    }
    let mount = Mount::new(&image.path(), Access::ReadOnly).unwrap();
    let said = mount.run(script).unwrap();
    mount.unmount().unwrap();
    Some(said)
}

pub fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{err}")
}

/// A file's bytes as an independent reader sees them.
pub fn read(image: &Path, path: &str) -> Vec<u8> {
    ext4_view::Ext4::load_from_path(image).unwrap().read(path).unwrap()
}

pub fn debugfs(image: &Path, request: &str) -> String {
    text(&Command::new("debugfs").env("LC_ALL", "C").arg("-R").arg(request).arg(image).output().unwrap())
}

/// What `dumpe2fs -h` says of each field.
pub fn dumpe2fs(image: &Path) -> BTreeMap<String, String> {
    if !have("dumpe2fs") {
        return BTreeMap::new();
    }
    let output = Command::new("dumpe2fs").env("LC_ALL", "C").arg("-h").arg(image).output().unwrap();
    let fields = text(&output);
    let fields = fields.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

pub fn flip_byte(image: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(image).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
}

/// The offsets of the bytes in which two sparse files differ; at most a few hundred.
pub fn difference(left: &Path, right: &Path) -> Vec<u64> {
    let output = Command::new("cmp").arg("-l").arg("-n").arg("9999999999999").arg(left).arg(right).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.stderr.is_empty(), "cmp: {}", text(&output));
    said.lines().take(500).map(|line| line.split_whitespace().next().unwrap().parse::<u64>().unwrap() - 1).collect()
}
