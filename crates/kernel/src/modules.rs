//! A kernel's modules: where they are, and in which order they go in.

pub mod error;
mod modinfo;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use error::ModulesError as Error;
use modinfo::{Modinfo, canonical};

use crate::compression::Compression;
use crate::error::Error as KernelError;

/// The list of what a kernel has built in of what could be a module.
const BUILTIN: &str = "modules.builtin";
/// What the names of modules' files end with; distributions compress them.
const SUFFIXES: [&str; 4] = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];
/// Directories deeper than this have no modules.
const DEEPEST: usize = 32;

/// The modules of one kernel, by their names.
#[derive(Debug)]
pub struct Modules {
    directory: PathBuf,
    files: BTreeMap<String, PathBuf>,
    /// `None` where the directory has no such list.
    builtin: Option<BTreeSet<String>>,
    /// Bytes that one of them may have, unpacked.
    most: u64,
}

/// What a search for a kernel's modules has come to.
#[derive(Debug, Default)]
pub struct Search {
    /// The modules; `None` when they are nowhere.
    pub modules: Option<Modules>,
    /// What is wrong with the directories that look like it and are not.
    pub passed_over: Vec<Error>,
}

/// Where distributions install the modules of a kernel of this release.
pub fn installed(release: &str) -> PathBuf {
    Path::new("/lib/modules").join(release)
}

/// A module, ready for the kernel.
#[derive(Debug)]
pub struct Module {
    /// Its name, with `_` for `-`.
    pub name: String,
    /// Its file, uncompressed.
    pub bytes: Vec<u8>,
}

impl Modules {
    /// Looks for the modules of a kernel's file, of at most `most` bytes each, where they usually are: in `lib/modules/RELEASE` beside the
    /// kernel or above it, in `modules` beside it, in the kernel's own directory, or in [`installed`].
    ///
    /// # Errors
    /// When a directory that is there cannot be read.
    pub fn search(kernel: &Path, release: &str, most: u64) -> Result<Search, Error> {
        let beside = kernel.parent().unwrap_or(Path::new(""));
        let below = |root: PathBuf| root.join("lib/modules").join(release);
        let mut places = vec![below(beside.into()), below(beside.join("..")), below(beside.join("../usr"))];
        places.extend([beside.join("modules").join(release), beside.join("modules"), installed(release)]);
        if beside.ends_with(release) {
            places.push(beside.into());
        }
        let mut passed_over = Vec::new();
        for place in places.into_iter().filter(|place| place.is_dir()) {
            match Self::open(&place, Some(release), most) {
                Ok(modules) => return Ok(Search { modules: Some(modules), passed_over }),
                Err(error @ (Error::None(_) | Error::OfAnother { .. })) => passed_over.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(Search { modules: None, passed_over })
    }

    /// The modules, of at most `most` bytes each, in a directory named by the user: `lib/modules/RELEASE`, or what it is in.
    ///
    /// # Errors
    /// When there are none, or they are of another kernel than this release.
    pub fn open(directory: &Path, release: Option<&str>, most: u64) -> Result<Self, Error> {
        let inner = release.and_then(|release| {
            let places = [directory.join(release), directory.join("lib/modules").join(release)];
            places.into_iter().find(|place| place.is_dir())
        });
        let directory = inner.unwrap_or_else(|| directory.into());
        let mut files = BTreeMap::new();
        find(&directory, &mut files, 0)?;
        let Some(first) = files.values().next() else { return Err(Error::None(directory)) };
        // The release that it was built for stands in every module.
        if let (Some(found), Some(wanted)) = (Modinfo::read(&unpack(first, most)?).kernel, release)
            && found != wanted
        {
            return Err(Error::OfAnother { directory, found, wanted: wanted.into() });
        }
        let builtin = match nex_file::read_regular_within(&directory.join(BUILTIN), most) {
            Ok(Some(list)) => Some(String::from_utf8_lossy(&list).lines().filter_map(builtin_name).collect()),
            Ok(None) | Err(_) => None,
        };
        Ok(Self { directory, files, builtin, most })
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// These modules and all that they need, each behind what it needs. What is built in is left out.
    ///
    /// Without a list of what is built in, a name without a file is taken to be.
    ///
    /// # Errors
    /// When a module cannot be read, or the kernel has it neither way.
    pub fn in_order(&self, names: &[&str]) -> Result<Vec<Module>, Error> {
        let mut order = Order { modules: self, seen: BTreeSet::new(), loaded: Vec::new() };
        for name in names.iter().filter_map(|name| canonical(name)) {
            order.add(&name, Dependency::Hard)?;
        }
        Ok(order.loaded)
    }

    /// Whether a module of this name is there, or there is a list of what is built in, which [`in_order`](Self::in_order) goes by.
    pub fn tells_of(&self, name: &str) -> bool {
        self.builtin.is_some() || self.has(name)
    }

    /// Whether there is a module of this name.
    pub fn has(&self, name: &str) -> bool {
        canonical(name).is_some_and(|name| self.files.contains_key(&name))
    }
}

/// What a module is to the one that names it: a guest does without one of the second kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dependency {
    Hard,
    Soft,
}

struct Order<'a> {
    modules: &'a Modules,
    seen: BTreeSet<String>,
    loaded: Vec<Module>,
}

impl Order<'_> {
    fn add(&mut self, name: &str, dependency: Dependency) -> Result<(), Error> {
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.modules.files.get(name) else {
            let is_missing = self.modules.builtin.as_ref().is_some_and(|builtin| !builtin.contains(name));
            if dependency == Dependency::Hard && is_missing {
                return Err(Error::Lacks { name: name.into(), directory: self.modules.directory.clone() });
            }
            return Ok(());
        };
        let bytes = unpack(path, self.modules.most)?;
        let modinfo = Modinfo::read(&bytes);
        modinfo.softdeps.iter().try_for_each(|other| self.add(other, Dependency::Soft))?;
        modinfo.depends.iter().try_for_each(|other| self.add(other, Dependency::Hard))?;
        self.loaded.push(Module { name: name.into(), bytes });
        Ok(())
    }
}

/// Finds all modules beneath a directory. Links are not followed: `build` and `source` lead out of it.
fn find(directory: &Path, files: &mut BTreeMap<String, PathBuf>, depth: usize) -> Result<(), Error> {
    if depth > DEEPEST {
        return Ok(());
    }
    for entry in fs::read_dir(directory).map_err(Error::read(directory))? {
        let entry = entry.map_err(Error::read(directory))?;
        let path = entry.path();
        if entry.file_type().map_err(Error::read(&path))?.is_dir() {
            find(&path, files, depth + 1)?;
        } else if let Some(name) = entry.file_name().to_str().and_then(module_name).and_then(canonical) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// `kernel/fs/ext4/ext4.ko` is ext4.
fn builtin_name(line: &str) -> Option<String> {
    let file = line.rsplit('/').next()?;
    module_name(file).and_then(canonical)
}

/// The module's name in a file's name; `None` for other files.
fn module_name(file_name: &str) -> Option<&str> {
    SUFFIXES.iter().find_map(|suffix| file_name.strip_suffix(suffix))
}

/// The module as the kernel takes it, of at most `most` bytes.
fn unpack(path: &Path, most: u64) -> Result<Vec<u8>, Error> {
    let damaged = |cause| Error::Damaged { path: path.into(), cause };
    let file = nex_file::read_regular_within(path, most).map_err(Error::read(path))?;
    let file = file.ok_or_else(|| Error::TooLarge { path: path.into(), limit: most })?;
    match Compression::of(&file) {
        Some(compression) => match compression.unpack(&file, most) {
            Err(KernelError::UnpacksTooLarge { limit, .. }) => Err(Error::TooLarge { path: path.into(), limit }),
            unpacked => unpacked.map_err(damaged),
        },
        None => Ok(file),
    }
}
