//! The digest of what `--mount` shows, a part of the key of scripts in the cache.
//!
//! Others may write to it meanwhile, a script among them. So it is read by handles: nothing in it makes a build wait, and
//! nothing is read but what is mounted.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_file::tree::{self, Child, Lost, Problem, Trail, is_same_state};
use nex_sandbox::Mount;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use sha2::{Digest, Sha256};

use crate::output::hex;

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// How deep directories may be nested. Longer paths are of no use to anybody, and what decides on the depth may be a script.
const LEVELS: usize = 2048;

/// The digest of what is mounted where: names, types, bytes, modes and link targets of everything below.
///
/// # Errors
/// When something cannot be read, or changes while it is. The error names it.
pub fn mounts_digest(mounts: &[Mount]) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for Mount { source, target, read_only } in mounts {
        part(&mut hasher, target);
        hasher.update([u8::from(*read_only)]);
        Mounted { source, hasher: &mut hasher }.all()?;
    }
    Ok(hex(&hasher.finalize()))
}

/// A file or directory that is mounted.
struct Mounted<'a> {
    source: &'a Path,
    hasher: &'a mut Sha256,
}

impl Mounted<'_> {
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
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = rustix::fs::open(format!("/proc/self/fd/{}", handle.as_raw_fd()), flags, Mode::empty());
                self.looked_at(b"", &stat);
                self.content(b"", file.map_err(|errno| self.at(b"", errno.into()))?)
            }
            kind => {
                self.looked_at(b"", &stat);
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
        let at = |errno: rustix::io::Errno| self.at(path, errno.into());
        let stat = rustix::fs::fstat(&here).map_err(at)?;
        let names = tree::names(&here).map_err(at)?;
        self.looked_at(path, &stat);
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
                self.looked_at(path, &stat);
                self.content(path, file)?;
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new());
                let target = target.map_err(|errno| self.at(path, errno.into()))?;
                self.looked_at(path, &stat);
                part(self.hasher, target.as_bytes());
            }
            kind => {
                self.looked_at(path, &stat);
                self.device(kind, &stat);
            }
        }
        Ok(None)
    }

    fn looked_at(&mut self, path: &[u8], stat: &Stat) {
        part(self.hasher, path);
        self.hasher.update(stat.st_mode.to_le_bytes());
    }

    fn device(&mut self, kind: FileType, stat: &Stat) {
        if matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
            self.hasher.update(stat.st_rdev.to_le_bytes());
        }
    }

    /// As many bytes as the file says that it has. One that has more or fewer is being written to, or no file on a disk.
    fn content(&mut self, path: &[u8], handle: OwnedFd) -> io::Result<()> {
        let digest = content_digest(handle).map_err(|error| self.at(path, error))?;
        part(self.hasher, digest.as_bytes());
        Ok(())
    }

    fn at(&self, path: &[u8], error: io::Error) -> io::Error {
        let below = std::ffi::OsStr::from_bytes(path);
        let path = if path.is_empty() { self.source.to_owned() } else { self.source.join(below) };
        io::Error::new(error.kind(), format!("'{}': {error}", nex_text::printable(path.as_os_str().as_bytes())))
    }
}

fn part(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn content_digest(handle: OwnedFd) -> io::Result<String> {
    let before = rustix::fs::fstat(&handle)?;
    let (mut file, mut hasher, mut buffer) = (File::from(handle), Sha256::new(), vec![0; CHUNK]);
    let mut left = u64::try_from(before.st_size).map_err(io::Error::other)?;
    loop {
        match file.read(&mut buffer)? as u64 {
            0 if left == 0 && is_same_state(&before, &rustix::fs::fstat(&file)?) => return Ok(hex(&hasher.finalize())),
            0 => return Err(Problem::Changed.into()),
            read => {
                left = left.checked_sub(read).ok_or(Problem::Changed)?;
                hasher.update(&buffer[..usize::try_from(read).unwrap_or(0)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
