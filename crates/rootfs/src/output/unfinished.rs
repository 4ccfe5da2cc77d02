//! A file that gets its name only when it is complete.
//!
//! Where the file system can, the file has no name at all until then (`O_TMPFILE`), so that nothing is left behind
//! however the process ends. Elsewhere it has a hidden name beside the target, which is removed when it is given up, or when the
//! workspace of its build is cleaned up.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nex_cancel::{Leftover, Workspace};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// Who may get at a file, besides its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Whom the user's umask lets, as with what other tools make: for what becomes the user's file.
    AsUmaskHasIt,
    /// Nobody: for what is only needed on the way.
    Nobody,
}

impl Others {
    fn mode(self) -> Mode {
        Mode::from_raw_mode(match self {
            Self::AsUmaskHasIt => 0o666,
            Self::Nobody => nex_file::private::FILE,
        })
    }
}

/// A file in the making.
#[derive(Debug)]
pub struct Unfinished {
    file: File,
    directory: PathBuf,
    hidden: Option<Hidden>,
    workspace: Workspace,
    /// The mode that it gets at the end, where its owner could do nothing with it meanwhile.
    last_mode: Option<Mode>,
}

/// A hidden name, which the workspace knows as long as it is in use.
#[derive(Debug)]
struct Hidden {
    path: PathBuf,
    leftover: Leftover,
}

impl Unfinished {
    /// An empty file in `directory`, open for reading and writing.
    ///
    /// # Errors
    /// When the directory takes no new file, or the workspace is closed.
    pub fn create(directory: &Path, others: Others, workspace: &Workspace) -> io::Result<Self> {
        let (file, hidden) = match create_unnamed(directory, others) {
            Ok(file) => (file, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {
                let (file, hidden) = create_hidden(directory, others, workspace)?;
                (file, Some(hidden))
            }
            Err(error) => return Err(error.into()),
        };
        let (file, directory, workspace) = (file.into(), directory.into(), workspace.clone());
        let mut unfinished = Self { file, directory, hidden, workspace, last_mode: None };
        unfinished.open_to_its_owner()?;
        Ok(unfinished)
    }

    /// A umask may keep the owner out as well, who opens the file by its handle once more.
    fn open_to_its_owner(&mut self) -> io::Result<()> {
        let owners = Mode::RUSR | Mode::WUSR;
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&self.file)?.st_mode & 0o777);
        if !mode.contains(owners) {
            rustix::fs::fchmod(&self.file, mode | owners)?;
            self.last_mode = Some(mode);
        }
        Ok(())
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it grows.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the bytes durable and gives the file its name, in one step for everybody who looks. What had the name
    /// before is replaced; a symbolic link is replaced too, and never followed.
    ///
    /// # Errors
    /// When the disk fails or the name cannot be had, or the workspace was cleaned up; the file is gone then.
    pub fn publish(mut self, name: &Path) -> io::Result<()> {
        self.settle()?;
        rename(&self.workspace, self.hidden()?, name)?;
        self.named();
        Ok(())
    }

    /// Publishes two files: each appears in one step, and when one of them cannot get its name, both names stay as they
    /// were. Only the end of the process between the two steps, by a signal that nobody can catch, leaves one without
    /// the other.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), and for which of the two.
    pub fn publish_both(files: [(Self, &Path); 2]) -> Result<(), (Which, io::Error)> {
        let [(mut first, first_name), (mut second, second_name)] = files;
        first.settle().map_err(|cause| (Which::First, cause))?;
        second.settle().map_err(|cause| (Which::Second, cause))?;
        let hidden_first = first.hidden().map_err(|cause| (Which::First, cause))?;
        let hidden_second = second.hidden().map_err(|cause| (Which::Second, cause))?;
        rename_both(&first.workspace, [(hidden_first, first_name), (hidden_second, second_name)])?;
        first.named();
        second.named();
        Ok(())
    }

    /// Makes the bytes durable, and gives the file a hidden name if it has none.
    fn settle(&mut self) -> io::Result<()> {
        if let Some(mode) = self.last_mode.take() {
            rustix::fs::fchmod(&self.file, mode)?;
        }
        self.file.sync_all()?;
        if self.hidden.is_none() {
            self.hidden = Some(link_hidden(&self.file, &self.directory, &self.workspace)?);
        }
        Ok(())
    }

    fn hidden(&self) -> io::Result<&Hidden> {
        self.hidden.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The file has its name now. That the directory could not be synced is no reason to call it missing.
    fn named(&mut self) {
        self.hidden = None;
        drop(File::open(&self.directory).and_then(|directory| directory.sync_all()));
    }
}

/// One of two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one named first.
    First,
    /// The other.
    Second,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(hidden) = self.hidden.take() {
            hidden.leftover.remove();
        }
    }
}

fn create_unnamed(directory: &Path, others: Others) -> Result<OwnedFd, Errno> {
    let file = rustix::fs::open(directory, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, others.mode())?;
    // Without /proc the file could never get a name.
    rustix::fs::stat(proc_path(file.as_raw_fd()))?;
    Ok(file)
}

fn create_hidden(directory: &Path, others: Others, workspace: &Workspace) -> io::Result<(OwnedFd, Hidden)> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
    with_hidden_name(directory, workspace, |path| rustix::fs::open(path, flags, others.mode()))
}

fn link_hidden(file: &File, directory: &Path, workspace: &Workspace) -> io::Result<Hidden> {
    let unnamed = proc_path(file.as_raw_fd());
    let link = |path: &Path| rustix::fs::linkat(CWD, &unnamed, CWD, path, AtFlags::SYMLINK_FOLLOW);
    with_hidden_name(directory, workspace, link).map(|((), hidden)| hidden)
}

/// Tries hidden names until one is free, and notes it in the workspace.
fn with_hidden_name<T>(
    directory: &Path,
    workspace: &Workspace,
    make: impl Fn(&Path) -> Result<T, Errno>,
) -> io::Result<(T, Hidden)> {
    let mut workspace = workspace.open()?;
    for attempt in 0..u32::MAX {
        let path = directory.join(format!(".nex-{}-{attempt}.tmp", std::process::id()));
        match make(&path) {
            Ok(made) => {
                let removed = path.clone();
                // There is nobody to tell: whoever gives the file up reports why.
                let leftover = workspace.note(move || drop(std::fs::remove_file(removed)));
                return Ok((made, Hidden { path, leftover }));
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::EXIST.into())
}

/// Gives a file its name. Nobody cleans up meanwhile, so that a signal comes before or after, never between.
fn rename(workspace: &Workspace, hidden: &Hidden, name: &Path) -> io::Result<()> {
    let mut workspace = workspace.open()?;
    std::fs::rename(&hidden.path, name)?;
    workspace.forget(&hidden.leftover);
    Ok(())
}

/// Gives two files their names, both or none. Nobody cleans up meanwhile.
fn rename_both(workspace: &Workspace, [first, second]: [(&Hidden, &Path); 2]) -> Result<(), (Which, io::Error)> {
    let mut workspace = workspace.open().map_err(|closed| (Which::First, closed.into()))?;
    let (hidden, name) = (&*first.0.path, first.1);
    let replaced = exchange(hidden, name).map_err(|cause| (Which::First, cause))?;
    if let Err(cause) = std::fs::rename(&second.0.path, second.1) {
        // Whether that succeeds or not, the second file's error is what the user has to know.
        drop(if replaced { exchange(hidden, name).map(drop) } else { std::fs::rename(name, hidden) });
        return Err((Which::Second, cause));
    }
    if replaced {
        drop(std::fs::remove_file(hidden));
    }
    workspace.forget(&first.0.leftover);
    workspace.forget(&second.0.leftover);
    Ok(())
}

/// Gives a file its name, and the hidden name to the file that had it before, so that this can be undone. Says whether there
/// was one; where a file system cannot exchange names, it is replaced as if there had been none.
fn exchange(hidden: &Path, name: &Path) -> io::Result<bool> {
    match rustix::fs::renameat_with(CWD, hidden, CWD, name, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS) => std::fs::rename(hidden, name).map(|()| false),
        Err(error) => Err(error.into()),
    }
}

fn proc_path(descriptor: i32) -> String {
    format!("/proc/self/fd/{descriptor}")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn unfinished(directory: &Path, workspace: &Workspace) -> Unfinished {
        Unfinished::create(directory, Others::AsUmaskHasIt, workspace).unwrap()
    }

    fn hidden_file(directory: &Path, workspace: &Workspace) -> Unfinished {
        let (file, hidden) = create_hidden(directory, Others::AsUmaskHasIt, workspace).unwrap();
        let (file, directory, workspace) = (file.into(), directory.into(), workspace.clone());
        Unfinished { file, directory, hidden: Some(hidden), workspace, last_mode: None }
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_published() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("out");
        for make in [unfinished, hidden_file] {
            let unfinished = make(directory.path(), &Workspace::default());
            unfinished.file().write_all(b"done").unwrap();
            assert!(!names(directory.path()).contains(&"out".to_owned()));
            unfinished.publish(&target).unwrap();
            assert_eq!(names(directory.path()), ["out"]);
            assert_eq!(std::fs::read(&target).unwrap(), b"done");
            std::fs::remove_file(&target).unwrap();
        }
    }

    #[test]
    fn a_file_given_up_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let workspace = Workspace::default();
        drop(unfinished(directory.path(), &workspace));
        drop(hidden_file(directory.path(), &workspace));
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_workspace_that_is_cleaned_up_gives_no_file_its_name_and_no_other_one_notices() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (cancelled, other) = (Workspace::default(), Workspace::default());
        let files = [unfinished, hidden_file].map(|make| make(directory.path(), &cancelled));
        let others = [unfinished, hidden_file].map(|make| make(directory.path(), &other));
        cancelled.clean_up();
        let hidden = others.iter().filter(|file| file.hidden.is_some()).count();
        assert_eq!(names(directory.path()).len(), hidden, "those of the other one alone");
        for file in files {
            assert!(file.publish(&path("cancelled")).is_err());
        }
        assert!(create_hidden(directory.path(), Others::Nobody, &cancelled).is_err());
        let [first, second] = others;
        Unfinished::publish_both([(first, &path("first")), (second, &path("second"))]).unwrap();
        assert_eq!(names(directory.path()), ["first", "second"]);
    }

    #[test]
    fn a_symbolic_link_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (target, victim) = (directory.path().join("out"), directory.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &target).unwrap();
        let unfinished = unfinished(directory.path(), &Workspace::default());
        unfinished.file().write_all(b"new").unwrap();
        unfinished.publish(&target).unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
        assert!(target.symlink_metadata().unwrap().is_file());
    }

    #[test]
    fn two_files_get_their_names_together() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("hashes"), "old").unwrap();
        let workspace = Workspace::default();
        for make in [unfinished, hidden_file] {
            let files = [make(directory.path(), &workspace), make(directory.path(), &workspace)];
            files.iter().for_each(|file| file.file().write_all(b"new").unwrap());
            let [first, second] = files;
            Unfinished::publish_both([(first, &path("hashes")), (second, &path("image"))]).unwrap();
            assert_eq!(names(directory.path()), ["hashes", "image"]);
            assert_eq!(std::fs::read(path("hashes")).unwrap(), b"new");
            std::fs::remove_file(path("hashes")).unwrap();
        }
    }

    #[test]
    fn when_one_of_two_names_cannot_be_had_both_stay_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("taken")).unwrap();
        std::fs::write(path("taken/by a file"), "").unwrap();
        for old in [Some("old"), None] {
            old.map_or(Ok(()), |old| std::fs::write(path("hashes"), old)).unwrap();
            let workspace = Workspace::default();
            let make = || unfinished(directory.path(), &workspace);
            let files = [(make(), &*path("hashes")), (make(), &*path("taken"))];
            assert_eq!(Unfinished::publish_both(files).unwrap_err().0, Which::Second);
            assert_eq!(std::fs::read_to_string(path("hashes")).ok().as_deref(), old);
            drop(std::fs::remove_file(path("hashes")));
            assert_eq!(names(directory.path()), ["taken"]);
        }
    }
}
