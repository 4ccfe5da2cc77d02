//! What names of a tar become at its destination.

use nex_file::route::names;

use crate::error::{Refusal, TreeError};

/// What the names of a copy become. Without one, each name stays.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// The root's name in the tar, which all others begin with; empty for a directory's content, and for a tar that is no copy.
    pub root: Vec<u8>,
    /// What stands in its place.
    pub becomes: Vec<u8>,
}

impl Mapping {
    /// The parts of a name below the destination. Slashes in front mean nothing, as with other readers of tars.
    ///
    /// # Errors
    /// When the name goes up, or does not belong to the copy.
    pub fn of<'a>(&'a self, name: &'a [u8]) -> Result<Vec<&'a [u8]>, TreeError> {
        let mut path = parts(name)?;
        if !self.root.is_empty() {
            match path.first_mut() {
                Some(first) if *first == self.root => *first = &self.becomes,
                _ => {
                    let root = nex_text::short_name(&self.root);
                    return Err(TreeError::refused(name, Refusal::Outside { root }));
                }
            }
        } else if !self.becomes.is_empty() {
            path.insert(0, &self.becomes);
        }
        Ok(path)
    }
}

/// The parts of a name.
///
/// # Errors
/// When the name goes up.
pub fn parts(name: &[u8]) -> Result<Vec<&[u8]>, TreeError> {
    let parts: Vec<_> = names(name).collect();
    if parts.contains(&&b".."[..]) { Err(TreeError::refused(name, Refusal::Upwards)) } else { Ok(parts) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(root: &str, becomes: &str, name: &str) -> Result<String, TreeError> {
        let mapping = Mapping { root: root.into(), becomes: becomes.into() };
        let path = mapping.of(name.as_bytes())?;
        Ok(String::from_utf8_lossy(&path.join(&b'/')).into_owned())
    }

    #[test]
    fn the_root_gets_another_name_and_nothing_leaves_it() {
        assert_eq!(mapped("", "", "./a//b/").unwrap(), "a/b");
        assert_eq!(mapped("", "", "/etc/passwd").unwrap(), "etc/passwd");
        assert_eq!(mapped("", "new", "./").unwrap(), "new");
        assert_eq!(mapped("", "new", "./a").unwrap(), "new/a");
        assert_eq!(mapped("a", "new", "a/b").unwrap(), "new/b");
        for (root, name) in [("", ".."), ("", "a/../b"), ("a", "b"), ("a", "./"), ("a", "ab/c"), ("a", "a/../b")] {
            assert!(mapped(root, "new", name).is_err(), "{name}");
        }
    }
}
