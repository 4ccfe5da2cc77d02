//! What is made for a guest outside of its own directory, and has to go with it.
//!
//! Its name holds the guest's whole id, and the journal names it before it is made. So a sweep after a kill at any moment knows of it,
//! and nothing else can be meant: nobody gives a file such a name by chance, and one that another user has made belongs to that user.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nex_file::remove;
use nex_file::way;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use rustix::fs::{AtFlags, CWD, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::error::StateError;
use crate::id::Id;

/// What a path's bytes are written as `%XX` for: what is no printable character of ASCII, and the sign itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The longest path (`PATH_MAX`).
const LONGEST: usize = 4096;

/// The path of such a thing, any bytes. In a journal it is text, in which `%XX` stands for bytes that are no printable ASCII.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Leftover(PathBuf);

impl Leftover {
    /// One of a guest's; `None` when the path is not absolute or longer than 4096 bytes, or when its last name does not hold the
    /// guest's id.
    pub fn of(id: &Id, path: &Path) -> Option<Self> {
        let leftover = Self(path.to_owned());
        leftover.name_for(id).is_some().then_some(leftover)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its last name, where it is one of this guest's.
    fn name_for(&self, id: &Id) -> Option<&OsStr> {
        let name = self.0.file_name()?;
        let holds = name.as_bytes().windows(id.as_str().len()).any(|part| part == id.as_str().as_bytes());
        (holds && self.0.is_absolute() && self.0.as_os_str().len() <= LONGEST).then_some(name)
    }

    /// Whether something may be there, by a look that costs little.
    pub(crate) fn may_be_there(&self) -> bool {
        !matches!(statat(CWD, &self.0, AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT | Errno::NOTDIR))
    }

    /// Removes it, with all that is in it. What is not this guest's, or not the caller's, stays, and so does what is reached by a way
    /// that others can change.
    ///
    /// # Errors
    /// When it is the caller's and stays.
    pub fn remove(&self, id: &Id) -> Result<(), StateError> {
        let Some((name, parent)) = self.name_for(id).zip(self.0.parent()) else { return Ok(()) };
        let Some(parent) = way::open_parent(parent).map_err(StateError::way(&self.0))? else { return Ok(()) };
        let stat = match statat(&parent.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            stat => stat.map_err(StateError::errno(&self.0))?,
        };
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        remove::tree(&parent.handle, name).map_err(StateError::stuck(&self.0))
    }
}

impl fmt::Debug for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Leftover> for String {
    fn from(leftover: Leftover) -> Self {
        percent_encode(leftover.0.as_os_str().as_bytes(), ESCAPED).to_string()
    }
}

impl From<String> for Leftover {
    fn from(text: String) -> Self {
        let bytes = percent_decode_str(&text).collect();
        Self(std::ffi::OsString::from_vec(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn any_bytes_are_written_and_read_back() {
        let id = Id::random().unwrap();
        let mut path = b"/a b/%41/\xff\x01\xc3\xa4/".to_vec();
        path.extend_from_slice(id.as_str().as_bytes());
        let leftover = Leftover::of(&id, Path::new(OsStr::from_bytes(&path))).unwrap();
        let text = String::from(leftover.clone());
        assert_eq!(text, format!("/a b/%2541/%FF%01%C3%A4/{id}"));
        assert_eq!(Leftover::from(text), leftover);
    }

    #[test]
    fn nothing_but_a_guests_own_name_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let (id, other) = (Id::random().unwrap(), Id::random().unwrap());
        let at = |name: String| place.path().join(name);
        for name in [format!("nex-{id}"), format!("nex-{other}"), "kept".into()] {
            fs::create_dir_all(at(name).join("deep/deeper")).unwrap();
        }
        symlink(at("kept".into()), at(format!("{id}.link"))).unwrap();
        for wrong in
            [at("kept".into()), at(format!("nex-{other}")), at(id.to_string()).join(".."), format!("nex-{id}").into()]
        {
            assert_eq!(Leftover::of(&id, &wrong), None, "{wrong:?}");
            // What a damaged journal names is looked at once more.
            Leftover(wrong).remove(&id).unwrap();
        }
        for name in [format!("nex-{id}"), format!("{id}.link"), format!("{id}-never-made"), format!("missing/{id}")] {
            Leftover::of(&id, &at(name)).unwrap().remove(&id).unwrap();
        }
        let mut left: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["kept".into(), std::ffi::OsString::from(format!("nex-{other}"))]);
        assert!(at("kept".into()).join("deep/deeper").exists());
    }

    #[test]
    fn a_way_that_others_can_change_is_not_gone() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let id = Id::random().unwrap();
        let shared = place.path().join("shared");
        fs::create_dir(&shared).unwrap();
        let path = shared.join(id.as_str());
        let leftover = Leftover::of(&id, &path).unwrap();
        for (mode, goes) in [(0o777, false), (0o1777, true)] {
            fs::write(&path, "").unwrap();
            fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!((leftover.remove(&id).is_ok(), path.exists()), (goes, !goes), "{mode:o}");
        }
    }
}
