//! Trees that others change while they are read: the tar is valid, and nothing of elsewhere is in it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nex_tree::{LeftOut, Mounts, Notes, PackOptions, pack};

use crate::support::{code, copy, left_out, packed, run};

/// Does something once the first bytes of the tar come.
struct Meanwhile<F: FnMut()> {
    tar: Vec<u8>,
    change: F,
}

impl<F: FnMut()> Write for Meanwhile<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.tar.is_empty() {
            (self.change)();
        }
        self.tar.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn packed_meanwhile(path: &Path, change: impl FnMut()) -> (Vec<u8>, Notes) {
    let (mut out, mut notes) = (Meanwhile { tar: Vec::new(), change }, Notes::default());
    pack(path, PackOptions::default(), &mut out, &mut notes).unwrap();
    (out.tar, notes)
}

#[test]
fn a_file_that_grows_is_cut_and_one_that_shrinks_is_filled_up() {
    for length in [0, 1 << 20, 3 << 20] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        fs::write(&path, vec![b'x'; 2 << 20]).unwrap();
        let changed = fs::File::options().write(true).open(&path).unwrap();
        let (tar, notes) = packed_meanwhile(&path, || changed.set_len(length).unwrap());
        assert_eq!(left_out(&notes), [("file", &LeftOut::OneMoment)], "{length}");
        copy(&tar, &place.path().join("copy")).unwrap();
        let copy = fs::read(place.path().join("copy")).unwrap();
        assert_eq!(copy.len(), 2 << 20);
        assert!(copy.starts_with(b"xxxx"));
        if let Some(list) = run("tar", &["-tf", "-"], place.path(), &tar) {
            assert_eq!(list, b"file\n");
        }
    }
}

#[test]
fn what_goes_away_is_left_out() {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("d");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a"), vec![b'x'; 1 << 20]).unwrap();
    for name in ["b", "c", "z"] {
        fs::write(root.join(name), name).unwrap();
    }
    fs::create_dir(root.join("e")).unwrap();
    let (tar, notes) = packed_meanwhile(&root, || {
        fs::remove_file(root.join("b")).unwrap();
        fs::remove_dir(root.join("e")).unwrap();
    });
    assert_eq!(left_out(&notes), [("d/b", &LeftOut::Vanished), ("d/e", &LeftOut::Vanished)]);
    copy(&tar, &place.path().join("copy")).unwrap();
    assert_eq!(fs::read_dir(place.path().join("copy")).unwrap().count(), 3);
}

/// A program that swaps directories for links to elsewhere as fast as it can.
#[test]
fn a_swapped_directory_leads_nowhere_else() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::create_dir_all(path("root/d")).unwrap();
    fs::create_dir(path("outside")).unwrap();
    fs::write(path("outside/file"), "secret").unwrap();
    fs::write(path("root/d/file"), "public").unwrap();
    symlink(path("outside"), path("root/link")).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (directory, link) = (path("root/d"), path("root/link"));
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &directory, rustix::fs::CWD, &link, flags).unwrap();
            }
        });
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            let (mut tar, mut notes) = (Vec::new(), Notes::default());
            let result = pack(&path("root"), PackOptions::default(), &mut tar, &mut notes);
            assert!(!tar.windows(6).any(|bytes| bytes == b"secret"), "{result:?}");
        }
        over.store(true, Ordering::Relaxed);
    });
}

/// And one that does so where a tar is unpacked.
#[test]
fn a_swapped_destination_takes_nothing_elsewhere() {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    fs::create_dir_all(path("from/d/e")).unwrap();
    (0..50).for_each(|number| fs::write(path(&format!("from/d/e/{number}")), "x").unwrap());
    let (tar, _) = packed(&path("from/d"));
    fs::create_dir_all(path("to/d/e")).unwrap();
    fs::create_dir(path("outside")).unwrap();
    symlink(path("outside"), path("to/d/link")).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let (directory, link) = (path("to/d/e"), path("to/d/link"));
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                rustix::fs::renameat_with(rustix::fs::CWD, &directory, rustix::fs::CWD, &link, flags).unwrap();
            }
        });
        let until = Instant::now() + Duration::from_millis(500);
        while Instant::now() < until {
            // It may be refused, and must go nowhere else.
            let _ = copy(&tar, &path("to"));
            assert_eq!(fs::read_dir(path("outside")).unwrap().count(), 0);
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn sockets_are_left_out_and_said() {
    let place = tempfile::tempdir().unwrap();
    let _listener = UnixListener::bind(place.path().join("socket")).unwrap();
    let (tar, notes) = packed(&place.path().join("."));
    assert_eq!(left_out(&notes), [("./socket", &LeftOut::Socket)]);
    copy(&tar, &place.path().join("copy")).unwrap();
    let alone = pack(&place.path().join("socket"), PackOptions::default(), &mut Vec::new(), &mut Notes::default());
    assert_eq!(code(alone.map(|()| Notes::default())), "copy-kind");
}

#[test]
fn files_of_the_kernel_have_their_content_and_mounts_are_left_out() {
    let (tar, _) = packed(Path::new("/proc/self/status"));
    let place = tempfile::tempdir().unwrap();
    copy(&tar, &place.path().join("status")).unwrap();
    let status = fs::read_to_string(place.path().join("status")).unwrap();
    assert!(status.starts_with("Name:") && !status.contains('\0'), "{status}");

    let (mut tar, mut notes) = (Vec::new(), Notes::default());
    let options = PackOptions { mounts: Mounts::LeftOut, ..PackOptions::default() };
    pack(Path::new("/dev"), options, &mut tar, &mut notes).unwrap();
    let mounts = notes.kept().iter().filter(|note| note.what == LeftOut::Mount);
    assert!(mounts.count() > 0, "{notes:?}");
}

#[test]
fn notes_have_a_bound() {
    let place = tempfile::tempdir().unwrap();
    let listeners: Vec<_> = (0..30).map(|number| UnixListener::bind(place.path().join(number.to_string()))).collect();
    let (_, notes) = packed(&place.path().join("."));
    assert_eq!((notes.kept().len(), notes.more(), listeners.len()), (20, 10, 30));
    assert_eq!(notes.lines().last().unwrap(), "and 10 more are not as they were");
}
