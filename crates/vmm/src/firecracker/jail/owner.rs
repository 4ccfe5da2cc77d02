//! The user that Firecracker runs as, and what that user may do with a file.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};

use nex_file::trust;

const READ: u32 = 0o4;
const WRITE: u32 = 0o2;

/// A user and a group, and no more groups than that.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

impl Owner {
    /// Makes a file this user's.
    pub fn take(self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.uid), Some(self.gid))
    }

    /// Whether this user may read a file, and do no more with it: an owner gives himself the right to write, and so may an access
    /// list, whatever the mode says.
    ///
    /// # Errors
    /// When the system tells nothing of the file.
    pub fn may_read_only(self, file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        let may = self.may(&metadata, READ) && !self.may(&metadata, WRITE);
        Ok(self.uid != 0 && metadata.uid() != self.uid && may && !trust::has_access_list(file)?)
    }

    /// Whether this user may read and write a file.
    pub fn may_write(self, file: &Metadata) -> bool {
        self.may(file, READ | WRITE)
    }

    /// The rights of the first class that the user belongs to count, and no other's.
    fn may(self, file: &Metadata, rights: u32) -> bool {
        let shift = match () {
            () if self.uid == 0 => return true,
            () if file.uid() == self.uid => 6,
            () if file.gid() == self.gid => 3,
            () => 0,
        };
        file.mode() >> shift & rights == rights
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn only_what_its_user_cannot_change_is_for_reading_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "x").expect("a file");
        let own = fs::metadata(&path).expect("it is there");
        let stranger = Owner { uid: own.uid() + 1, gid: own.gid() + 1 };
        let itself = Owner { uid: own.uid(), gid: own.gid() };
        for (mode, stranger_may) in [(0o644, true), (0o444, true), (0o646, false), (0o666, false), (0o640, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
            let file = File::open(&path).expect("it is there");
            assert_eq!(stranger.may_read_only(&file).expect("an answer"), stranger_may, "{mode:o}");
            // An owner can change the mode first.
            assert!(!itself.may_read_only(&file).expect("an answer"), "{mode:o}");
        }
        // What setfacl makes of `-m u:STRANGER:rw` and `-m m::r`: the mode stays as it is.
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("it is ours");
        for rights in ["rw", "r"] {
            let entry = format!("u:{}:{rights},m::r", stranger.uid);
            let set = Command::new("setfacl").args(["-m", &entry]).arg(&path).status().expect("setfacl");
            assert!(set.success());
            let file = File::open(&path).expect("it is there");
            assert!(!stranger.may_read_only(&file).expect("an answer"), "{rights}");
        }
    }
}
