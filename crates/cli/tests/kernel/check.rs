//! What is said of a kernel's file: what it is, who starts it, and what it has of what a guest needs.

use std::fs;

use nex_kernel::{Kernel, MAX_KERNEL};
use nex_testkit::guest::Parts;
use nex_testkit::made_kernel::{Entry, FIT};
use nex_testkit::{Result, nex};
use serde_json::{Value, json};

use crate::place::{Place, report, said};

fn need<'r>(report: &'r Value, name: &str) -> &'r Value {
    let needs = report["needs"].as_array().map(Vec::as_slice).unwrap_or_default();
    needs.iter().find(|need| need["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn what_a_guest_needs_is_told_and_decides_the_exit_code() -> Result<()> {
    let place = Place::new()?;
    let fit = place.vmlinux("fit", "6.12.1", Some(FIT), Entry::Pvh)?;
    let told = report(&place.about(&["check", "--format", "json"], &fit)?, 0)?;
    assert_eq!(
        (&told["architecture"], &told["release"], &told["form"], &told["pvh"], &told["verdict"]),
        (&json!("amd64"), &json!("6.12.1"), &json!("vmlinux"), &json!(true), &json!("fit"))
    );
    assert_eq!((&need(&told, "ext4")["state"], &need(&told, "ext4")["lacks"]), (&json!("built-in"), &json!([])));
    assert_eq!(need(&told, "verity")["lacks"], json!(["CONFIG_DM_VERITY", "CONFIG_DM_INIT"]));
    assert!(told["vmms"].as_array().is_some_and(|vmms| vmms.iter().all(|vmm| vmm["obstacle"].is_null())), "{told}");

    // The negative control.
    let config = FIT.replace("CONFIG_EXT4_FS=y", "# CONFIG_EXT4_FS is not set");
    let unfit = place.vmlinux("unfit", "6.12.1", Some(&config), Entry::None)?;
    let told = report(&place.about(&["check", "--format", "json"], &unfit)?, 1)?;
    assert_eq!((&told["verdict"], &need(&told, "ext4")["state"]), (&json!("unfit"), &json!("missing")));
    let text = said(&place.about(&["check"], &unfit)?.stdout);
    assert!(text.contains("no guest starts with it: it lacks the root's file system (CONFIG_EXT4_FS)"), "{text}");
    assert!(text.contains("vmm         QEMU: QEMU finds no entry"), "{text}");

    // Drivers in modules that are nowhere.
    let modules = place.vmlinux("m", "6.12.1", Some(&FIT.replace("VIRTIO_BLK=y", "VIRTIO_BLK=m")), Entry::Pvh)?;
    let told = said(&place.about(&["check"], &modules)?.stdout);
    assert!(
        told.contains("its modules are not found, and it does not have built in: the root's drive (CONFIG_VIRTIO_BLK)"),
        "{told}"
    );

    let unknown = place.vmlinux("unknown", "6.12.1", None, Entry::Pvh)?;
    assert_eq!(report(&place.about(&["check", "--format", "json"], &unknown)?, 3)?["verdict"], "unknown");
    fs::write(place.path("config"), FIT)?;
    let config = place.path("config").display().to_string();
    assert_eq!(place.about(&["check", "--kernel-config", &config], &unknown)?.status.code(), Some(0));
    fs::write(place.path("config"), "nothing")?;
    nex::failed(&place.about(&["check", "--kernel-config", &config], &unknown)?, &["no CONFIG_ line", ".config"])
}

#[test]
fn a_distribution_s_kernel_is_told_with_its_modules() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let place = Place::new()?;
    let told = report(&place.about(&["check", "--format", "json"], &parts.kernel)?, 3)?;
    assert_eq!((&told["form"], &told["architecture"]), (&json!("bzImage"), &json!("amd64")));
    assert!(told["release"].as_str().is_some_and(|release| release.ends_with("-cloud-amd64")), "{told}");
    assert_eq!(told["modules"].as_str(), parts.modules.to_str());
    // As Debian configures it, in short.
    fs::write(place.path("config"), FIT.replace("VIRTIO_BLK=y", "VIRTIO_BLK=m") + "CONFIG_BLK_DEV_INITRD=y\n")?;
    let config = place.path("config").display().to_string();
    let told = report(&place.about(&["check", "--format", "json", "--kernel-config", &config], &parts.kernel)?, 0)?;
    assert_eq!((&told["verdict"], &need(&told, "drive")["state"]), (&json!("fit"), &json!("module")));
    fs::write(place.path("config"), FIT.replace("VIRTIO_BLK=y", "VIRTIO_BLK=m"))?;
    let without = place.about(&["check", "--kernel-config", &config], &parts.kernel)?;
    assert!(without.status.code() == Some(1) && said(&without.stdout).contains("CONFIG_BLK_DEV_INITRD"), "{without:?}");
    // What is inside is the same kernel without its cover.
    let inside = place.path("vmlinux");
    fs::write(&inside, Kernel::read(&parts.kernel, MAX_KERNEL)?.unpacked()?)?;
    let told = report(&place.about(&["check", "--format", "json"], &inside)?, 1)?;
    assert_eq!((&told["form"], &told["pvh"]), (&json!("vmlinux"), &json!(true)));
    // Its modules are elsewhere, and without any configuration it shows what it does not have built in.
    let states = ["drive", "ext4", "programs"].map(|name| need(&told, name)["state"].clone());
    assert_eq!(states, [json!("module"), json!("unknown"), json!("unknown")]);
    Ok(())
}
