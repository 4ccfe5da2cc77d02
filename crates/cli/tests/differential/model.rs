//! What a stack means, by a flattener so plain that reading checks it: all paths in one map, one rule after the other.
//!
//! It knows nothing of how `nex` merges. Links on the way are followed in the text of a path alone, as umoci's
//! `securejoin` does, and not from directory to directory.

use std::collections::{BTreeMap, VecDeque};

use nex_testkit::manifest::{Collector, Entry, Kind, Manifest};

use crate::compare::CREATED;
use crate::stack::{Member, Stack, What};

/// How many links one path may lead through (the kernel's `MAXSYMLINKS`).
const MAX_SYMLINKS: usize = 40;

/// What [`Refusal::rule`] can be.
pub const MISSING_TARGET: &str = "a hard link to nothing";
pub const TARGET_IS_DIRECTORY: &str = "a hard link to a directory";
pub const BELOW_A_FILE: &str = "a name below a file";
pub const SYMLINK_LOOP: &str = "a loop of symbolic links";

/// The member that contradicts what there is: its number among all of the stack, and the rule that it breaks.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    pub member: usize,
    pub rule: &'static str,
}

/// A rule that the model can be told to get wrong, so that a run is seen to find it. Others got each of them wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A whiteout hides names of its own layer too.
    WhiteoutHidesItsOwnLayer,
    /// An opaque mark hides what stands before it in its own layer.
    OpaqueHidesItsOwnLayer,
    /// An opaque mark means nothing.
    OpaqueIsIgnored,
    /// A directory takes the place of a directory, names and all.
    DirectoryHidesDirectory,
    /// A directory keeps the owner, mode and time that a lower layer gave it.
    DirectoryKeepsItsMetadata,
    /// A link in the last place is followed.
    LastLinkIsFollowed,
    /// A link on the way is not followed.
    ParentsAreNotFollowed,
    /// A hard link is a file of its own.
    HardLinkCopies,
    /// A hard link goes with the first name of its file.
    HardLinkGoesWithItsTarget,
}

impl Mistake {
    pub const ALL: [Self; 9] = [
        Self::WhiteoutHidesItsOwnLayer,
        Self::OpaqueHidesItsOwnLayer,
        Self::OpaqueIsIgnored,
        Self::DirectoryHidesDirectory,
        Self::DirectoryKeepsItsMetadata,
        Self::LastLinkIsFollowed,
        Self::ParentsAreNotFollowed,
        Self::HardLinkCopies,
        Self::HardLinkGoesWithItsTarget,
    ];
}

/// A name: its file, and the layer that gave it.
#[derive(Clone, Copy)]
struct Name {
    file: usize,
    layer: usize,
}

/// The tree so far. Paths have no slash in front; the root is the empty one, as in a manifest.
struct Model {
    names: BTreeMap<Vec<u8>, Name>,
    files: Vec<Entry>,
    layer: usize,
    mistake: Option<Mistake>,
}

/// The tree that a stack gives, with one rule wrong if so wished.
pub fn flatten(stack: &Stack, mistake: Option<Mistake>) -> Result<Manifest, Refusal> {
    let mut model = Model { names: BTreeMap::new(), files: Vec::new(), layer: 0, mistake };
    model.put(Vec::new(), implicit_directory());
    let mut number = 0;
    for layer in &stack.layers {
        model.layer += 1;
        for member in layer {
            model.apply(member).map_err(|rule| Refusal { member: number, rule })?;
            number += 1;
        }
    }
    let mut collector = Collector::default();
    for (path, name) in model.names {
        collector.add(path, name.file as u64, model.files[name.file].clone());
    }
    Ok(collector.finish())
}

fn implicit_directory() -> Entry {
    let kind = Kind::Directory;
    Entry { kind, mode: 0o755, uid: 0, gid: 0, modified: CREATED, xattrs: BTreeMap::new(), linked: None }
}

impl Model {
    fn apply(&mut self, member: &Member) -> Result<(), &'static str> {
        match &member.what {
            What::Bookkeeping(_) => {}
            What::Whiteout(_) => {
                let path = self.locate(&member.path)?;
                self.hide(&path, self.errs(Mistake::WhiteoutHidesItsOwnLayer));
            }
            What::Opaque if self.errs(Mistake::OpaqueIsIgnored) => {}
            What::Opaque => {
                let directory = self.follow(&member.path)?;
                for path in self.below(&directory) {
                    self.hide(&path, self.errs(Mistake::OpaqueHidesItsOwnLayer));
                }
            }
            What::HardLink(target) => {
                let target = self.locate(target)?;
                let name = *self.names.get(&target).ok_or(MISSING_TARGET)?;
                if self.is_directory(&target) {
                    return Err(TARGET_IS_DIRECTORY);
                }
                let path = self.place(&member.path)?;
                if self.errs(Mistake::HardLinkCopies) {
                    self.put(path, self.files[name.file].clone());
                } else {
                    self.names.insert(path, Name { layer: self.layer, ..name });
                }
            }
            What::Directory => {
                let at = self.locate(&member.path)?;
                let entry = member.file();
                if self.is_directory(&at) && !self.errs(Mistake::DirectoryHidesDirectory) {
                    let name = Name { layer: self.layer, ..self.names[&at] };
                    self.names.insert(at, name);
                    if !self.errs(Mistake::DirectoryKeepsItsMetadata) {
                        self.files[name.file] = entry;
                    }
                } else {
                    let path = self.place(&member.path)?;
                    self.put(path, entry);
                }
            }
            _ => {
                let path = self.place(&member.path)?;
                self.put(path, member.file());
            }
        }
        Ok(())
    }

    /// Takes away what has a name, makes the directories above it, and says where it is.
    fn place(&mut self, path: &[u8]) -> Result<Vec<u8>, &'static str> {
        let path = self.locate(path)?;
        let ends = (1..path.len()).filter(|end| path[*end] == b'/');
        for end in ends {
            match self.names.get(&path[..end]) {
                None => self.put(path[..end].to_vec(), implicit_directory()),
                Some(_) if self.is_directory(&path[..end]) => {}
                Some(_) => return Err(BELOW_A_FILE),
            }
        }
        self.names.retain(|name, _| *name != path && !is_below(name, &path));
        Ok(path)
    }

    fn put(&mut self, path: Vec<u8>, entry: Entry) {
        self.names.insert(path, Name { file: self.files.len(), layer: self.layer });
        self.files.push(entry);
    }

    /// Takes away the names of lower layers, from the deepest up; a directory stays as long as something is in it.
    fn hide(&mut self, top: &[u8], of_own_layer: bool) {
        let mut paths = self.below(top);
        paths.insert(0, top.to_vec());
        for path in paths.into_iter().rev() {
            let Some(&Name { file, layer }) = self.names.get(&path) else { continue };
            if (layer < self.layer || of_own_layer) && self.below(&path).is_empty() {
                self.names.remove(&path);
                if self.errs(Mistake::HardLinkGoesWithItsTarget) {
                    self.names.retain(|_, name| name.file != file);
                }
            }
        }
    }

    /// All paths beneath one, in order: what is in a directory comes behind it.
    fn below(&self, path: &[u8]) -> Vec<Vec<u8>> {
        self.names.keys().filter(|name| is_below(name, path)).cloned().collect()
    }

    fn is_directory(&self, path: &[u8]) -> bool {
        self.names.get(path).is_some_and(|name| self.files[name.file].kind == Kind::Directory)
    }

    /// Where a path leads when the links above its last name are followed.
    fn locate(&self, path: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut steps: Vec<&[u8]> = steps(path).collect();
        let Some(name) = steps.pop() else { return Ok(Vec::new()) };
        let parent = steps.join(&b'/');
        let parent = if self.errs(Mistake::ParentsAreNotFollowed) { parent } else { self.follow(&parent)? };
        let path = if parent.is_empty() { name.to_vec() } else { [&parent, &b"/"[..], name].concat() };
        if self.errs(Mistake::LastLinkIsFollowed) { self.follow(&path) } else { Ok(path) }
    }

    fn errs(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// Where a path leads when all its links are followed.
    fn follow(&self, path: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut ahead: VecDeque<Vec<u8>> = steps(path).map(<[u8]>::to_vec).collect();
        let mut reached: Vec<Vec<u8>> = Vec::new();
        let mut links = 0;
        while let Some(step) = ahead.pop_front() {
            if step == b".." {
                reached.pop();
                continue;
            }
            reached.push(step);
            let Some(name) = self.names.get(&reached.join(&b'/')) else { continue };
            let Kind::Symlink(target) = &self.files[name.file].kind else { continue };
            links += 1;
            if links > MAX_SYMLINKS {
                return Err(SYMLINK_LOOP);
            }
            reached.pop();
            if target.starts_with(b"/") {
                reached.clear();
            }
            steps(target).rev().for_each(|step| ahead.push_front(step.to_vec()));
        }
        Ok(reached.join(&b'/'))
    }
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    let rest = path.strip_prefix(directory).unwrap_or_default();
    !rest.is_empty() && (directory.is_empty() || rest[0] == b'/')
}

/// The names of a path that lead somewhere.
fn steps(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|step| !matches!(*step, b"" | b"."))
}
