//! What is private is so under every umask. The umask is the process's: this test has its own.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nex_file::private::{
    DIRECTORY, FILE, create_directory, create_file, listen, memory_file, temporary_directory, unnamed_file,
};
use rustix::fs::Mode;

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

fn under<T>(umask: u32, work: impl FnOnce() -> io::Result<T>) -> T {
    let before = rustix::process::umask(Mode::from_raw_mode(umask));
    let made = work();
    rustix::process::umask(before);
    made.unwrap()
}

#[test]
fn no_umask_adds_rights_for_others_or_takes_those_of_the_owner() {
    let place = tempfile::tempdir().unwrap();
    for umask in [0o000, 0o022, 0o077, 0o277, 0o777] {
        let at = |name: &str| place.path().join(format!("{umask:o}-{name}"));
        let (temporary, _listener, nameless) = under(umask, || {
            create_directory(&at("one"))?;
            create_file(&at("file"))?;
            let listener = listen(File::open(place.path())?.as_fd(), &format!("{umask:o}-socket"))?;
            let nameless = [memory_file(c"memory")?, unnamed_file(place.path())?];
            Ok((temporary_directory(place.path(), "temporary-")?, listener, nameless))
        });
        assert_eq!(mode(&at("one")), DIRECTORY, "{umask:o}");
        assert_eq!(mode(temporary.path()), DIRECTORY, "{umask:o}");
        assert_eq!((mode(&at("file")), mode(&at("socket"))), (FILE, FILE), "{umask:o}");
        for file in nameless {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, FILE, "{umask:o}");
        }
        UnixStream::connect(at("socket")).unwrap();
    }

    // The control: what nobody says a mode for is everybody's.
    under(0, || std::fs::create_dir(place.path().join("everybody's")));
    assert_eq!(mode(&place.path().join("everybody's")), 0o777);

    let (there, link) = (place.path().join("there"), place.path().join("link"));
    std::os::unix::fs::symlink(place.path().join("elsewhere"), &link).unwrap();
    create_file(&there).unwrap();
    for path in [&there, &link] {
        assert_eq!(create_file(path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(create_directory(path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
    assert!(create_directory(&there.join("below")).is_err());
    assert!(listen(File::open(place.path()).unwrap().as_fd(), "link").is_err());
}
