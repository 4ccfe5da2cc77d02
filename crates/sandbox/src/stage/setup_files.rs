//! What the tree is given for the run alone: places for mounts, the resolver's file, the scripts, the secrets.
//!
//! They are there before the tree is looked at the first time. So they are no changes, and leave no trace, unless a
//! script changes them itself.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Timestamps};
use rustix::io::Errno;
use rustix::mount::MountFlags;

use super::{doing, mounts};
use crate::Script;
use crate::failure::Failure;
use crate::protocol::Setup;

/// Where scripts are.
const SCRIPTS: &str = "run/nex";

/// Where secrets are.
const SECRETS: &str = "run/secrets";

/// What finds the machine itself.
const HOSTS: &[u8] = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

const DIRECTORY: Mode = Mode::from_raw_mode(0o755);
const FILE: Mode = Mode::from_raw_mode(0o644);

/// The path of a script as the scripts see it.
pub fn script_path(number: usize, script: &Script) -> String {
    format!("/{SCRIPTS}/{}/{}", number + 1, script.name)
}

/// Adds what is missing to the tree. The mounts are those that the caller asked for.
pub fn add(root: BorrowedFd, setup: &Setup, mounts: &[OwnedFd]) -> Result<(), Failure> {
    for name in ["proc", "sys", "dev"] {
        add_directory(root, name.as_bytes()).map_err(doing(format_args!("making /{name} in the image")))?;
        mounts::real_directory(root, name).map_err(|_| {
            format!("/{name} of the image is no directory, so that nothing can be mounted there; the image is unusable")
        })?;
    }
    add_directory(root, SCRIPTS.as_bytes()).map_err(doing("making /run/nex in the image"))?;
    if !setup.world.secrets.is_empty() {
        add_directory(root, SECRETS.as_bytes()).map_err(doing("making /run/secrets in the image"))?;
    }
    for path in &setup.world.directories {
        add_directory(root, path).map_err(doing(format_args!("making {} in the image", nex_text::short_name(path))))?;
    }
    for (mount, file) in setup.world.mounts.iter().zip(mounts) {
        add_place(root, &mount.target, file.as_fd())
            .map_err(doing(format_args!("making {} in the image", nex_text::short_name(&mount.target))))?;
    }
    if let Some(resolver) = &setup.resolver {
        replace(root, b"resolv.conf", resolver).map_err(doing("making /etc/resolv.conf in the image"))?;
        if is_empty(root, b"etc/hosts") {
            replace(root, b"hosts", HOSTS).map_err(doing("making /etc/hosts in the image"))?;
        }
    }
    Ok(())
}

/// Mounts the scripts and secrets where there is room for them. They are in memory, never on a disk.
pub fn mount(tree: BorrowedFd, setup: &Setup) -> Result<(), Failure> {
    let scripts = setup.world.scripts.iter().enumerate();
    let scripts = scripts.map(|(number, script)| (script_path(number, script), &*script.content, 0o755));
    let secrets = setup.world.secrets.iter();
    let secrets = secrets.map(|secret| (format!("/{SECRETS}/{}", secret.name), &*secret.content, 0o400));
    mount_files(tree, SCRIPTS, scripts.collect()).map_err(doing("mounting the scripts"))?;
    if setup.world.secrets.is_empty() {
        return Ok(());
    }
    mount_files(tree, SECRETS, secrets.collect()).map_err(doing("mounting the secrets"))
}

fn mount_files(tree: BorrowedFd, place: &str, files: Vec<(String, &[u8], u32)>) -> std::io::Result<()> {
    let mount = mounts::new("tmpfs", &[("mode", "0755")], mounts::LOCKED)?;
    for (path, content, mode) in files {
        let below = path.trim_start_matches('/').strip_prefix(place).unwrap_or_default().trim_start_matches('/');
        if let Some((directory, _)) = below.rsplit_once('/') {
            rustix::fs::mkdirat(&mount, directory, DIRECTORY)?;
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&mount, below, flags, Mode::from_raw_mode(mode))?;
        std::fs::File::from(file).write_all(content)?;
    }
    mounts::attach(mount.as_fd(), mounts::inside(tree, place.as_bytes())?.as_fd())?;
    Ok(mounts::restrict(mount.as_fd(), MountFlags::RDONLY)?)
}

/// Makes what the mount of a file or directory needs to stand on.
fn add_place(root: BorrowedFd, path: &[u8], mount: BorrowedFd) -> rustix::io::Result<()> {
    if FileType::from_raw_mode(rustix::fs::fstat(mount)?.st_mode) == FileType::Directory {
        return add_directory(root, path);
    }
    let (parent, name) = split(path);
    add_directory(root, parent)?;
    match mounts::inside(root, path) {
        Err(Errno::NOENT) => {}
        found => return found.map(drop),
    }
    let parent = open(root, parent)?;
    keeping_time(parent.as_fd(), || {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        rustix::fs::openat(&parent, name, flags, FILE).map(drop)
    })
}

/// Makes a directory and those above it, as far as they are missing. Symbolic links lead to where they do in the tree.
fn add_directory(root: BorrowedFd, path: &[u8]) -> rustix::io::Result<()> {
    let mut so_far = Vec::new();
    for component in path.split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
        let parent = so_far.clone();
        so_far.push(b'/');
        so_far.extend_from_slice(component);
        match open(root, &so_far) {
            Err(Errno::NOENT) => {}
            found => {
                found?;
                continue;
            }
        }
        let parent = open(root, &parent)?;
        keeping_time(parent.as_fd(), || rustix::fs::mkdirat(&parent, component, DIRECTORY))?;
    }
    Ok(())
}

/// A directory of the tree.
fn open(root: BorrowedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let path = if path.is_empty() { b"/" } else { path };
    rustix::fs::openat2(root, path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Changes a directory behind the back of whoever looks at its time.
fn keeping_time(directory: BorrowedFd, change: impl FnOnce() -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    let before = rustix::fs::fstat(directory)?;
    change()?;
    let time = |seconds, nanoseconds: u64| rustix::fs::Timespec { tv_sec: seconds, tv_nsec: nanoseconds as i64 };
    let times = Timestamps {
        last_access: time(before.st_atime, before.st_atime_nsec),
        last_modification: time(before.st_mtime, before.st_mtime_nsec),
    };
    rustix::fs::futimens(directory, &times)
}

/// Puts a file of ours into `/etc`, in place of what is there, a symbolic link included. A directory stays.
fn replace(root: BorrowedFd, name: &[u8], content: &[u8]) -> std::io::Result<()> {
    add_directory(root, b"etc")?;
    let etc = open(root, b"etc")?;
    match rustix::fs::statat(&etc, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => return Ok(()),
        Ok(_) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let mut made = None;
    keeping_time(etc.as_fd(), || {
        match rustix::fs::unlinkat(&etc, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        made = Some(rustix::fs::openat(&etc, name, flags, FILE)?);
        Ok(())
    })?;
    made.map_or(Ok(()), |file| std::fs::File::from(file).write_all(content))
}

/// Whether nothing is said there. Docker exports such files.
fn is_empty(root: BorrowedFd, path: &[u8]) -> bool {
    mounts::inside(root, path).and_then(rustix::fs::fstat).is_ok_and(|stat| stat.st_size == 0)
        || mounts::inside(root, path).is_err_and(|error| error == Errno::NOENT)
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}
