//! What a look at a file system costs, and that it ends with its budget.

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::process::Command;

use nex_ext4::ReadAt;
use nex_ext4::reader::{Budget, Error, Options, Reader};
use nex_inspect::{ReaderView, Trouble, View};
use nex_testkit::command;

/// A file, and how often it has been read.
struct Counted<'a> {
    file: File,
    reads: &'a Cell<u64>,
}

impl ReadAt for Counted<'_> {
    fn size(&self) -> io::Result<u64> {
        ReadAt::size(&self.file)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.set(self.reads.get() + 1);
        ReadAt::read_at(&self.file, bytes, offset)
    }
}

#[test]
fn nothing_is_read_once_the_budget_is_spent() {
    let directory = tempfile::tempdir().expect("a directory");
    let (tree, image) = (directory.path().join("tree"), directory.path().join("image"));
    fs::create_dir_all(tree.join("keys")).expect("writable");
    for number in 0..100 {
        fs::write(tree.join(format!("keys/{number}")), "content").expect("writable");
    }
    let mut mke2fs = Command::new("mke2fs");
    command::run(mke2fs.args(["-q", "-F", "-t", "ext4", "-d"]).args([&tree, &image]).arg("16M")).expect("an image");
    for (budget, what) in [
        (Budget { listed: 1000, ..Budget::default() }, "more than 1000 bytes of listed names"),
        (Budget { names: 40, ..Budget::default() }, "more than 40 names"),
    ] {
        let (reads, trouble) = (Cell::new(0), Trouble::default());
        let storage = Counted { file: File::open(&image).expect("readable"), reads: &reads };
        let reader = Reader::open(storage, Options { budget, ..Options::default() }).expect("a file system");
        let view = ReaderView::new(&reader, &trouble);
        assert!(view.stat(b"/keys").is_some() && !view.is_spent());
        assert_eq!(view.list(b"/keys"), None);
        assert!(view.is_spent());
        let before = reads.get();
        for _ in 0..1000 {
            assert_eq!((view.stat(b"/keys"), view.lstat(b"/keys"), view.list(b"/keys")), (None, None, None));
            assert_eq!(
                view.read(b"/keys/1", 4).expect_err("it is spent").to_string(),
                format!("{what} of it would have to be read")
            );
        }
        assert_eq!(reads.get(), before);
        // What was found missing after a first report is not there for all that is known, which is told once more.
        for _ in 0..2 {
            let error = trouble.take().expect("it is spent");
            assert!(matches!(error, Error::OverBudget { .. }) && error.to_string().contains(what), "{error}");
            assert_eq!(view.stat(b"/keys"), None);
        }
    }
}
