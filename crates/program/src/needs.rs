//! What a dynamic program needs of an image, and what of that is missing.
//!
//! The program, its libraries and the image may be hostile: what is searched and what is remembered has bounds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use nex_text::short_name;

use crate::elf::{Elf, Version};
use crate::libc::{has_musl_loader, newest};
use crate::library::{self, ReadError};
use crate::missing::Missing;
use crate::processor::Processor;
use crate::search::{configured_directories, expand_tag};
use nex_inspect::View;
use nex_inspect::{end_of_links, is_executable, name, parent};

/// As many libraries as are followed; a browser has about 200.
const MOST_LIBRARIES: usize = 1024;

/// As many files as are looked for. 500 libraries with 500 directories each, as Nix has them at worst, take a quarter.
const MOST_LOOKUPS: usize = 1 << 20;

/// Bytes of names of libraries, versions and directories that are remembered, [`OVERHEAD`] for each included. A browser has
/// some hundred KiB.
const MOST_TEXT: usize = 32 << 20;

/// What remembering a name takes besides its bytes.
const OVERHEAD: usize = 48;

/// As many things as are said to be missing, before versions are no longer compared.
const MOST_MISSING: usize = 256;

/// One program or library, and where it stands in the guest.
struct Object {
    path: Vec<u8>,
    elf: Elf,
    /// Its own `DT_RPATH` directories and those of all that led here, nearest first.
    passed_on: Option<Rc<PassedOn>>,
    /// Its `DT_RUNPATH` directories.
    runpath: Vec<Vec<u8>>,
}

/// The `DT_RPATH` directories of an object, which count for all below it.
struct PassedOn {
    directories: Vec<Vec<u8>>,
    above: Option<Rc<PassedOn>>,
}

/// Why a loader's work is not followed to its end.
enum Stop {
    Unread(ReadError),
    /// There is too much of it.
    Bound,
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Unread(error)
    }
}

/// A loader at work, without running anything.
struct Loader<'view> {
    view: &'view dyn View,
    processor: Processor,
    path: Vec<u8>,
    musl: bool,
    directories: Vec<Vec<u8>>,
    /// Which versions each library defines, sorted, by the name it is needed by.
    loaded: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    missing: Vec<Missing>,
    lookups_left: usize,
    text_left: usize,
}

/// Everything that the program at `path`, which names `loader`, needs and the image lacks.
pub fn missing(view: &dyn View, path: &[u8], program: &Elf, loader: &[u8]) -> Result<Vec<Missing>, ReadError> {
    if !is_executable(view, loader) {
        return Ok(vec![Missing::Loader(short_name(loader))]);
    }
    let musl = is_musl(view, loader);
    let processor = program.processor;
    let mut loader = Loader {
        view,
        processor,
        path: loader.to_vec(),
        musl,
        directories: configured_directories(view, processor, loader, musl),
        loaded: BTreeMap::new(),
        missing: Vec::new(),
        lookups_left: MOST_LOOKUPS,
        text_left: MOST_TEXT,
    };
    match loader.load(path, program.clone()) {
        Ok(()) => {}
        Err(Stop::Unread(error)) => return Err(error),
        Err(Stop::Bound) => loader.missing.push(Missing::Unfollowed),
    }
    Ok(loader.missing)
}

/// Whether a loader is musl's, or one that hands over to it, as Alpine's `gcompat` does.
fn is_musl(view: &dyn View, loader: &[u8]) -> bool {
    let in_name = |path: &[u8]| name(path).starts_with(b"ld-musl-");
    in_name(loader) || in_name(&end_of_links(view, loader)) || has_musl_loader(view)
}

impl Loader<'_> {
    /// Loads a program and all that it needs, breadth first as a real loader does.
    fn load(&mut self, path: &[u8], program: Elf) -> Result<(), Stop> {
        let mut required = Vec::new();
        let mut objects = VecDeque::from([self.object(path.to_vec(), program, None)?]);
        while let Some(mut object) = objects.pop_front() {
            required.append(&mut object.elf.requires);
            for needed in &object.elf.needed {
                if self.is_loaded(needed) || self.loaded.len() >= MOST_LIBRARIES {
                    continue;
                }
                let Some((path, mut elf)) = self.find(needed, &object)? else {
                    self.loaded.insert(needed.clone(), Vec::new());
                    self.missing
                        .push(Missing::Library { name: short_name(needed), needed_by: short_name(&object.path) });
                    continue;
                };
                elf.provides.sort();
                self.remember(elf.provides.iter().map(Vec::len))?;
                self.loaded.insert(needed.clone(), std::mem::take(&mut elf.provides));
                objects.push_back(self.object(path, elf, object.passed_on.clone())?);
            }
        }
        if !self.musl {
            self.check_versions(required);
        }
        Ok(())
    }

    /// An object whose libraries are looked for later.
    fn object(&mut self, path: Vec<u8>, elf: Elf, inherited: Option<Rc<PassedOn>>) -> Result<Object, Stop> {
        let versions = elf.requires.iter().map(|version| version.library.len() + OVERHEAD + version.name.len());
        self.remember(elf.needed.iter().map(Vec::len).chain(versions).chain([path.len()]))?;
        let rpath = elf.rpath.as_deref().filter(|_| elf.runpath.is_none()).unwrap_or_default();
        let directories = self.expand(rpath, &path)?;
        let runpath = self.expand(elf.runpath.as_deref().unwrap_or_default(), &path)?;
        let passed_on = match directories.is_empty() {
            true => inherited,
            false => Some(Rc::new(PassedOn { directories, above: inherited })),
        };
        Ok(Object { path, elf: Elf { rpath: None, runpath: None, ..elf }, passed_on, runpath })
    }

    /// The directories of a search path tag of the file at `path`.
    fn expand(&mut self, tag: &[u8], path: &[u8]) -> Result<Vec<Vec<u8>>, Stop> {
        let expanded = expand_tag(tag, parent(path));
        expanded.map(|directory| self.remember([directory.len()]).map(|()| directory)).collect()
    }

    /// Pays for names of these lengths.
    fn remember(&mut self, lengths: impl IntoIterator<Item = usize>) -> Result<(), Stop> {
        for length in lengths {
            self.text_left = self.text_left.checked_sub(length + OVERHEAD).ok_or(Stop::Bound)?;
        }
        Ok(())
    }

    /// Whether a name is taken already. musl itself stands for every library that C and POSIX define.
    fn is_loaded(&self, needed: &[u8]) -> bool {
        const IN_MUSL: [&[u8]; 7] =
            [b"libc.", b"libpthread.", b"librt.", b"libm.", b"libdl.", b"libutil.", b"libxnet."];
        self.loaded.contains_key(needed)
            || needed == name(&self.path)
            || (self.musl && IN_MUSL.iter().any(|own| needed.starts_with(own)))
    }

    /// The first file for the right processor in the directories that are searched for this object.
    fn find(&mut self, needed: &[u8], object: &Object) -> Result<Option<(Vec<u8>, Elf)>, Stop> {
        let Self { view, processor, lookups_left, directories, .. } = self;
        let passed_on = std::iter::successors(object.passed_on.as_deref(), |passed_on| passed_on.above.as_deref());
        let tagged = passed_on.flat_map(|passed_on| &passed_on.directories).chain(&object.runpath);
        let in_directory = |directory: &Vec<u8>| [directory, b"/".as_slice(), needed].concat();
        let is_path = needed.contains(&b'/');
        let searched = tagged.chain(directories.iter()).filter(|_| !is_path).map(in_directory);
        for path in is_path.then(|| needed.to_vec()).into_iter().chain(searched) {
            *lookups_left = lookups_left.checked_sub(1).ok_or(Stop::Bound)?;
            if let Some(elf) = library::read(*view, &path)?.filter(|elf| elf.processor == *processor) {
                return Ok(Some((path, elf)));
            }
        }
        Ok(None)
    }

    /// Compares what is required with what the loaded libraries define. One that defines nothing is let pass, as the
    /// loader does.
    fn check_versions(&mut self, required: Vec<Version>) {
        let mut compared = BTreeSet::new();
        for version in &required {
            let Version { library, name } = version;
            let Some(provides) = self.loaded.get(library).filter(|provides| !provides.is_empty()) else { continue };
            if !compared.insert(version) || provides.binary_search(name).is_ok() {
                continue;
            }
            if self.missing.len() >= MOST_MISSING {
                return;
            }
            let family_end = name.iter().rposition(|&byte| byte == b'_').map_or(0, |at| at + 1);
            let newest = newest(provides, &name[..family_end]).map(short_name);
            let missing = Missing::Version { name: short_name(name), library: short_name(library), newest };
            if !self.missing.contains(&missing) {
                self.missing.push(missing);
            }
        }
    }
}

#[cfg(test)]
mod tests;
