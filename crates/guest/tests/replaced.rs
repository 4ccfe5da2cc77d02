//! What has been checked is what boots: a root that is replaced between the two.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nex_guest::{ChannelWish, KernelOptions, MachineOptions, Overlay, Root, Session, Setup, Step, VmmKind, VmmOptions};
use nex_kernel::cpio::Archive;
use nex_kernel::{MAX_KERNEL, Modules};
use nex_testkit::guest::Parts;
use nex_testkit::{Failure, Result, command};
use nex_vmm::{Accelerator, Bus, Interrupt};
use tempfile::TempDir;

/// How long a guest may take to say what is on its drives.
const PATIENCE: Duration = Duration::from_secs(120);

/// The first process of a guest that tells what is on its first drive, and which label the second one has.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
exec >/dev/ttyS0 2>&1
for module in /modules/*; do insmod $module; done
mount -t ext4 -o ro /dev/vda /mnt
echo \"the root is $(cat /mnt/name)\"
[ ! -e /dev/vdb ] || echo \"the overlay is $(dd if=/dev/vdb bs=1 skip=1144 count=11 2>/dev/null)\"
echo that is all
poweroff -f
";

struct Place {
    parts: Parts,
    directory: TempDir,
}

impl Place {
    fn new() -> Result<Option<Self>> {
        let Some(parts) = Parts::find()? else { return Ok(None) };
        let place = Self { parts, directory: tempfile::tempdir()? };
        let mut archive = Archive::default();
        ["bin", "dev", "mnt", "modules"].iter().for_each(|name| archive.directory(name));
        archive.program("init", INIT.as_bytes());
        archive.program("bin/busybox", &fs::read(&place.parts.busybox)?);
        let modules = Modules::open(&place.parts.modules, None, MAX_KERNEL)?;
        for (number, module) in modules.in_order(&["virtio_pci", "virtio_blk", "ext4"])?.iter().enumerate() {
            archive.program(&format!("modules/{number:02}"), &module.bytes);
        }
        fs::write(place.path("initramfs"), archive.finish())?;
        Ok(Some(place))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a root filesystem that knows its name.
    fn make(&self, name: &str) -> Result<PathBuf> {
        let (tree, image) = (self.path("tree"), self.path(name));
        fs::create_dir_all(&tree)?;
        fs::write(tree.join("name"), name)?;
        command::run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).args([&tree, &image]).arg("8M"))?;
        Ok(image)
    }

    fn setup(&self, root: &Root, overlay: Option<Overlay>) -> Result<Setup> {
        let kernel = KernelOptions {
            kernel: self.parts.kernel.clone(),
            max_kernel: MAX_KERNEL,
            initrd: Some(self.path("initramfs")),
            modules: None,
            agent: None,
            refused_agent: None,
        };
        let (bus, append) = (Bus::Virtio, String::new());
        let channel = ChannelWish::Without;
        let options = MachineOptions { kernel, bus, memory_mib: 256, vcpus: 1, append, overlay, verity: None, channel };
        Ok(Setup::new(root, &options, &emulated())?)
    }
}

fn emulated() -> VmmOptions {
    VmmOptions { kind: VmmKind::Qemu, accelerator: Some(Accelerator::Emulation), ..VmmOptions::default() }
}

/// What a guest tells of its drives.
fn told(setup: &Setup) -> Result<Vec<String>> {
    let mut session: Session = setup.start(&emulated(), Interrupt::never())?;
    let (mut console, deadline) = (String::new(), Instant::now() + PATIENCE);
    while !console.contains("that is all") {
        match session.step(&[], deadline)? {
            Step::Console { bytes, .. } => console.push_str(&String::from_utf8_lossy(&bytes)),
            step => return Err(Failure::new(format!("{step:?}: {console}"))),
        }
    }
    let lines = console.lines().filter_map(|line| line.trim().strip_prefix("the "));
    Ok(lines.filter(|line| line.contains(" is ")).map(ToOwned::to_owned).collect())
}

/// Puts another file under a name, as a program that writes files whole does.
fn replace(file: &Path, other: &Path) -> Result<()> {
    Ok(fs::rename(other, file)?)
}

#[test]
fn a_root_that_is_replaced_after_its_check_is_not_what_boots() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let (file, other) = (place.make("checked")?, place.make("another")?);
    let checked = place.setup(&Root::open(&file)?, None)?;
    let inside = Root::open(&file)?.read()?;
    replace(&file, &other)?;
    assert_eq!(told(&checked)?, ["root is checked"]);
    assert_eq!(nex_inspect::View::read(&inside, b"/name", 100)?.as_deref(), Some(&b"checked"[..]));
    // Who opens the file now, by the same name, boots the other one.
    assert_eq!(told(&place.setup(&Root::open(&file)?, None)?)?, ["root is another"]);
    Ok(())
}

#[test]
fn an_overlay_drive_that_is_replaced_after_its_check_is_not_written_to() -> Result<()> {
    let Some(place) = Place::new()? else { return Ok(()) };
    let (root, file) = (Root::open(&place.make("root")?)?, place.path("overlay.ext4"));
    let overlay = || Some(Overlay::File { path: file.clone(), size: 8 << 20 });
    let made = place.setup(&root, overlay())?;
    // It is there by now, and is checked and taken as it is.
    let checked = place.setup(&root, overlay())?;
    drop(made);
    let other = place.make("precious")?;
    let precious = fs::read(&other)?;
    replace(&file, &other)?;
    assert_eq!(told(&checked)?, ["root is root", "overlay is nex-overlay"]);
    assert!(fs::read(&file)? == precious, "the other file was written to");
    // The same name, checked now.
    let refused = place.setup(&root, overlay()).map(drop).unwrap_err().to_string();
    assert!(refused.contains("is not a drive that nex has made for changes"), "{refused}");
    Ok(())
}
