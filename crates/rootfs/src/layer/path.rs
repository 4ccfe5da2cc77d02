//! Names in a layer: from the bytes of a tar header to clean components.

use nex_fault::{Code, Fault};
use thiserror::Error;

use super::whiteout;
use crate::codes;

/// The longest name in a directory, in bytes (the kernel's `EXT4_NAME_LEN`).
pub const NAME_MAX: usize = 255;

/// The longest path and the longest target of a link, in bytes (the kernel's `PATH_MAX` without the final NUL).
pub const PATH_MAX: usize = 4095;

/// A path inside the image: relative to its root, without `.`, `..`, empty or over-long components.
///
/// The root itself is the path without components.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LayerPath(Box<[u8]>);

/// Why a name in a layer is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// `..` could lead out of the image.
    #[error("has '..' as a component")]
    ParentComponent,
    /// A NUL byte ends a name for the kernel, but not for us.
    #[error("contains a NUL byte")]
    Nul,
    /// A component over 255 bytes.
    #[error("has a name of {0} bytes; ext4 holds at most {NAME_MAX}")]
    NameTooLong(usize),
    /// Over 4,095 bytes in all.
    #[error("is {0} bytes long; the kernel takes at most {PATH_MAX}")]
    PathTooLong(usize),
}

impl Fault for PathError {
    fn code(&self) -> Code {
        codes::NAME
    }
}

impl LayerPath {
    /// Cleans a path as it stands in a layer: `/a//./b/` and `a/b` are the same.
    ///
    /// # Errors
    /// When the path could mean something outside the image, or cannot exist in a file system.
    pub fn new(raw: &[u8]) -> Result<Self, PathError> {
        Self::bounded(raw, |_| NAME_MAX)
    }

    /// The same for a path whose last name may be a whiteout's. That is longer than the name it hides, and never exists in
    /// a file system.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_marks(raw: &[u8]) -> Result<Self, PathError> {
        let longer = |name: &[u8]| if name.starts_with(whiteout::PREFIX) { whiteout::PREFIX.len() } else { 0 };
        Self::bounded(raw, |name| NAME_MAX + longer(name))
    }

    /// Finds a name that [`with_marks`](Self::with_marks) let pass and no file system holds.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_names(&self) -> Result<(), PathError> {
        match self.components().find(|name| name.len() > NAME_MAX) {
            Some(name) => Err(PathError::NameTooLong(name.len())),
            None => Ok(()),
        }
    }

    fn bounded(raw: &[u8], longest: impl Fn(&[u8]) -> usize) -> Result<Self, PathError> {
        if raw.contains(&0) {
            return Err(PathError::Nul);
        }
        let mut clean = Vec::with_capacity(raw.len());
        for component in raw.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return Err(PathError::ParentComponent),
                name if name.len() > longest(name) => return Err(PathError::NameTooLong(name.len())),
                name => {
                    if !clean.is_empty() {
                        clean.push(b'/');
                    }
                    clean.extend_from_slice(name);
                }
            }
        }
        if clean.len() > PATH_MAX {
            return Err(PathError::PathTooLong(clean.len()));
        }
        Ok(Self(clean.into_boxed_slice()))
    }

    /// The components, from the root on.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
    }

    /// The directory and the name in it; `None` for the root.
    pub fn split(&self) -> Option<(LayerPath, &[u8])> {
        if self.0.is_empty() {
            return None;
        }
        let (parent, name) = match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (&self.0[..0], &self.0[..]),
        };
        Some((Self(parent.into()), name))
    }

    /// The clean bytes, without a leading slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A symbolic link's target, if a file system can hold it.
///
/// # Errors
/// Its length, when it is empty, too long, or has a NUL byte.
pub fn symlink_target(target: Vec<u8>) -> Result<Box<[u8]>, usize> {
    let is_possible = !target.is_empty() && target.len() <= PATH_MAX && !target.contains(&0);
    if is_possible { Ok(target.into()) } else { Err(target.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(raw: &[u8]) -> Result<Vec<u8>, PathError> {
        LayerPath::new(raw).map(|path| path.as_bytes().to_vec())
    }

    #[test]
    fn spellings_of_one_path_are_equal() {
        for raw in [b"a/b".as_slice(), b"/a/b", b"./a/b/", b"a//b", b"a/./b", b"//a/b//"] {
            assert_eq!(clean(raw).unwrap(), b"a/b");
        }
        for raw in [b"".as_slice(), b"/", b"./", b".", b"//."] {
            assert_eq!(clean(raw).unwrap(), b"");
        }
    }

    #[test]
    fn dangerous_and_impossible_names_are_refused() {
        for raw in [b"..".as_slice(), b"../x", b"a/../../x", b"a/..", b"/.."] {
            assert_eq!(clean(raw), Err(PathError::ParentComponent));
        }
        assert_eq!(clean(b"a\0b"), Err(PathError::Nul));
        assert_eq!(clean(&[b'n'; 256]), Err(PathError::NameTooLong(256)));
        assert!(clean(&[b'n'; 255]).is_ok());
        assert_eq!(clean(&b"ab/".repeat(1366)), Err(PathError::PathTooLong(4097)));
    }

    #[test]
    fn names_are_bytes_and_dots_inside_them_are_plain() {
        assert_eq!(clean(b"\xff\xfe/...").unwrap(), b"\xff\xfe/...");
    }

    #[test]
    fn a_path_splits_into_directory_and_name() {
        let path = LayerPath::new(b"a/b/c").unwrap();
        let (parent, name) = path.split().unwrap();
        assert_eq!((parent.as_bytes(), name), (b"a/b".as_slice(), b"c".as_slice()));
        assert!(LayerPath::new(b"/").unwrap().split().is_none());
    }
}
