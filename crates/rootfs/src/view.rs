//! The merged tree as the guest's wiring and the agent's audit look at it.

use std::io;

use nex_ext4::{Content, Inode, InodeId, Kind, Tree, Writer};

use nex_inspect::{Stat, View};

use crate::resolve::{resolve, resolve_parent};

/// A tree whose contents are already placed.
pub struct MergedView<'a> {
    /// The names.
    pub tree: &'a Tree,
    /// What reads the contents back.
    pub writer: &'a Writer,
}

impl MergedView<'_> {
    fn find(&self, path: &[u8], follow: fn(&Tree, &[u8]) -> Option<InodeId>) -> Option<&Inode> {
        follow(self.tree, path).map(|id| self.tree.inode(id))
    }

    fn content(&self, path: &[u8]) -> Option<&Content> {
        match &self.find(path, resolve)?.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }
}

impl View for MergedView<'_> {
    fn stat(&self, path: &[u8]) -> Option<Stat> {
        self.find(path, resolve).map(stat)
    }

    fn lstat(&self, path: &[u8]) -> Option<Stat> {
        self.find(path, resolve_parent).map(stat)
    }

    fn read_link(&self, path: &[u8]) -> Option<Vec<u8>> {
        match &self.find(path, resolve_parent)?.kind {
            Kind::Symlink(target) => Some(target.to_vec()),
            _ => None,
        }
    }

    fn read(&self, path: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(content) = self.content(path) else {
            return Ok(None);
        };
        self.writer.read(content, limit).map(Some).map_err(io::Error::other)
    }

    fn list_matching(&self, path: &[u8], is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Vec<Vec<u8>>> {
        let id = resolve(self.tree, path)?;
        let wanted = self.tree.directory(id)?.keys().filter(|name| is_wanted(name));
        Some(wanted.map(|name| name.to_vec()).collect())
    }
}

fn stat(inode: &Inode) -> Stat {
    let kind = match inode.kind {
        Kind::Directory(_) => nex_inspect::Kind::Directory,
        Kind::File(_) => nex_inspect::Kind::File,
        Kind::Symlink(_) => nex_inspect::Kind::Symlink,
        _ => nex_inspect::Kind::Other,
    };
    let metadata = &inode.metadata;
    Stat { kind, mode: metadata.mode, uid: metadata.uid, gid: metadata.gid }
}
