//! Bounds on what scripts bring. Those on layers hold for both together.

use nex_fault::{Code, Fault, Remedy, Setting};
use nex_sandbox::{Change, Kind};
use thiserror::Error;

use crate::codes;
use crate::place::{Limits, Placed};

/// What an image may have, and has.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// What it may have.
    pub limits: Limits,
    /// What its layers have brought.
    pub placed: Placed,
    /// The most bytes of files that scripts may bring, and how many they have brought. No hole counts; what a file system keeps
    /// once for several files counts for each.
    pub bytes: u64,
    pub brought: u64,
}

/// More than there may be.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TooMuch {
    /// Names.
    #[error("with what the setup script made the image has more than {0} entries")]
    Entries(u64),
    /// What is kept in memory.
    #[error(
        "with what the setup script made the names, link targets and extended attributes of the image take more than {0} bytes"
    )]
    Metadata(u64),
    /// Content of files.
    #[error("the setup script made files of more than {0} bytes")]
    Bytes(u64),
}

impl Fault for TooMuch {
    fn code(&self) -> Code {
        match self {
            Self::Entries(_) => codes::ENTRIES,
            Self::Metadata(_) => codes::METADATA,
            Self::Bytes(_) => codes::UNPACKED,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say("allow more with").raise(match self {
            Self::Entries(_) => Setting::MaxEntries,
            Self::Metadata(_) => Setting::MaxMetadata,
            Self::Bytes(_) => Setting::MaxUnpacked,
        }))
    }
}

impl Bounds {
    /// Counts a change.
    ///
    /// # Errors
    /// When that is too much.
    pub fn count(&mut self, change: &Change) -> Result<(), TooMuch> {
        let more = Placed { entries: 1, metadata: memory(change), ..Placed::default() };
        self.placed.add(&more);
        self.brought = self.brought.saturating_add(change.content_length());
        if self.placed.entries > self.limits.entries {
            Err(TooMuch::Entries(self.limits.entries))
        } else if self.placed.metadata > self.limits.metadata {
            Err(TooMuch::Metadata(self.limits.metadata))
        } else if self.brought > self.bytes {
            Err(TooMuch::Bytes(self.bytes))
        } else {
            Ok(())
        }
    }
}

/// Bytes of names, link targets and extended attributes.
fn memory(change: &Change) -> u64 {
    let length = match change {
        Change::Removed(path) | Change::Socket { path, .. } => path.len(),
        Change::Set { node, .. } => {
            let target = match &node.kind {
                Kind::Symlink(target) | Kind::HardLink(target) => target.len(),
                _ => 0,
            };
            let xattrs: usize = node.xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len()).sum();
            node.path.len() + target + xattrs
        }
    };
    length as u64
}

#[cfg(test)]
mod tests {
    use nex_sandbox::{Node, Piece, Xattr};

    use super::*;

    #[test]
    fn each_bound_is_held() {
        let node = |kind, xattrs| Node {
            path: b"abc".into(),
            mode: 0,
            uid: 0,
            gid: 0,
            seconds: 0,
            nanoseconds: 0,
            xattrs,
            kind,
        };
        let set = |kind, xattrs| Change::Set { node: node(kind, xattrs), new: true };
        let xattr = Xattr { name: b"user.x".into(), value: b"12".into() };
        let piece = |offset, length| Piece { offset, source: 0, length };
        let changes = [
            Change::Removed(b"12345".into()),
            set(Kind::HardLink(b"12".into()), Vec::new()),
            set(Kind::File { size: 1 << 40, pieces: vec![piece(5, 10), piece(1 << 30, 7)] }, vec![xattr]),
        ];
        let count = |entries, metadata, bytes| {
            let limits = Limits { entries, headers: 0, metadata };
            let placed = Placed { entries: 100, metadata: 1000, ..Placed::default() };
            let mut bounds = Bounds { limits, placed, bytes, brought: 0 };
            changes.iter().map(|change| bounds.count(change)).collect::<Result<Vec<_>, _>>().map(|_| ())
        };
        assert_eq!(count(103, 1021, 17), Ok(()));
        assert_eq!(count(102, 1021, 17), Err(TooMuch::Entries(102)));
        assert_eq!(count(103, 1020, 17), Err(TooMuch::Metadata(1020)));
        assert_eq!(count(103, 1021, 16), Err(TooMuch::Bytes(16)));
    }
}
