//! Modules are found, in the order in which the kernel takes them, however they are compressed. That it takes them is
//! shown by every guest that the tests start.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use nex_fault::whole;
use nex_kernel::{Kernel, MAX_KERNEL, Modules, ModulesError};
use nex_testkit::guest::Parts;
use nex_testkit::{Failure, Result, command};
use tempfile::TempDir;

/// A directory as distributions have it, with Debian's modules and their list of what is built in.
struct Place {
    root: TempDir,
    release: String,
}

impl Place {
    fn new() -> Result<Option<Self>> {
        let Some(parts) = Parts::find()? else { return Ok(None) };
        let root = tempfile::tempdir()?;
        fs::create_dir_all(root.path().join("boot"))?;
        fs::copy(&parts.kernel, root.path().join("boot/vmlinuz"))?;
        let release = Kernel::read(&parts.kernel, MAX_KERNEL)?.release()?.unwrap_or_default();
        let place = Self { root, release };
        let drivers = place.directory().join("kernel/drivers");
        fs::create_dir_all(&drivers)?;
        command::run(Command::new("cp").arg("-r").arg(parts.modules.join("drivers/virtio")).arg(&drivers))?;
        command::run(Command::new("cp").arg("-r").arg(parts.modules.join("drivers/block")).arg(&drivers))?;
        symlink("/", place.directory().join("build"))?;
        fs::write(place.directory().join("modules.builtin"), "kernel/fs/ext4/ext4.ko\nkernel/lib/crc-16.ko\n")?;
        Ok(Some(place))
    }

    fn directory(&self) -> std::path::PathBuf {
        self.root.path().join("lib/modules").join(&self.release)
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.directory().join("kernel/drivers").join(name)
    }
}

fn names(modules: &Modules, wanted: &[&str]) -> Result<Vec<String>> {
    Ok(modules.in_order(wanted)?.into_iter().map(|module| module.name).collect())
}

#[test]
fn modules_come_behind_what_they_need() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let modules = Modules::search(&place.root.path().join("boot/vmlinuz"), &place.release, MAX_KERNEL)?
        .modules
        .ok_or_else(|| Failure::new("no modules are found"))?;
    let order = names(&modules, &["virtio_blk", "virtio-pci", "ext4"])?;
    let position = |name: &str| order.iter().position(|other| other == name);
    for name in ["virtio_blk", "virtio_pci", "virtio_ring", "virtio", "virtio_pci_modern_dev"] {
        assert!(position(name).is_some(), "{name}: {order:?}");
    }
    assert!(position("virtio") < position("virtio_blk") && position("virtio_ring") < position("virtio_blk"));
    assert!(position("virtio_pci_modern_dev") < position("virtio_pci"));
    assert_eq!(position("ext4"), None);
    Ok(())
}

#[test]
fn modules_are_unpacked_however_they_are_compressed() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let plain = fs::read(place.file("virtio/virtio.ko"))?;
    for compress in [&["xz", "--check=crc32", "--lzma2=dict=1MiB"][..], &["zstd", "-q", "--rm"], &["gzip"]] {
        let [program, options @ ..] = compress else { unreachable!() };
        command::run(Command::new(program).args(options).arg(place.file("virtio/virtio.ko")))?;
        assert!(!place.file("virtio/virtio.ko").exists());
        let modules = Modules::open(&place.directory(), Some(&place.release), MAX_KERNEL)?;
        let loaded = modules.in_order(&["virtio"])?;
        assert!(loaded.last().is_some_and(|module| module.bytes == plain), "{program}");
        // One that is cut off is an error, and no module.
        let packed = fs::read_dir(place.file("virtio"))?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let packed = packed.into_iter().find(|path| path.to_string_lossy().contains("/virtio.ko."));
        let packed = packed.ok_or_else(|| Failure::new("nothing is compressed"))?;
        let bytes = fs::read(&packed)?;
        fs::write(&packed, &bytes[..bytes.len() / 2])?;
        assert!(matches!(modules.in_order(&["virtio"]), Err(ModulesError::Damaged { .. })), "{program}");
        fs::remove_file(&packed)?;
        fs::write(place.file("virtio/virtio.ko"), &plain)?;
    }
    Ok(())
}

#[test]
fn a_directory_that_does_not_fit_is_refused() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let refusal = |directory: &Path, version: &str| match Modules::open(directory, Some(version), MAX_KERNEL) {
        Ok(modules) => Err(Failure::new(format!("taken: {modules:?}"))),
        Err(error) => Ok(whole(&error)),
    };
    // By the directory, and by what it is in.
    Modules::open(&place.directory(), Some(&place.release), MAX_KERNEL)?;
    Modules::open(place.root.path(), Some(&place.release), MAX_KERNEL)?;
    Modules::open(&place.root.path().join("lib/modules"), Some(&place.release), MAX_KERNEL)?;
    let text = refusal(&place.directory(), "5.4.0")?;
    assert!(text.contains(&format!("of the kernel {}, and this kernel is 5.4.0", place.release)), "{text}");
    assert!(refusal(&place.root.path().join("boot"), "5.4.0")?.contains("no kernel modules"));
    assert!(refusal(Path::new("/nonexistent"), "5.4.0")?.contains("cannot read '/nonexistent'"));

    let modules = Modules::open(&place.directory(), Some(&place.release), MAX_KERNEL)?;
    let text = modules.in_order(&["nvme_of_mars"]).map(drop).map_err(|error| whole(&error)).unwrap_err();
    assert!(text.contains("the kernel has no nvme_of_mars"), "{text}");
    // Without the list, it may be built in.
    fs::remove_file(place.directory().join("modules.builtin"))?;
    assert_eq!(names(&Modules::open(&place.directory(), None, MAX_KERNEL)?, &["nvme_of_mars"])?, Vec::<String>::new());

    let none = Modules::search(&place.root.path().join("boot/vmlinuz"), "5.4.0", MAX_KERNEL)?;
    assert!(none.modules.is_none() && none.passed_over.is_empty(), "{none:?}");
    Ok(())
}
