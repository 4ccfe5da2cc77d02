//! The image's text files, changed line by line. Every byte of the other lines stays.

use nex_inspect::View;

use super::change::{FileContent, Layer};
use super::{Error, lossy};

/// Far above any such file; a longer one is not what it claims to be.
const LONGEST: u64 = 4 << 20;

/// A file of lines, as the image has it or as it shall be.
pub(crate) struct Text {
    path: &'static [u8],
    bytes: Vec<u8>,
    attributes: Attributes,
    changed: bool,
    found: bool,
}

/// Owner and permissions of a text file.
#[derive(Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) mode: u16,
    pub(crate) owner: (u32, u32),
}

impl Attributes {
    /// What most files in `/etc` have.
    pub(crate) const PUBLIC: Self = Self { mode: 0o644, owner: (0, 0) };
}

impl Text {
    /// The file at `path`, with the image's attributes; empty, with the attributes `missing`, when the image has none.
    pub(crate) fn load(view: &dyn View, path: &'static [u8], missing: Attributes) -> Result<Self, Error> {
        let read = view.read(path, LONGEST + 1).map_err(|source| Error::Read { path: lossy(path), source })?;
        let found = read.is_some();
        let bytes = read.unwrap_or_default();
        if bytes.len() as u64 > LONGEST {
            return Err(Error::TooLong { path: lossy(path), longest: LONGEST });
        }
        let of_image = view.stat(path).filter(|_| found);
        let attributes = of_image.map_or(missing, |stat| Attributes { mode: stat.mode, owner: (stat.uid, stat.gid) });
        Ok(Self { path, bytes, attributes, changed: false, found })
    }

    /// Whether the image has the file.
    pub(crate) fn is_found(&self) -> bool {
        self.found
    }

    /// The lines, without their ends.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The owner and the permissions.
    pub(crate) fn attributes(&self) -> Attributes {
        self.attributes
    }

    /// Adds a line at the end, after ending a last line that has no end.
    pub(crate) fn append(&mut self, line: &[u8]) {
        if self.bytes.last().is_some_and(|&last| last != b'\n') {
            self.bytes.push(b'\n');
        }
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.changed = true;
    }

    /// Puts `new` in the place of the first line that equals `old`.
    pub(crate) fn replace(&mut self, old: &[u8], new: &[u8]) {
        let mut done = false;
        let lines = self.bytes.split(|&byte| byte == b'\n').map(|line| {
            let is_it = !done && line == old;
            done |= is_it;
            if is_it { new } else { line }
        });
        self.bytes = lines.collect::<Vec<_>>().join(&b'\n');
        self.changed |= done;
    }

    /// Adds the file to the layer, if anything in it has changed.
    pub(crate) fn save(self, layer: &mut Layer) {
        if self.changed {
            let Attributes { mode, owner } = self.attributes;
            layer.owned_file(self.path, mode, owner, FileContent::Bytes(self.bytes));
        }
    }
}
