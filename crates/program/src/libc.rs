//! Which C library an image has.

use std::fmt::{self, Display, Formatter};

use crate::elf::Elf;
use crate::library;
use crate::processor::Processor;
use crate::search::system_directories;
use nex_inspect::View;

/// The C library of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Libc {
    /// GNU's, with its version where it could be read.
    Glibc(Option<String>),
    /// musl, with its version where the package database tells it.
    Musl(Option<String>),
    /// None.
    None,
}

impl Libc {
    /// Finds it, for programs of one processor.
    pub fn of(view: &dyn View, processor: Processor) -> Self {
        if has_musl_loader(view) {
            return Self::Musl(musl_version(view));
        }
        let places =
            system_directories(processor).into_iter().map(|directory| [&directory, b"/libc.so.6".as_slice()].concat());
        let found = places.into_iter().find(|path| view.stat(path).is_some());
        found.map_or(Self::None, |path| Self::Glibc(glibc_version(view, &path)))
    }
}

impl Display for Libc {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (name, version) = match self {
            Self::Glibc(version) => ("glibc", version),
            Self::Musl(version) => ("musl", version),
            Self::None => return f.write_str("the image has no C library"),
        };
        match version {
            Some(version) => write!(f, "the image has {name} {version}"),
            None => write!(f, "the image has {name}"),
        }
    }
}

/// Whether a loader of musl's stands where all of them do.
pub fn has_musl_loader(view: &dyn View) -> bool {
    let loaders = view.list_matching(b"/lib", &|name| name.starts_with(b"ld-musl-"));
    loaders.is_some_and(|loaders| !loaders.is_empty())
}

/// The newest interface that the library defines, which carries the number of its release.
fn glibc_version(view: &dyn View, path: &[u8]) -> Option<String> {
    let elf: Elf = library::read(view, path).ok().flatten()?;
    newest(&elf.provides, b"GLIBC_").map(|name| nex_text::short_name(&name[b"GLIBC_".len()..]))
}

/// musl has no version in its file that could be told from other text; Alpine's package database has it.
fn musl_version(view: &dyn View) -> Option<String> {
    const LONGEST: u64 = 8 << 20;
    let database = view.read(b"/lib/apk/db/installed", LONGEST).ok().flatten()?;
    let mut lines = database.split(|&byte| byte == b'\n').skip_while(|line| line != b"P:musl");
    let version = lines.find_map(|line| line.strip_prefix(b"V:"))?;
    Some(nex_text::short_name(version))
}

/// The newest of the versions that begin with `family`, by their numbers.
pub fn newest<'a>(versions: &'a [Vec<u8>], family: &[u8]) -> Option<&'a [u8]> {
    let numbered = versions.iter().filter_map(|name| Some((numbers(name.strip_prefix(family)?)?, name)));
    numbered.max().map(|(_, name)| name.as_slice())
}

fn numbers(text: &[u8]) -> Option<Vec<u32>> {
    std::str::from_utf8(text).ok()?.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let old = ["2.2.5", "2.17", "2.9"].map(|number| format!("GLIBC_{number}").into_bytes());
        assert_eq!(newest(&old, b"GLIBC_"), Some(b"GLIBC_2.17".as_slice()));
    }
}
