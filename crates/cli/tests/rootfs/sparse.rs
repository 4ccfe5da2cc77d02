//! Sparse files in layers, however long: their holes take no room in the image.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::layer::{self, Entry};
use nex_testkit::nex::{self, rootfs};
use nex_testkit::{Result, command, fsck};

const GIB: u64 = 1 << 30;
const BLOCK: u64 = 4096;

/// A block of bytes at the beginning of each GiB, and 100 bytes at the end.
fn regions(size: u64) -> Vec<(u64, Vec<u8>)> {
    let block = |at: u64| (at, at.to_le_bytes().repeat(512));
    let whole = (0..size / GIB).map(|gib| block(gib * GIB));
    whole.chain([(size - 100, vec![9; 100])]).collect()
}

#[test]
fn files_of_45_gib_and_1_tib_keep_their_holes() -> Result<()> {
    let directory = nex::directory()?;
    let files = [("45-gib", 45 * GIB + 100), ("1-tib", 1024 * GIB + 100)];
    let entries: Vec<Entry> = files.iter().map(|(name, size)| Entry::sparse(name, *size, &regions(*size))).collect();
    let tar = directory.path().join("image.tar");
    fs::write(&tar, layer::tar(&entries)?)?;
    let output = directory.path().join("out.ext4");
    command::run(rootfs(&format!("tar:{}", tar.display()), &output)?.args(["--size", "auto"]))?;
    fsck::judge(&output)?;
    if !kernel::is_available() {
        return Ok(());
    }
    let mount = Mount::new(&output, Access::ReadOnly)?;
    for (name, size) in files {
        let file = File::open(mount.path().join(name))?;
        let regions = regions(size);
        assert_eq!(file.metadata()?.len(), size);
        // Blocks of the content, and of the tree that more than four extents need.
        let tree = if regions.len() > 1360 { 6 } else { regions.len().div_ceil(340) as u64 };
        assert_eq!(file.metadata()?.blocks(), (regions.len() as u64 + tree) * BLOCK / 512);
        for (at, expected) in regions {
            let mut found = vec![0; expected.len()];
            file.read_exact_at(&mut found, at)?;
            assert!(found == expected, "other bytes at {at} of {name}");
            let mut before = [1; 100];
            if at > 0 {
                file.read_exact_at(&mut before, at - 100)?;
                assert_eq!(before, [0; 100], "no hole before {at} of {name}");
            }
        }
    }
    mount.unmount()
}
