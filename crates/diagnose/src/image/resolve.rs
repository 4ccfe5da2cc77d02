//! Paths, resolved inside the root filesystem as path_resolution(7) has it: one part after the other, never out of the root.

use ext4_view::{Ext4Error, Metadata};
use nex_inspect::parent;

use super::guard::guarded;
use super::{Image, ImageError, LONGEST_LINK};

/// As many symlinks as the kernel follows in one path (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// As many parts as one path may come to, links and all: it takes two bytes to name one.
const MOST_PARTS: usize = 1 << 14;

/// What one lookup costs beside the directories.
const LOOKUP: u64 = 4096;

/// As many names as are looked up.
const MOST_LOOKUPS: u64 = 1 << 20;

impl Image {
    /// The path without symlinks that a path leads to, and what stands there. The last part is followed if that is asked
    /// for.
    pub(super) fn resolve(&self, path: &[u8], follow: bool) -> Option<(Vec<u8>, Metadata)> {
        let mut todo = parts(path);
        let mut done = Vec::new();
        let mut here = self.at(b"/")?;
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == b".." {
                done.truncate(parent(&done).len());
                here = self.at(if done.is_empty() { b"/" } else { &done })?;
                continue;
            }
            let next = [&done, b"/".as_slice(), &part].concat();
            let found = here.is_dir().then(|| self.at(&next))??;
            if !found.is_symlink() || (todo.is_empty() && !follow) {
                (done, here) = (next, found);
                continue;
            }
            links += 1;
            let target = self.link_target(&next, &found).filter(|_| links <= MOST_LINKS)?;
            if target.starts_with(b"/") {
                done.clear();
                here = self.at(b"/")?;
            }
            todo.extend(parts(&target));
            if todo.len() > MOST_PARTS {
                return None;
            }
        }
        if done.is_empty() {
            done.push(b'/');
        }
        Some((done, here))
    }

    /// What the symlink at a path without other symlinks says.
    pub(super) fn link_target(&self, path: &[u8], metadata: &Metadata) -> Option<Vec<u8>> {
        if !metadata.is_symlink() || metadata.len() >= LONGEST_LINK {
            return None;
        }
        let read = || guarded(|| self.file_system.read_link(path));
        let target = self.kept(self.budget.spend(self.way(path)).and_then(|()| read()))?;
        Some(target.as_ref().to_vec())
    }

    /// What stands at a path without symlinks.
    fn at(&self, path: &[u8]) -> Option<Metadata> {
        if let Some(known) = self.known.borrow().get(path) {
            return known.clone();
        }
        let found = self.kept(self.look_up(path)).flatten();
        self.known.borrow_mut().insert(path.to_vec(), found.clone());
        found
    }

    /// What it costs to go to a path: the reader goes through all directories above again.
    pub(super) fn way(&self, path: &[u8]) -> u64 {
        let known = self.known.borrow();
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at.max(1));
        let directories = ends.filter_map(|end| known.get(path.get(..end)?)?.as_ref());
        directories.fold(LOOKUP, |sum, directory| sum.saturating_add(directory.len()).saturating_add(LOOKUP))
    }

    fn look_up(&self, path: &[u8]) -> Result<Option<Metadata>, ImageError> {
        self.lookups.set(self.lookups.get() + 1);
        if self.lookups.get() > MOST_LOOKUPS {
            return Err(ImageError::Unsupported(format!(
                "more than {MOST_LOOKUPS} of its names would have to be looked up"
            )));
        }
        self.budget.spend(self.way(path))?;
        guarded(|| match self.file_system.symlink_metadata(path) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(Ext4Error::NotFound | Ext4Error::NotADirectory | Ext4Error::PathTooLong | Ext4Error::MalformedPath) => {
                Ok(None)
            }
            Err(error) => Err(error),
        })
    }
}

/// The parts of a path, the last one first.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.rev().map(<[u8]>::to_vec).collect()
}
