//! An image in memory, for tests.

use std::collections::BTreeMap;
use std::io;

use nex_inspect::{Kind, Stat, View, name, parent};

use super::change::{Change, FileContent};

/// One thing that has a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) stat: Stat,
    /// The bytes of a file, the target of a symlink.
    pub(crate) bytes: Vec<u8>,
}

/// A tree by its resolved paths; the root is the empty path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    nodes: BTreeMap<Vec<u8>, Node>,
}

impl Image {
    /// Adds a file, with its parents.
    pub(crate) fn file(self, path: &str, mode: u16, content: impl AsRef<[u8]>) -> Self {
        self.with(path.as_bytes(), Kind::File, mode, (0, 0), content.as_ref())
    }

    /// Adds a symlink, with its parents.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.with(path.as_bytes(), Kind::Symlink, 0o777, (0, 0), target.as_bytes())
    }

    /// Adds a directory, with its parents.
    pub(crate) fn directory(self, path: &str) -> Self {
        self.with(path.as_bytes(), Kind::Directory, 0o755, (0, 0), b"")
    }

    /// Gives what stands at a path to somebody.
    pub(crate) fn owned(mut self, path: &str, uid: u32, gid: u32) -> Self {
        let stat = &mut self.nodes.get_mut(path.as_bytes()).expect("added before").stat;
        (stat.uid, stat.gid) = (uid, gid);
        self
    }

    /// The tree with a layer of changes on top.
    pub(crate) fn apply(mut self, changes: &[Change]) -> Self {
        for change in changes {
            self = match change {
                Change::Directory { path, mode, uid, gid } => {
                    self.with(path, Kind::Directory, *mode, (*uid, *gid), b"")
                }
                Change::File { path, mode, uid, gid, content } => {
                    let bytes = match content {
                        FileContent::Bytes(bytes) => bytes.as_slice(),
                        FileContent::Agent => b"the agent",
                    };
                    self.with(path, Kind::File, *mode, (*uid, *gid), bytes)
                }
                Change::Symlink { path, target } => self.with(path, Kind::Symlink, 0o777, (0, 0), target),
            };
        }
        self
    }

    /// What a path leads to, as text.
    pub(crate) fn text(&self, path: &str) -> String {
        let node = self.nodes.get(&self.resolve(path.as_bytes(), true)).unwrap_or_else(|| panic!("no {path}"));
        String::from_utf8(node.bytes.clone()).expect("text")
    }

    /// What stands at a path.
    pub(crate) fn at(&self, path: &str) -> Option<&Node> {
        self.nodes.get(&self.resolve(path.as_bytes(), false))
    }

    fn with(mut self, path: &[u8], kind: Kind, mode: u16, (uid, gid): (u32, u32), bytes: &[u8]) -> Self {
        let path = self.resolve(path, false);
        let mut missing = parent(&path).to_vec();
        while !missing.is_empty() && !self.nodes.contains_key(&missing) {
            let stat = Stat { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0 };
            self.nodes.insert(missing.clone(), Node { stat, bytes: Vec::new() });
            missing = parent(&missing).to_vec();
        }
        self.nodes.insert(path, Node { stat: Stat { kind, mode, uid, gid }, bytes: bytes.to_vec() });
        self
    }

    fn resolve(&self, path: &[u8], last_too: bool) -> Vec<u8> {
        let mut todo: Vec<Vec<u8>> = path.split(|&b| b == b'/').rev().map(<[u8]>::to_vec).collect();
        let mut done = Vec::new();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            match part.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    done = parent(&done).to_vec();
                    continue;
                }
                _ => {}
            }
            let here = [&done, b"/".as_slice(), &part].concat();
            match self.nodes.get(&here) {
                Some(node) if node.stat.kind == Kind::Symlink && (last_too || !todo.is_empty()) && links < 40 => {
                    links += 1;
                    if node.bytes.starts_with(b"/") {
                        done.clear();
                    }
                    todo.extend(node.bytes.split(|&b| b == b'/').rev().map(<[u8]>::to_vec));
                }
                _ => done = here,
            }
        }
        done
    }
}

impl View for Image {
    fn stat(&self, path: &[u8]) -> Option<Stat> {
        self.nodes.get(&self.resolve(path, true)).map(|node| node.stat)
    }

    fn lstat(&self, path: &[u8]) -> Option<Stat> {
        self.nodes.get(&self.resolve(path, false)).map(|node| node.stat)
    }

    fn read_link(&self, path: &[u8]) -> Option<Vec<u8>> {
        let node = self.nodes.get(&self.resolve(path, false))?;
        (node.stat.kind == Kind::Symlink).then(|| node.bytes.clone())
    }

    fn read(&self, path: &[u8], limit: u64) -> io::Result<Option<Vec<u8>>> {
        let node = self.nodes.get(&self.resolve(path, true)).filter(|node| node.stat.kind == Kind::File);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(node.map(|node| node.bytes[..node.bytes.len().min(limit)].to_vec()))
    }

    fn list_matching(&self, path: &[u8], is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Vec<Vec<u8>>> {
        let directory = self.resolve(path, true);
        let inside = self.nodes.keys().filter(|path| parent(path) == directory);
        Some(inside.map(|path| name(path)).filter(|name| is_wanted(name)).map(<[u8]>::to_vec).collect())
    }
}
