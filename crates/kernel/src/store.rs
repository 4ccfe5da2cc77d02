//! Kernels that are installed for guests: files in a directory of the user's.
//!
//! ```text
//! FORM-RELEASE-PROCESSOR          vmlinux-6.12.117-nex-x86_64
//! config-RELEASE-PROCESSOR        the configuration, for a kernel that does not carry its own
//! ```
//!
//! A name says what to try first, and nothing else: what a kernel is stands in its file.
//!
//! Who could put a kernel there could put it into the caller's guests, so the directory is one that only root and the caller can
//! change.

mod error;
mod origin;
mod search;

use std::cmp::Ordering;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nex_file::base::Base;
use nex_file::way::{self, Missing};
use serde::Serialize;

pub use error::{ModulesPlace, NoneFits, StoreError};
pub use origin::Origin;
pub use search::{BOOT, Found, Wanted, newest, newest_installed};

use crate::config::Config;
use crate::inspection::{InspectError, InspectOptions, Inspection, read};
use crate::release;

/// What the names of configurations begin with.
const CONFIG: &str = "config-";

/// `$XDG_DATA_HOME/nex/kernels`, or `~/.local/share/nex/kernels`.
///
/// # Errors
/// When the environment names neither.
pub fn default_directory() -> Result<PathBuf, StoreError> {
    Ok(Base::Data.find().ok_or(StoreError::NoPlace)?.join("nex/kernels"))
}

/// Goes to the directory of installed kernels; `None` when it is missing and stays so.
fn reach(directory: &Path, missing: Missing) -> Result<Option<PathBuf>, StoreError> {
    let reached = way::open(directory, missing);
    let reached = reached.map_err(|source| StoreError::Way { directory: directory.into(), source })?;
    Ok(reached.map(|reached| reached.path))
}

/// A file in the directory.
#[derive(Debug)]
pub struct Installed {
    /// The file.
    pub path: PathBuf,
    /// What it is; an error where it is no kernel for guests.
    pub kernel: Result<Inspection, InspectError>,
}

/// All kernels that are installed, the newest first. There is none where there is no such directory.
///
/// # Errors
/// When the directory cannot be read, or others can write to it.
pub fn list(directory: &Path, most: u64) -> Result<Vec<Installed>, StoreError> {
    let options = InspectOptions { most, config: None };
    let Some(directory) = reach(directory, Missing::Left)? else { return Ok(Vec::new()) };
    let paths = files(&directory)?.into_iter();
    Ok(paths.map(|path| Installed { kernel: Inspection::of_file(&path, &options), path }).collect())
}

/// What to do with another kernel that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Keep it, and fail.
    Keep,
    /// Replace it. A guest that runs has what it has.
    Replace,
}

/// What became of a kernel that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is in the place of another.
    Replaced,
    /// It was there already.
    Unchanged,
}

/// A kernel that was added.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Added {
    /// What became of it.
    pub change: Change,
    /// The file in the directory.
    pub kernel: Inspection,
}

/// Copies a kernel that guests can have into the directory, whole or not at all.
///
/// # Errors
/// When it is none, cannot be written, or another one has its name and is to be kept; when others can write to the directory.
pub fn add(
    directory: &Path,
    file: &Path,
    options: &InspectOptions<'_>,
    existing: Existing,
) -> Result<Added, StoreError> {
    let content = read(file, options.most)?;
    let source = Inspection::of_bytes(file, content.clone(), options)?;
    let name = name(&source).ok_or_else(|| StoreError::NoRelease(file.into()))?;
    let path = directory.join(&name);
    // A copy finds modules in other places than the file does.
    let at_its_place = InspectOptions { most: options.most, config: source.config_file.as_deref() };
    let kernel = Inspection::of_bytes(&path, content.clone(), &at_its_place)?;
    if let Some(why) = kernel.unfit() {
        let wanted = kernel.release.as_deref().filter(|_| kernel.wants_modules());
        let modules = wanted.map(|release| ModulesPlace {
            found: source.modules.map(PathBuf::from),
            wanted: directory.join("lib/modules").join(release),
        });
        return Err(StoreError::Unfit { path: file.into(), why, modules });
    }
    reach(directory, Missing::Made)?;
    // One that is longer is another.
    let change = match nex_file::read_regular_within(&path, content.len() as u64) {
        Ok(Some(old)) if old == content => Change::Unchanged,
        Ok(_) if existing == Existing::Keep => return Err(StoreError::Exists(path)),
        Ok(_) => Change::Replaced,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Change::Added,
        Err(source) => return Err(StoreError::Write { path, source }),
    };
    let write = |path: &Path, content: &[u8]| {
        nex_file::whole::write_own(path, content).map_err(|source| StoreError::Write { path: path.into(), source })
    };
    if let Some((config, beside)) = source.config_file.zip(config_name(&name)) {
        let text = Config::text_of(&config).map_err(|source| InspectError::Config { path: config, source })?;
        write(&directory.join(beside), &text)?;
    }
    if change != Change::Unchanged {
        write(&path, &content)?;
    }
    Ok(Added { change, kernel: Inspection::of_file(&path, &InspectOptions { most: options.most, config: None })? })
}

/// `vmlinux-6.12.117-nex-x86_64`; `None` where the release cannot be in a file's name.
fn name(kernel: &Inspection) -> Option<String> {
    let release = kernel.release.as_deref()?;
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._+~-".contains(character);
    let processor = match kernel.architecture {
        "amd64" => "x86_64",
        _ => "aarch64",
    };
    let form = kernel.form.replace(' ', "_").replace("compressed_kernel", "gzip");
    release.chars().all(is_plain).then(|| format!("{form}-{release}-{processor}"))
}

/// What the configuration of a kernel of this name is called: where one looks for that of any kernel.
fn config_name(name: &str) -> Option<String> {
    name.split_once('-').map(|(_, rest)| format!("{CONFIG}{rest}"))
}

/// The files that may be kernels, the newest first, and those first that any VMM starts.
fn files(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::List { directory: directory.into(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = file_name(&path);
        if path.is_file() && !name.starts_with('.') && !name.starts_with(CONFIG) {
            paths.push(path);
        }
    }
    paths.sort_by(|one, other| order(&file_name(one), &file_name(other)));
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The newest first; of one release, the vmlinux, which needs no unpacking.
fn order(one: &str, other: &str) -> Ordering {
    let parts = |name: &str| {
        let (form, release) = name.split_once('-').unwrap_or((name, ""));
        (form != "vmlinux" && form != "Image", release.to_owned())
    };
    let ((one_form, one_release), (other_form, other_release)) = (parts(one), parts(other));
    release::compare(&other_release, &one_release).then(one_form.cmp(&other_form)).then_with(|| one.cmp(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first_and_of_one_release_what_needs_no_unpacking() {
        let mut names = ["vmlinuz", "vmlinux-6.1.9-x86_64", "bzImage-6.12.1-x86_64", "vmlinux-6.12.1-x86_64"];
        names.sort_by(|one, other| order(one, other));
        assert_eq!(names, ["vmlinux-6.12.1-x86_64", "bzImage-6.12.1-x86_64", "vmlinux-6.1.9-x86_64", "vmlinuz"]);
    }
}
