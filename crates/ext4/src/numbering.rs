//! Inode numbers and link counts: one walk over the names decides both.
//!
//! The rule is fixed, so that the same tree gives the same bytes: a directory's names are numbered together, in the
//! order of their bytes; then its subdirectories are visited in the same order, each with all that is below it.

use crate::directory::Entry;
use crate::error::{Error, EscapedPath};
use crate::file_type::FileType;
use crate::inode::{LINK_MAX, directory_links};
use crate::tree::{Directory, Inode, InodeId, Kind, Tree};

/// The root directory's number (`EXT4_ROOT_INO`).
pub(crate) const ROOT: u32 = 2;
/// The resize inode's number (`EXT4_RESIZE_INO`).
pub(crate) const RESIZE: u32 = 7;
/// The journal's number (`EXT4_JOURNAL_INO`).
pub(crate) const JOURNAL: u32 = 8;
/// The number of `/lost+found`, the first that is not reserved (`s_first_ino`).
pub(crate) const LOST_AND_FOUND: u32 = 11;
/// The name that e2fsck looks for.
pub(crate) const LOST_AND_FOUND_NAME: &[u8] = b"lost+found";

const MAX_NAME: usize = 255;
const MAX_TARGET: usize = 4095;

/// What the walk found out about one inode of the tree.
#[derive(Clone, Copy)]
struct Found {
    /// The inode number; 0 while it has no name.
    number: u32,
    /// Names; for a directory, its subdirectories.
    links: u32,
    /// The directory in which it was found first.
    parent: InodeId,
}

/// An inode that has a name, with what the walk decided.
#[derive(Clone, Copy)]
pub(crate) struct Numbered<'a> {
    /// The inode number on the disk.
    pub number: u32,
    /// `i_links_count`.
    pub links: u16,
    /// The number of the directory in which it was found first; the root's own for the root.
    pub parent: u32,
    /// The inode itself.
    pub inode: &'a Inode,
    /// Its place in the tree; `None` is the `/lost+found` that the tree lacks.
    id: Option<InodeId>,
}

/// Every inode that has a name, numbered.
pub(crate) struct Numbering<'a> {
    tree: &'a Tree,
    /// The `/lost+found` that serves when the tree has none.
    spare_lost_and_found: &'a Inode,
    /// By [`InodeId::index`].
    found: Vec<Found>,
    /// The inodes with the numbers from 12 on.
    order: Vec<InodeId>,
    /// The tree's own `/lost+found`.
    lost_and_found: Option<InodeId>,
}

impl<'a> Numbering<'a> {
    /// Walks the tree.
    pub fn new(tree: &'a Tree, spare_lost_and_found: &'a Inode) -> Result<Self, Error> {
        let unnamed = Found { number: 0, links: 0, parent: Tree::ROOT };
        let found = vec![unnamed; tree.len()];
        let mut numbering = Self { tree, spare_lost_and_found, found, order: Vec::new(), lost_and_found: None };
        numbering.found[Tree::ROOT.index()] = Found { number: ROOT, links: 0, parent: Tree::ROOT };
        numbering.walk()?;
        if numbering.lost_and_found.is_none() {
            numbering.found[Tree::ROOT.index()].links += 1;
        }
        Ok(numbering)
    }

    fn walk(&mut self) -> Result<(), Error> {
        let mut pending = vec![Tree::ROOT];
        while let Some(directory) = pending.pop() {
            let first_subdirectory = pending.len();
            for (name, child) in self.names(directory) {
                self.check_name(directory, name)?;
                match &self.tree.inode(*child).kind {
                    Kind::Directory(_) => {
                        self.find_directory(directory, name, *child)?;
                        pending.push(*child);
                    }
                    _ => self.find_leaf(directory, name, *child)?,
                }
            }
            pending[first_subdirectory..].reverse();
        }
        Ok(())
    }

    fn find_directory(&mut self, parent: InodeId, name: &[u8], child: InodeId) -> Result<(), Error> {
        if self.found[child.index()].number != 0 {
            return Err(Error::DirectoryLinkedTwice { path: self.path_of_name(parent, name) });
        }
        let number = if parent == Tree::ROOT && name == LOST_AND_FOUND_NAME {
            self.lost_and_found = Some(child);
            LOST_AND_FOUND
        } else {
            self.next_number(child)?
        };
        self.found[child.index()] = Found { number, links: 0, parent };
        self.found[parent.index()].links += 1;
        Ok(())
    }

    fn find_leaf(&mut self, parent: InodeId, name: &[u8], child: InodeId) -> Result<(), Error> {
        if parent == Tree::ROOT && name == LOST_AND_FOUND_NAME {
            return Err(Error::LostAndFoundTaken);
        }
        if self.found[child.index()].number == 0 {
            let number = self.next_number(child)?;
            self.found[child.index()] = Found { number, links: 0, parent };
            self.check_target(child)?;
        }
        self.found[child.index()].links += 1;
        let links = self.found[child.index()].links;
        if links > LINK_MAX {
            return Err(Error::TooManyLinks { path: self.path(child), links });
        }
        Ok(())
    }

    fn next_number(&mut self, id: InodeId) -> Result<u32, Error> {
        self.order.push(id);
        let number = u64::from(LOST_AND_FOUND) + self.order.len() as u64;
        u32::try_from(number).map_err(|_| Error::TooManyInodes { inodes: number })
    }

    fn check_name(&self, directory: InodeId, name: &[u8]) -> Result<(), Error> {
        let illegal = name.is_empty() || name.len() > MAX_NAME || name == b"." || name == b"..";
        if illegal || name.iter().any(|byte| matches!(byte, b'/' | 0)) {
            return Err(Error::IllegalName { path: self.path_of_name(directory, name) });
        }
        Ok(())
    }

    fn check_target(&self, id: InodeId) -> Result<(), Error> {
        match &self.tree.inode(id).kind {
            Kind::Symlink(target) if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) => {
                Err(Error::IllegalTarget { path: self.path(id), length: target.len() })
            }
            _ => Ok(()),
        }
    }

    /// The highest number in use; all below are in use or reserved.
    pub fn last(&self) -> u32 {
        LOST_AND_FOUND + self.order.len() as u32
    }

    /// The inodes with their numbers, ascending.
    pub fn inodes(&self) -> impl Iterator<Item = Numbered<'a>> + '_ {
        let lost_and_found = self.lost_and_found.map_or_else(|| self.spare(), |id| self.numbered(id));
        let rest = self.order.iter().map(|id| self.numbered(*id));
        [self.numbered(Tree::ROOT), lost_and_found].into_iter().chain(rest)
    }

    fn numbered(&self, id: InodeId) -> Numbered<'a> {
        let found = self.found[id.index()];
        let inode = self.tree.inode(id);
        let links = match inode.kind {
            Kind::Directory(_) => directory_links(found.links as usize),
            _ => found.links as u16,
        };
        let parent = self.found[found.parent.index()].number;
        Numbered { number: found.number, links, parent, inode, id: Some(id) }
    }

    fn spare(&self) -> Numbered<'a> {
        Numbered {
            number: LOST_AND_FOUND,
            links: directory_links(0),
            parent: ROOT,
            inode: self.spare_lost_and_found,
            id: None,
        }
    }

    /// A directory's names with the numbers they stand for, in the order of their bytes.
    pub fn entries(&self, directory: &Numbered<'a>) -> Vec<Entry<'a>> {
        let Kind::Directory(names) = &directory.inode.kind else { return Vec::new() };
        let mut entries = Vec::with_capacity(names.len() + 1);
        entries.extend(names.iter().map(|(name, child)| Entry {
            name,
            inode: self.found[child.index()].number,
            file_type: FileType::from(&self.tree.inode(*child).kind),
        }));
        if directory.number == ROOT && self.lost_and_found.is_none() {
            let place = entries.partition_point(|entry| entry.name < LOST_AND_FOUND_NAME);
            let file_type = FileType::Directory;
            entries.insert(place, Entry { name: LOST_AND_FOUND_NAME, inode: LOST_AND_FOUND, file_type });
        }
        entries
    }

    /// The path under which the walk found an inode first, for messages.
    pub fn path_of(&self, numbered: &Numbered) -> EscapedPath {
        numbered.id.map_or_else(|| self.path_of_name(Tree::ROOT, LOST_AND_FOUND_NAME), |id| self.path(id))
    }

    fn path(&self, id: InodeId) -> EscapedPath {
        if id == Tree::ROOT {
            return EscapedPath::from(b"/".to_vec());
        }
        let parent = self.found[id.index()].parent;
        let name = self.names(parent).iter().find(|(_, child)| **child == id).map_or(&b""[..], |(name, _)| name);
        self.path_of_name(parent, name)
    }

    fn path_of_name(&self, directory: InodeId, name: &[u8]) -> EscapedPath {
        let mut names = vec![name];
        let mut id = directory;
        while id != Tree::ROOT {
            let parent = self.found[id.index()].parent;
            names.extend(self.names(parent).iter().find(|(_, child)| **child == id).map(|(name, _)| &**name));
            id = parent;
        }
        let path: Vec<u8> = names.iter().rev().flat_map(|name| std::iter::once(&b'/').chain(*name)).copied().collect();
        path.into()
    }

    fn names(&self, directory: InodeId) -> &'a Directory {
        static EMPTY: Directory = Directory::new();
        self.tree.directory(directory).unwrap_or(&EMPTY)
    }
}
