//! What a dynamic program needs of an image, and what of that is missing.

use std::collections::BTreeMap;

use nex_text::short_name;

use crate::elf::{Elf, Version};
use crate::libc::newest;
use crate::library::{self, ReadError};
use crate::missing::Missing;
use crate::processor::Processor;
use crate::search::{configured_directories, expand_tag};
use nex_inspect::View;
use nex_inspect::{end_of_links, is_executable, name, parent};

/// As many libraries as are followed; a browser has about 200.
const MOST_LIBRARIES: usize = 1024;

/// One program or library, and where it stands in the guest.
struct Object {
    path: Vec<u8>,
    elf: Elf,
    /// The `DT_RPATH` directories of those that led here, nearest first.
    inherited: Vec<Vec<u8>>,
}

/// A loader at work, without running anything.
struct Loader<'view> {
    view: &'view dyn View,
    processor: Processor,
    path: Vec<u8>,
    musl: bool,
    directories: Vec<Vec<u8>>,
    /// Which versions each library defines, by the name it is needed by.
    loaded: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    missing: Vec<Missing>,
}

/// Everything that the program at `path`, which names `loader`, needs and the image lacks.
pub fn missing(view: &dyn View, path: &[u8], program: &Elf, loader: &[u8]) -> Result<Vec<Missing>, ReadError> {
    if !is_executable(view, loader) {
        return Ok(vec![Missing::Loader(short_name(loader))]);
    }
    let musl = is_musl(view, loader);
    let processor = program.processor;
    let directories = configured_directories(view, processor, loader, musl);
    let (loaded, missing) = (BTreeMap::new(), Vec::new());
    let mut loader = Loader { view, processor, path: loader.to_vec(), musl, directories, loaded, missing };
    loader.load(Object { path: path.to_vec(), elf: program.clone(), inherited: Vec::new() })?;
    Ok(loader.missing)
}

/// Whether a loader is musl's, or one that hands over to it, as Alpine's `gcompat` does.
fn is_musl(view: &dyn View, loader: &[u8]) -> bool {
    let in_name = |path: &[u8]| name(path).starts_with(b"ld-musl-");
    let has_musl = || view.list(b"/lib").is_some_and(|names| names.iter().any(|name| in_name(name)));
    in_name(loader) || in_name(&end_of_links(view, loader)) || has_musl()
}

impl Loader<'_> {
    /// Loads a program and all that it needs, breadth first as a real loader does.
    fn load(&mut self, program: Object) -> Result<(), ReadError> {
        let mut required = Vec::new();
        let mut objects = std::collections::VecDeque::from([program]);
        while let Some(object) = objects.pop_front() {
            required.extend(object.elf.requires.iter().cloned());
            let inherited = self.passed_on(&object);
            for needed in &object.elf.needed {
                if self.is_loaded(needed) || self.loaded.len() >= MOST_LIBRARIES {
                    continue;
                }
                let Some((path, elf)) = self.find(needed, &object)? else {
                    self.loaded.insert(needed.clone(), Vec::new());
                    self.missing
                        .push(Missing::Library { name: short_name(needed), needed_by: short_name(&object.path) });
                    continue;
                };
                self.loaded.insert(needed.clone(), elf.provides.clone());
                objects.push_back(Object { path, elf, inherited: inherited.clone() });
            }
        }
        if !self.musl {
            self.check_versions(required);
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
    fn find(&self, needed: &[u8], object: &Object) -> Result<Option<(Vec<u8>, Elf)>, ReadError> {
        let candidates = if needed.contains(&b'/') {
            vec![needed.to_vec()]
        } else {
            let directories =
                self.passed_on(object).into_iter().chain(own_runpath(object)).chain(self.directories.clone());
            directories.map(|directory| [&directory, b"/".as_slice(), needed].concat()).collect()
        };
        for path in candidates {
            if let Some(elf) = library::read(self.view, &path)?.filter(|elf| elf.processor == self.processor) {
                return Ok(Some((path, elf)));
            }
        }
        Ok(None)
    }

    /// The `DT_RPATH` directories that count for an object and all below it.
    fn passed_on(&self, object: &Object) -> Vec<Vec<u8>> {
        let own = object.elf.rpath.as_ref().filter(|_| object.elf.runpath.is_none());
        let own = own.map(|path| expand_tag(path, parent(&object.path))).unwrap_or_default();
        own.into_iter().chain(object.inherited.clone()).collect()
    }

    /// Compares what is required with what the loaded libraries define. One that defines nothing is let pass, as the
    /// loader does.
    fn check_versions(&mut self, required: Vec<Version>) {
        for Version { library, name } in required {
            let Some(provides) = self.loaded.get(&library).filter(|provides| !provides.is_empty()) else { continue };
            if provides.contains(&name) {
                continue;
            }
            let family_end = name.iter().rposition(|&byte| byte == b'_').map_or(0, |at| at + 1);
            let newest = newest(provides, &name[..family_end]).map(short_name);
            let missing = Missing::Version { name: short_name(&name), library: short_name(&library), newest };
            if !self.missing.contains(&missing) {
                self.missing.push(missing);
            }
        }
    }
}

fn own_runpath(object: &Object) -> Vec<Vec<u8>> {
    object.elf.runpath.as_ref().map(|path| expand_tag(path, parent(&object.path))).unwrap_or_default()
}
