//! Images that are grown, and what was put into them.

use std::fs::File;
use std::path::Path;

use nex_ext4::{Kind, Layout, Size, Tree};

use super::{Builder, Image, debugfs, pattern};

/// An image with something in it; `max_size` is the growth that it is prepared for.
pub fn image(size: u64, max_size: u64) -> Image {
    let mut builder = Builder::new(&Layout { max_size, size_limit: Some(size) });
    builder.add_file(Tree::ROOT, "file", &pattern(1, 3 << 20));
    let directory = builder.add_directory(Tree::ROOT, "directory");
    for i in 0..700 {
        builder.add_file(directory, format!("a file with number {i}"), &pattern(i, i as usize * 5));
    }
    builder.add(directory, "link", Kind::Symlink(b"../file"[..].into()));
    builder.finish(Size::Exact(size))
}

pub fn prepared(size: u64) -> Image {
    image(size, Layout::default().max_size)
}

pub fn open(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}

/// All that [`image`] put there is there, says debugfs: the crate `ext4-view` does not read `meta_bg`.
pub fn assert_content(path: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let said = debugfs(path, &format!("rdump / {}", directory.path().display()));
    let read =
        |name: &str| std::fs::read(directory.path().join(name)).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert!(read("file") == pattern(1, 3 << 20));
    assert!(read("directory/link") == pattern(1, 3 << 20));
    for i in 0..700 {
        assert!(read(&format!("directory/a file with number {i}")) == pattern(i, i as usize * 5));
    }
}
