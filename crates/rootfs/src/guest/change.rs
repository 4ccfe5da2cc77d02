//! What the wiring adds to the image: one more layer, made in memory.

use nex_fault::Note;

/// One entry of that layer. They are applied in order; the last one for a path wins.
///
/// Parents resolve through the image's symlinks; those that are missing are made 0755, owned by root. What stands at the
/// path itself is replaced, a symlink too, except that a directory keeps its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A directory is there, with these attributes.
    Directory {
        /// Where, absolute.
        path: Vec<u8>,
        /// Permissions.
        mode: u16,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
    },
    /// A regular file is there.
    File {
        /// Where, absolute.
        path: Vec<u8>,
        /// Permissions.
        mode: u16,
        /// The owner.
        uid: u32,
        /// The group.
        gid: u32,
        /// Its bytes.
        content: FileContent,
    },
    /// A symlink is there, owned by root.
    Symlink {
        /// Where, absolute.
        path: Vec<u8>,
        /// What it says.
        target: Vec<u8>,
    },
}

/// The bytes of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileContent {
    /// These.
    Bytes(Vec<u8>),
    /// Those of the agent's binary.
    Agent,
}

/// Changes, and remarks for the report, as they are collected.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(crate) changes: Vec<Change>,
    pub(crate) notes: Vec<Note>,
}

impl Layer {
    /// Adds a directory.
    pub(crate) fn directory(&mut self, path: &[u8], mode: u16, (uid, gid): (u32, u32)) {
        self.changes.push(Change::Directory { path: path.to_vec(), mode, uid, gid });
    }

    /// Adds a file owned by root.
    pub(crate) fn file(&mut self, path: &[u8], mode: u16, bytes: impl Into<Vec<u8>>) {
        self.owned_file(path, mode, (0, 0), FileContent::Bytes(bytes.into()));
    }

    /// Adds a file.
    pub(crate) fn owned_file(&mut self, path: &[u8], mode: u16, (uid, gid): (u32, u32), content: FileContent) {
        self.changes.push(Change::File { path: path.to_vec(), mode, uid, gid, content });
    }

    /// Adds a symlink.
    pub(crate) fn symlink(&mut self, path: &[u8], target: &[u8]) {
        self.changes.push(Change::Symlink { path: path.to_vec(), target: target.to_vec() });
    }

    /// Adds a remark for the report.
    pub(crate) fn note(&mut self, note: impl Into<Note>) {
        self.notes.push(note.into());
    }
}
