//! A configuration for which nobody has named a kernel.

use std::fs;
use std::process::Command;

use nex_testkit::made_kernel::{self, Entry, FIT};
use nex_testkit::{Result, command, elf, nex};
use serde_json::json;

use crate::place::{Place, done, warned};

#[test]
fn the_newest_installed_kernel_is_taken_and_named() -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("LEFT OUT: a kernel for x86_64: this machine is not");
        return Ok(());
    }
    let place = Place::new()?;
    for release in ["6.1.5", "6.12.1"] {
        let file = place.path(release);
        fs::write(&file, made_kernel::vmlinux(elf::X86_64, release, Some(FIT), Entry::None)?)?;
        let mut add = Command::new(nex::program());
        add.env_clear().env("XDG_DATA_HOME", place.path("data")).args(["kernel", "add"]);
        command::run(add.arg(file))?;
    }
    let printed = done(&mut place.config_without_kernel(&place.file)?)?;
    let kernel = place.path("data/nex/kernels/vmlinux-6.12.1-x86_64");
    let config: serde_json::Value = serde_json::from_slice(&printed.stdout)?;
    assert_eq!(config["boot-source"]["kernel_image_path"], json!(kernel));
    let words = format!("config: kernel {} (the newest installed one that fits)\n", kernel.display());
    assert!(warned(&printed).contains(&words), "{}", warned(&printed));
    Ok(())
}

#[test]
fn a_kernel_whose_drivers_are_nowhere_is_warned_of() -> Result<()> {
    let place = Place::new()?;
    let kernel = place.path("vmlinux");
    let write = |config: &str| -> Result<()> {
        Ok(fs::write(&kernel, made_kernel::vmlinux(elf::X86_64, "6.1.0-9", Some(config), Entry::None)?)?)
    };
    write(&FIT.replace("VIRTIO_BLK=y", "VIRTIO_BLK=m"))?;
    let said = warned(&done(&mut place.config(&kernel)?)?);
    let lacks = format!(
        "warning: the kernel '{}' does not have virtio_blk built in, and its modules are neither in",
        kernel.display()
    );
    for words in
        [&*lacks, "lib/modules/6.1.0-9 near it nor in '/lib/modules/6.1.0-9'", "--modules", "'nex kernel build'"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Modules that are there, and not this one.
    fs::create_dir(place.path("modules"))?;
    fs::write(place.path("modules/ext4.ko"), "")?;
    let said = warned(&done(&mut place.config(&kernel)?)?);
    assert!(said.contains("virtio_blk built in, and there is no such module in "), "{said}");
    fs::remove_dir_all(place.path("modules"))?;
    // All built in, one of the two transports, and an initramfs that is somebody else's to fill.
    write(FIT)?;
    assert!(!warned(&done(&mut place.config(&kernel)?)?).contains("built in"));
    write(&FIT.replace("VIRTIO_PCI=y", "VIRTIO_PCI=m"))?;
    assert!(!warned(&done(&mut place.config(&kernel)?)?).contains("built in"));
    write(&FIT.replace("VIRTIO_BLK=y", "VIRTIO_BLK=m"))?;
    let own = done(place.config(&kernel)?.arg("--initrd").arg(&kernel))?;
    assert!(!warned(&own).contains("built in"), "{}", warned(&own));
    Ok(())
}
