//! Images that are installed on this machine: files `NAME.oci.tar`, each an OCI archive of one image, in a few directories.

use std::fmt;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nex_fault::{Code, Fault, Remedy, Setting};

use crate::codes;
use crate::listed::Listed;
use crate::reference::ReferenceError;

/// What the names of the files end with.
const SUFFIX: &str = ".oci.tar";

/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// The name of an installed image: what follows `nex:`. It is part of a file's name, so it has no slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstalledName(String);

impl InstalledName {
    /// The image that comes with nex, which a recipe of its own makes: `nex:default`.
    pub fn of_nex() -> Self {
        Self("default".to_owned())
    }

    /// The file that holds the image, in the first of these directories that has one.
    ///
    /// # Errors
    /// When none of them has it.
    pub fn find(&self, directories: &[PathBuf]) -> Result<PathBuf, NotInstalled> {
        let file = format!("{self}{SUFFIX}");
        let found = directories.iter().map(|directory| directory.join(&file)).find(|path| path.exists());
        found.ok_or_else(|| NotInstalled {
            name: self.clone(),
            directories: directories.to_vec(),
            available: available(directories),
        })
    }
}

impl FromStr for InstalledName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let may_begin = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let may_follow = |byte: &u8| may_begin(byte) || b"._-".contains(byte);
        let is_name = text.len() <= MAX_NAME
            && text.bytes().next().is_some_and(|byte| may_begin(&byte))
            && text.bytes().all(|byte| may_follow(&byte));
        if is_name { Ok(Self(text.to_owned())) } else { Err(ReferenceError::InstalledName { text: text.to_owned() }) }
    }
}

impl fmt::Display for InstalledName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// No image of a name is installed.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no image nex:{name} in {}; {}",
    joined(.directories),
    Listed("installed images:", .available, "no image is installed")
)]
pub struct NotInstalled {
    /// The name asked for.
    pub name: InstalledName,
    /// Where it was looked for.
    pub directories: Vec<PathBuf>,
    /// The names that are there.
    pub available: Vec<InstalledName>,
}

/// `/a or /b`.
fn joined(directories: &[PathBuf]) -> String {
    match directories {
        [] => "any directory".to_owned(),
        some => some.iter().map(|path| nex_text::name(path.as_os_str().as_bytes())).collect::<Vec<_>>().join(" or "),
    }
}

impl Fault for NotInstalled {
    fn code(&self) -> Code {
        codes::NOT_INSTALLED
    }

    fn remedy(&self) -> Option<Remedy> {
        let Self { name, .. } = self;
        Some(if *name == InstalledName::of_nex() {
            Remedy::say("a release of nex brings it, 'make default-image' in nex's sources makes it; or name another image with")
                .choose(Setting::Image)
        } else {
            Remedy::say("a registry's image of that name is").set(Setting::Image, format!("docker://nex:{name}"))
        })
    }
}

/// The names of all installed images, in order. A directory that is not there, or cannot be read, has none.
fn available(directories: &[PathBuf]) -> Vec<InstalledName> {
    let mut names: Vec<InstalledName> = directories.iter().flat_map(|directory| names_in(directory)).collect();
    names.sort();
    names.dedup();
    names
}

fn names_in(directory: &Path) -> Vec<InstalledName> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(SUFFIX)?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_out_of_no_directory() {
        for text in ["default", "alpine-3.20", "0", &"n".repeat(64)] {
            assert_eq!(text.parse::<InstalledName>().expect(text).to_string(), text);
        }
        for text in
            ["", ".", "..", "../x", "a/b", "-x", ".hidden", "Default", "a b", "a\n", "é", "a:b", &"n".repeat(65)]
        {
            assert!(text.parse::<InstalledName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_first_directory_counts_and_all_are_listed() {
        let place = tempfile::tempdir().expect("a directory");
        let directories: Vec<PathBuf> = ["missing", "one", "two"].map(|name| place.path().join(name)).into();
        for file in ["one/b.oci.tar", "two/b.oci.tar", "two/a.oci.tar", "two/Other.oci.tar", "two/note.txt"] {
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, "").expect("a file");
        }
        let find = |name: &str| name.parse::<InstalledName>().expect(name).find(&directories);
        assert_eq!(find("b").expect("b"), place.path().join("one/b.oci.tar"));
        assert_eq!(find("a").expect("a"), place.path().join("two/a.oci.tar"));
        let error = find("c").expect_err("c").to_string();
        assert!(error.contains("nex:c") && error.ends_with("installed images: a, b"), "{error}");
        let error = "c".parse::<InstalledName>().expect("c").find(&[]).expect_err("nowhere").to_string();
        assert!(error.ends_with("no image is installed"), "{error}");
    }
}
