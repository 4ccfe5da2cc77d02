//! Trees go whatever is in them and however deep they are, without stack or descriptors; what stays is named, and keeps nothing
//! else.

use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nex_file::remove;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Deeper than any stack has frames for, or any process has descriptors.
const DEPTH: usize = 20_000;
/// In memory, where so many directories cost no time.
const MEMORY: &str = "/dev/shm";

/// Makes directories in one another.
fn nest(place: &Path, depth: usize) {
    let mut level: OwnedFd = File::open(place).unwrap().into();
    for _ in 0..depth {
        rustix::fs::mkdirat(&level, "d", Mode::RWXU).unwrap();
        level = rustix::fs::openat(&level, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
        rustix::fs::openat(level.as_fd(), "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
    }
}

fn names(place: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn whatever_is_there_goes_and_nothing_that_it_leads_to() {
    let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kept = elsewhere.path().join("kept");
    fs::write(&kept, "kept").unwrap();
    let tree = place.path().join("tree");
    fs::create_dir_all(tree.join("a/b/c")).unwrap();
    fs::create_dir(tree.join("a/closed")).unwrap();
    fs::set_permissions(tree.join("a/closed"), Permissions::from_mode(0o000)).unwrap();
    symlink(elsewhere.path(), tree.join("a/b/link")).unwrap();
    symlink(elsewhere.path(), place.path().join("link")).unwrap();
    fs::hard_link(&kept, tree.join("a/linked")).unwrap_or_else(|_| fs::write(tree.join("a/linked"), "").unwrap());
    let _listener = UnixListener::bind(tree.join("a/socket")).unwrap();
    rustix::fs::mknodat(CWD, tree.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::write(place.path().join("beside"), "").unwrap();

    let handle = File::open(place.path()).unwrap();
    remove::tree(&handle, "tree").unwrap();
    remove::tree(&handle, "link").unwrap();
    remove::tree(&handle, "never was").unwrap();
    assert_eq!(names(place.path()), ["beside"]);
    assert_eq!(fs::read_to_string(&kept).unwrap(), "kept");

    fs::create_dir_all(place.path().join("x/y/z")).unwrap();
    remove::contents(&handle).unwrap();
    assert!(names(place.path()).is_empty());
}

#[test]
fn no_depth_takes_stack_or_descriptors() {
    let place = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir()).unwrap();
    nest(place.path(), DEPTH);
    let handle = File::open(place.path()).unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(256), ..limit }).unwrap();
    // A stack that has room for a few hundred levels of anybody.
    let small = std::thread::Builder::new().stack_size(64 << 10);
    let removed = small.spawn(move || remove::contents(&handle)).unwrap().join().unwrap();
    setrlimit(Resource::Nofile, limit).unwrap();
    removed.unwrap();
    assert!(names(place.path()).is_empty());
}

#[test]
fn what_a_killed_removal_has_moved_up_is_in_nobodys_way() {
    let place = tempfile::tempdir().unwrap();
    // As a process with our number would have left them.
    for number in 0..50 {
        let left = place.path().join(format!("{}{}-{number}", remove::PREFIX, std::process::id()));
        if number % 2 == 0 { fs::create_dir_all(left.join("x")).unwrap() } else { fs::write(left, "").unwrap() }
    }
    fs::create_dir_all(place.path().join("tree/a/b/c")).unwrap();
    let handle = File::open(place.path()).unwrap();
    remove::tree(&handle, "tree").unwrap();
    assert_eq!(names(place.path()).len(), 50);
    remove::contents(&handle).unwrap();
    assert!(names(place.path()).is_empty());
}

#[test]
fn what_stays_is_named_and_keeps_nothing_else() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("LEFT OUT: nothing stays that a user without rights has made");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let stays = place.path().join("tree/deep/er/st\u{1b}ays");
    fs::create_dir_all(&stays).unwrap();
    fs::create_dir_all(place.path().join("tree/other/and/more")).unwrap();
    // No file system lets go of what is in use.
    rustix::mount::mount(c"none", &stays, c"tmpfs", rustix::mount::MountFlags::empty(), None).unwrap();
    let stuck = remove::contents(File::open(place.path()).unwrap());
    rustix::mount::unmount(find(place.path(), "st\u{1b}ays"), rustix::mount::UnmountFlags::DETACH).unwrap();
    let stuck = stuck.unwrap_err();
    assert_eq!(stuck.errno, rustix::io::Errno::BUSY);
    assert!(stuck.to_string().contains("/st\\x1bays': "), "{stuck}");
    // Only what leads to it is left.
    assert_eq!(names(place.path()).len(), 1);
    remove::contents(File::open(place.path()).unwrap()).unwrap();
    assert!(names(place.path()).is_empty());
}

/// The path of what has this name below a directory.
fn find(place: &Path, name: &str) -> std::path::PathBuf {
    let below = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    for path in below {
        if path.file_name().is_some_and(|its| its == name) {
            return path;
        }
        if path.is_dir() {
            return find(&path, name);
        }
    }
    panic!("no {name}");
}

/// On a file system of 1 MiB in blocks of 1 KiB: the directory has no place left for a name, and the disk no block.
#[test]
fn on_a_full_disk_directories_wait_for_room() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("LEFT OUT: mounting is root's");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (image, mounted) = (place.path().join("image"), place.path().join("mounted"));
    File::create(&image).unwrap().set_len(1 << 20).unwrap();
    fs::create_dir(&mounted).unwrap();
    let runs = |program: &str, arguments: &[&Path]| {
        std::process::Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let options = ["-q", "-b", "1024", "-N", "256", "-O", "^has_journal,^dir_index", "-m", "0"].map(Path::new);
    if !runs("mkfs.ext4", &[&options[..], &[&image]].concat())
        || !runs("mount", &[Path::new("-o"), Path::new("loop"), &image, &mounted])
    {
        eprintln!("LEFT OUT: no ext4 is made or mounted here");
        return;
    }
    let work = mounted.join("work");
    for directory in ["a", "b"] {
        fs::create_dir_all(work.join("tree").join(directory)).unwrap();
        fs::write(work.join("tree").join(directory).join("file"), [1; 4096]).unwrap();
    }
    fs::write(work.join("tree/file"), [1; 4096]).unwrap();
    // With "tree" and a checksum, these names leave no room for another one in the directory's block.
    for (number, length) in [(1, 230), (2, 230), (3, 230), (4, 230), (5, 8)] {
        fs::write(work.join(format!("{number:0>length$}")), "").unwrap();
    }
    assert_eq!(work.metadata().unwrap().len(), 1024);
    let mut filling = File::create(mounted.join("filling")).unwrap();
    while std::io::Write::write_all(&mut filling, &[1; 1024]).is_ok() {}
    let handle = File::open(&work).unwrap();
    let removed = remove::tree(&handle, "tree");
    let left = work.join("tree").exists();
    drop((handle, filling));
    assert!(runs("umount", &[&mounted]));
    assert_eq!((removed, left), (Ok(()), false));
}
