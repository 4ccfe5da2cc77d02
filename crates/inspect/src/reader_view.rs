//! An ext4 file system that is read, as a [`View`].

use std::cell::{Cell, RefCell};
use std::io;

use nex_ext4::reader::{Error, Inode, Reader};
use nex_ext4::{FileType, ReadAt};

use crate::view::{Kind, Stat, View};

/// The first error that a look at a file system met. A [`View`] tells what is missing from what is there, and has no word for
/// what cannot be read.
#[derive(Debug, Default)]
pub struct Trouble {
    first: RefCell<Option<Error>>,
    /// What was over, and its limit, once looking has cost as much as it may.
    spent: Cell<Option<(u64, &'static str)>>,
}

impl Trouble {
    /// Hands over the first error since it was last asked for.
    pub fn take(&self) -> Option<Error> {
        self.first.take()
    }

    /// What the reader answers, or `None` with the error kept. Once the budget is spent it is not asked any more.
    pub(crate) fn ask<T>(&self, question: impl FnOnce() -> Result<T, Error>) -> Option<T> {
        let answer = self.is_within().and_then(|()| question());
        let error = match answer {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        if let Error::OverBudget { limit, what } = error {
            self.spent.set(Some((limit, what)));
        }
        self.first.borrow_mut().get_or_insert(error);
        None
    }

    /// An error once the budget is spent.
    fn is_within(&self) -> Result<(), Error> {
        self.spent.get().map_or(Ok(()), |(limit, what)| Err(Error::OverBudget { limit, what }))
    }
}

/// A file system as a [`View`]. A name that cannot be looked up, because of damage or because looking would take too long,
/// counts as missing there; the [`Trouble`] tells that it happened.
pub struct ReaderView<'a, S> {
    reader: &'a Reader<S>,
    trouble: &'a Trouble,
}

impl<'a, S: ReadAt> ReaderView<'a, S> {
    /// A view of what a reader reads.
    pub fn new(reader: &'a Reader<S>, trouble: &'a Trouble) -> Self {
        Self { reader, trouble }
    }

    /// The inode that a path leads to.
    pub(crate) fn inode(&self, path: &[u8]) -> Option<Inode> {
        self.trouble.ask(|| self.reader.stat(path)).flatten()
    }

    /// The inode that stands at a path.
    fn link_inode(&self, path: &[u8]) -> Option<Inode> {
        self.trouble.ask(|| self.reader.lstat(path)).flatten()
    }

    /// The inode that a path leads to, if it is of this type.
    pub(crate) fn typed_inode(&self, path: &[u8], file_type: FileType) -> Option<Inode> {
        self.inode(path).filter(|inode| inode.file_type == file_type)
    }
}

impl<S: ReadAt> View for ReaderView<'_, S> {
    fn stat(&self, path: &[u8]) -> Option<Stat> {
        self.inode(path).map(|inode| stat(&inode))
    }

    fn lstat(&self, path: &[u8]) -> Option<Stat> {
        self.link_inode(path).map(|inode| stat(&inode))
    }

    fn read_link(&self, path: &[u8]) -> Option<Vec<u8>> {
        let link = self.link_inode(path).filter(|inode| inode.file_type == FileType::Symlink)?;
        self.trouble.ask(|| self.reader.read_link(&link))
    }

    fn read(&self, path: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = self.typed_inode(path, FileType::Regular);
        let content = file.and_then(|file| self.trouble.ask(|| self.reader.content(&file, limit)));
        self.trouble.is_within().map_err(io::Error::other)?;
        Ok(content)
    }

    fn list_matching(&self, path: &[u8], is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Vec<Vec<u8>>> {
        let directory = self.typed_inode(path, FileType::Directory)?;
        let entries = self.trouble.ask(|| self.reader.list_matching(&directory, is_wanted))?;
        Some(entries.into_iter().map(|entry| entry.name.into_vec()).collect())
    }

    fn is_spent(&self) -> bool {
        self.trouble.is_within().is_err()
    }
}

fn stat(inode: &Inode) -> Stat {
    let kind = match inode.file_type {
        FileType::Directory => Kind::Directory,
        FileType::Regular => Kind::File,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    Stat { kind, mode: inode.mode, uid: inode.uid, gid: inode.gid }
}
