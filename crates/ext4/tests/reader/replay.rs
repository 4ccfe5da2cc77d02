//! File systems that stopped in the middle of writes: their files are read as they are after a replay by e2fsck and by the
//! kernel. The blocks are judged beside the code (`src/reader/replay/tests.rs`).

use std::fs::File;
use std::path::Path;
use std::process::Command;

use nex_ext4::Size;
use nex_ext4::reader::{Error, Options, Reader, Recovery, Replay};
use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::manifest::{self, Manifest};
use nex_testkit::unclean_stop::KEEP;
use nex_testkit::{command, fsck};

use crate::support::{Builder, MIB};
use crate::tree::{mke2fs, open, read_all};

/// Changes what [`KEEP`] has made, and commits it to the journal.
const CHANGE: &str = "
rm kept/3; mv kept/10 kept/moved; seq 50 >kept/9; ln kept/8 linked; mkdir -p deep/er; mv kept/11 deep/er
for i in $(seq 300); do seq $i >deep/$i; done; rm -r deep/1*; chmod 600 kept/20; ln -s deep kept/link
dd if=/dev/zero of=synced bs=5000 count=1 conv=fsync status=none
";

/// What a stop leaves of an image with changes that are in the journal alone.
fn stopped(image: &Path) -> tempfile::TempPath {
    let mount = Mount::with_options(image, "commit=300").unwrap();
    mount.run(KEEP).unwrap();
    mount.run(CHANGE).unwrap();
    let copy = fsck::sparse_copy(image).unwrap();
    mount.unmount().unwrap();
    copy
}

/// What is read of an image whose journal is left alone.
fn unreplayed(image: &Path) -> Result<Manifest, Error> {
    let options = Options { replay: Replay::Never, ..Options::default() };
    let reader = Reader::open(File::open(image).unwrap(), options)?;
    assert!(matches!(reader.recovery(), Recovery::NotDone));
    read_all(&reader)
}

/// The files of a stopped image are those that a replay leaves; without one they are others.
fn judge(image: &Path, what: &str) {
    let reader = open(image).unwrap();
    assert!(matches!(reader.recovery(), Recovery::Done), "{what}: {:?}", reader.recovery());
    assert!(reader.superblock().needs_recovery());
    let found = read_all(&reader).unwrap_or_else(|error| panic!("{what}: {error}"));

    let repaired = fsck::sparse_copy(image).unwrap();
    let result = command::output(Command::new("e2fsck").arg("-fy").arg(&repaired)).unwrap();
    assert!(matches!(result.status.code(), Some(0 | 1)), "{what}: {result:?}");
    let by_e2fsck = open(&repaired).unwrap();
    assert!(!by_e2fsck.superblock().needs_recovery());
    manifest::equal(&read_all(&by_e2fsck).unwrap(), &found).unwrap_or_else(|error| panic!("{what}: {error}"));

    let mounted = fsck::sparse_copy(image).unwrap();
    Mount::new(&mounted, Access::ReadWrite).unwrap().unmount().unwrap();
    manifest::equal(&kernel::read_tree(&mounted).unwrap(), &found).unwrap_or_else(|error| panic!("{what}: {error}"));

    let seen = unreplayed(image).is_ok_and(|before| manifest::equal(&before, &found).is_ok());
    assert!(!seen, "{what}: the image is the same without its journal");
}

#[test]
fn files_are_read_as_after_a_mount() {
    if !kernel::is_available() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    for options in [&[][..], &["-b", "1024"], &["-O", "^metadata_csum,^64bit,^extent"]] {
        mke2fs(&image, options, None);
        judge(&stopped(&image), &format!("{options:?}"));
    }
    let ours = Builder::new(&nex_ext4::Layout::default()).finish(Size::Exact(64 * MIB));
    judge(&stopped(&ours.path()), "ours");
}
