//! What `--mount` shows: its digest is a part of the key of scripts in the cache.
//!
//! Others may write to it meanwhile, a script among them. So it is read by handles: nothing in it makes a build wait, and
//! nothing is read but what is mounted.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_file::tree::{self, Child, Lost, Problem, Trail};
use nex_sandbox::Mount;
use nex_text::hex;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use sha2::{Digest, Sha256};

use super::content;

/// How deep directories may be nested. Longer paths are of no use to anybody, and what decides on the depth may be a script.
const LEVELS: usize = 2048;

/// What is mounted, as it was seen.
pub struct Seen {
    /// Names, types, bytes, modes and link targets of everything.
    pub digest: String,
    /// What every write changes, of everything in turn.
    states: Vec<State>,
}

/// What every write to something changes: its size, its change time, and what else stat(2) tells of it.
type State = [u8; 32];

impl Seen {
    /// Reads all that is mounted.
    ///
    /// # Errors
    /// When something cannot be read, or changes while it is. The error names it.
    pub fn of(mounts: &[Mount]) -> io::Result<Self> {
        let mut look = Look::Whole { hasher: Sha256::new(), states: Vec::new() };
        for Mount { source, target, read_only } in mounts {
            look.part(target);
            look.part(&[u8::from(*read_only)]);
            Mounted { source, look: &mut look }.all()?;
        }
        let Look::Whole { hasher, states } = look else { return Err(Problem::Changed.into()) };
        Ok(Self { digest: hex(hasher.finalize()), states })
    }

    /// Whether nobody has written to it since. No content is read, and nothing past the first that is another: what a script
    /// has put there does not decide how long this takes.
    pub fn is_still(&self, mounts: &[Mount]) -> bool {
        let mut look = Look::Again(self.states.iter());
        let looked = mounts.iter().try_for_each(|mount| Mounted { source: &mount.source, look: &mut look }.all());
        looked.is_ok() && matches!(look, Look::Again(left) if left.len() == 0)
    }
}

/// What is looked for.
enum Look<'a> {
    /// Everything.
    Whole { hasher: Sha256, states: Vec<State> },
    /// Whether it still has these states.
    Again(std::slice::Iter<'a, State>),
}

impl Look<'_> {
    fn part(&mut self, bytes: &[u8]) {
        if let Self::Whole { hasher, .. } = self {
            part(hasher, bytes);
        }
    }

    /// Something that there is.
    fn at(&mut self, path: &[u8], stat: &Stat) -> Result<(), Problem> {
        let state = state(path, stat);
        match self {
            Self::Whole { hasher, states } => {
                part(hasher, path);
                hasher.update(stat.st_mode.to_le_bytes());
                states.push(state);
                Ok(())
            }
            Self::Again(states) => states.next().filter(|known| **known == state).map(drop).ok_or(Problem::Changed),
        }
    }
}

fn state(path: &[u8], stat: &Stat) -> State {
    let mut hasher = Sha256::new();
    part(&mut hasher, path);
    let times = (stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec);
    let inode = (stat.st_dev, stat.st_ino, stat.st_mode, stat.st_rdev, stat.st_size);
    hasher.update(format!("{inode:?} {times:?}"));
    hasher.finalize().into()
}

/// A file or directory that is mounted.
struct Mounted<'a, 'b> {
    source: &'a Path,
    look: &'a mut Look<'b>,
}

impl Mounted<'_, '_> {
    fn all(&mut self) -> io::Result<()> {
        // The source itself may be named through a link; no link below it is followed. A handle of this kind opens nothing.
        let handle = rustix::fs::openat(CWD, self.source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let handle = handle.map_err(|errno| self.at(b"", errno.into()))?;
        let stat = rustix::fs::fstat(&handle).map_err(|errno| self.at(b"", errno.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let root = tree::open_below(handle.as_fd(), c".", OFlags::DIRECTORY);
                self.tree(root.map_err(|errno| self.at(b"", errno.into()))?)
            }
            FileType::RegularFile => {
                self.looked_at(b"", &stat)?;
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = rustix::fs::open(format!("/proc/self/fd/{}", handle.as_raw_fd()), flags, Mode::empty());
                self.content(b"", file.map_err(|errno| self.at(b"", errno.into()))?)
            }
            kind => {
                self.looked_at(b"", &stat)?;
                self.device(kind, &stat);
                Ok(())
            }
        }
    }

    fn tree(&mut self, root: OwnedFd) -> io::Result<()> {
        let mut trail = Trail::default();
        self.enter(&mut trail, root)?;
        while let Some(child) = trail.advance().map_err(|Lost { path, problem }| self.at(&path, problem.into()))? {
            if let Some(directory) = self.child(&child)? {
                self.enter(&mut trail, directory)?;
            }
        }
        Ok(())
    }

    fn enter(&mut self, trail: &mut Trail, here: OwnedFd) -> io::Result<()> {
        let path = trail.path();
        if trail.depth() >= LEVELS {
            return Err(io::Error::other(format!("more than {LEVELS} directories are inside one another")));
        }
        let stat = rustix::fs::fstat(&here).map_err(|errno| self.at(path, errno.into()))?;
        self.looked_at(path, &stat)?;
        let names = tree::names(&here).map_err(|errno| self.at(path, errno.into()))?;
        trail.enter(here, &stat, names);
        Ok(())
    }

    /// Takes in what is no directory; gives back what is one.
    fn child(&mut self, child: &Child) -> io::Result<Option<OwnedFd>> {
        let Child { parent, ref name, path } = *child;
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW);
        let stat = stat.map_err(|errno| self.at(path, errno.into()))?;
        let reopen = |flags| tree::reopen(parent, name, &stat, flags).map_err(|problem| self.at(path, problem.into()));
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => return reopen(OFlags::DIRECTORY).map(Some),
            FileType::RegularFile => {
                let file = reopen(OFlags::empty())?;
                self.looked_at(path, &stat)?;
                self.content(path, file)?;
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new());
                let target = target.map_err(|errno| self.at(path, errno.into()))?;
                self.looked_at(path, &stat)?;
                self.look.part(target.as_bytes());
            }
            kind => {
                self.looked_at(path, &stat)?;
                self.device(kind, &stat);
            }
        }
        Ok(None)
    }

    fn looked_at(&mut self, path: &[u8], stat: &Stat) -> io::Result<()> {
        self.look.at(path, stat).map_err(|problem| self.at(path, problem.into()))
    }

    fn device(&mut self, kind: FileType, stat: &Stat) {
        if let (FileType::CharacterDevice | FileType::BlockDevice, Look::Whole { hasher, .. }) = (kind, &mut *self.look)
        {
            hasher.update(stat.st_rdev.to_le_bytes());
        }
    }

    /// As many bytes as the file says that it has. One that has more or fewer is being written to, or no file on a disk.
    fn content(&mut self, path: &[u8], handle: OwnedFd) -> io::Result<()> {
        if matches!(self.look, Look::Whole { .. }) {
            let digest = content::digest(handle).map_err(|error| self.at(path, error))?;
            self.look.part(digest.as_bytes());
        }
        Ok(())
    }

    fn at(&self, path: &[u8], error: io::Error) -> io::Error {
        let below = std::ffi::OsStr::from_bytes(path);
        let path = if path.is_empty() { self.source.to_owned() } else { self.source.join(below) };
        let path = nex_text::printable(path.as_os_str().as_bytes());
        io::Error::new(error.kind(), format!("'{path}': {}", nex_fault::whole(&error)))
    }
}

fn part(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use rustix::fs::RenameFlags;

    use super::*;

    #[test]
    fn what_is_mounted_counts_with_names_bytes_and_modes() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a/file");
        std::fs::create_dir(place.path().join("a")).unwrap();
        std::fs::write(&file, "one").unwrap();
        let mount = |target: &str| Mount { source: place.path().into(), target: target.into(), read_only: true };
        let digest = || mounts_digest(&[mount("/x")]).unwrap();
        let mut seen = vec![digest()];
        assert_eq!(digest(), seen[0]);
        std::fs::write(&file, "two").unwrap();
        seen.push(digest());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        seen.push(digest());
        std::fs::rename(&file, place.path().join("a/other")).unwrap();
        seen.push(digest());
        std::os::unix::fs::symlink("other", &file).unwrap();
        seen.push(digest());
        seen.push(mounts_digest(&[mount("/y")]).unwrap());
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6);
        assert!(mounts_digest(&[Mount { source: file.join("none"), ..mount("/x") }]).is_err());
    }

    fn mounts_digest(mounts: &[Mount]) -> io::Result<String> {
        Seen::of(mounts).map(|seen| seen.digest)
    }

    fn digest_of(place: &Path) -> io::Result<String> {
        mounts_digest(&[Mount { source: place.into(), target: b"/x".to_vec(), read_only: true }])
    }

    /// Digests of a tree in which one name is this and that in turns; and those that it has for good, without a swap.
    fn digests_while_swapped(place: &Path, other: &Path, name: &str) -> (Vec<String>, Vec<String>) {
        let swap = || rustix::fs::renameat_with(CWD, place.join(name), CWD, other.join(name), RenameFlags::EXCHANGE);
        let mut calm = vec![digest_of(place).unwrap()];
        swap().unwrap();
        calm.push(digest_of(place).unwrap());
        let is_done = AtomicBool::new(false);
        let (sender, receiver) = std::sync::mpsc::channel();
        let place = place.to_owned();
        let found = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    swap().unwrap();
                }
            });
            // A thread that nobody waits for: one that hangs fails the test.
            std::thread::spawn(move || {
                let digests: Vec<_> = (0..60).filter_map(|_| digest_of(&place).ok()).collect();
                sender.send(digests)
            });
            let found = receiver.recv_timeout(Duration::from_secs(60));
            is_done.store(true, Ordering::Relaxed);
            found
        });
        (found.expect("the digest waits for something"), calm)
    }

    #[test]
    fn a_fifo_swapped_in_makes_nobody_wait() {
        let (place, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(place.path().join("it"), "content").unwrap();
        rustix::fs::mknodat(CWD, other.path().join("it"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let (found, calm) = digests_while_swapped(place.path(), other.path(), "it");
        assert!(!found.is_empty() && found.iter().all(|digest| calm.contains(digest)));
        // Named itself, it makes nobody wait either.
        assert!(digest_of(&place.path().join("it")).is_ok() && digest_of(&other.path().join("it")).is_ok());
    }

    #[test]
    fn a_link_swapped_in_leads_nowhere() {
        let [place, other, elsewhere] = [(); 3].map(|()| tempfile::tempdir().unwrap());
        std::fs::write(elsewhere.path().join("file"), "of somebody else").unwrap();
        std::fs::create_dir(place.path().join("it")).unwrap();
        std::fs::write(place.path().join("it/file"), "content").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), other.path().join("it")).unwrap();
        let (found, calm) = digests_while_swapped(place.path(), other.path(), "it");
        assert!(!found.is_empty() && found.iter().all(|digest| calm.contains(digest)), "something else was read");
    }

    #[test]
    fn what_has_more_bytes_than_it_says_is_no_input() {
        // Such files of the kernel say that they are empty.
        let refused = digest_of(Path::new("/proc/self/status")).unwrap_err().to_string();
        assert!(refused.contains("'/proc/self/status': it changed while it was read"), "{refused}");
        assert!(digest_of(Path::new("/dev/zero")).is_ok());
    }

    #[test]
    fn every_write_is_noticed_and_no_read() {
        let place = tempfile::tempdir().unwrap();
        let [file, other] = ["a/file", "a/other"].map(|name| place.path().join(name));
        std::fs::create_dir(place.path().join("a")).unwrap();
        std::fs::write(&file, "one").unwrap();
        let mounts = [Mount { source: place.path().into(), target: b"/x".to_vec(), read_only: false }];
        let changes: [&dyn Fn() -> io::Result<()>; 6] = [
            &|| std::fs::write(&file, "two"),
            &|| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)),
            &|| std::os::unix::fs::symlink("file", &other),
            &|| std::fs::remove_file(&other),
            &|| File::create(&other)?.set_len(1 << 40),
            &|| std::fs::rename(&other, &file),
        ];
        for (number, change) in changes.iter().enumerate() {
            let seen = Seen::of(&mounts).unwrap();
            // The clock of a file system stands still for some milliseconds.
            std::thread::sleep(Duration::from_millis(20));
            std::fs::read(&file).unwrap();
            assert!(seen.is_still(&mounts), "{number}");
            change().unwrap();
            assert!(!seen.is_still(&mounts), "{number}");
        }
    }

    #[test]
    fn depth_has_a_bound_and_open_files_too() {
        let place = tempfile::tempdir().unwrap();
        let mut here = rustix::fs::open(place.path(), OFlags::DIRECTORY, Mode::empty()).unwrap();
        for level in 0..LEVELS + 1 {
            if level == LEVELS - 2 {
                assert!(digest_of(place.path()).is_ok());
            }
            rustix::fs::mkdirat(&here, c"d", Mode::RWXU).unwrap();
            here = rustix::fs::openat(&here, c"d", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        assert!(digest_of(place.path()).unwrap_err().to_string().contains("directories are inside one another"));
        // Which no path reaches: removed from above.
        std::process::Command::new("rm").arg("-rf").arg(place.path().join("d")).status().unwrap();
    }
}
