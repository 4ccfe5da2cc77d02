//! The kernel that nex builds for guests, where this user has built it: all that a guest needs is built in.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use nex_testkit::guest::own_kernel;
use nex_testkit::nex::boot::{Place as Guest, console, report as booted};
use nex_testkit::{Result, command, fsck, nex};
use serde_json::Value;

use crate::place::{Place, report, said};

/// Where it is; else a line that says so.
fn built() -> Option<std::path::PathBuf> {
    let own = own_kernel();
    if own.is_none() {
        eprintln!("LEFT OUT: boots of nex's own kernel: make test-long builds it");
    }
    own
}

#[test]
fn it_lacks_nothing_that_a_guest_needs() -> Result<()> {
    let Some(own) = built() else { return Ok(()) };
    let place = Place::new()?;
    for (name, form) in [("vmlinux", "vmlinux"), ("bzImage", "bzImage")] {
        let told = report(&place.about(&["check", "--format", "json"], &own.join(name))?, 0)?;
        let needs = told["needs"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(!needs.is_empty() && needs.iter().all(|need| need["state"] == "built-in"), "{told}");
        assert!(told["vmms"].as_array().is_some_and(|vmms| vmms.iter().all(|vmm| vmm["obstacle"].is_null())), "{told}");
        assert_eq!((told["form"].as_str(), told["architecture"].as_str()), (Some(form), Some("amd64")), "{told}");
    }
    Ok(())
}

#[test]
fn it_boots_a_root_without_an_initramfs_and_leaves_it_sound() -> Result<()> {
    let (Some(own), Some(guest)) = (built(), Guest::scratch()?) else { return Ok(()) };
    for name in ["vmlinux", "bzImage"] {
        let said = booted(guest.boot_with(&own.join(name))?.args(["--quiet", "--accel", "emulation"]))?;
        assert!(said["ready"] == true && said["kernel"]["initramfs"].is_null(), "{said}");
        assert_eq!(said["end"], "powered-off", "{said}");
    }
    // Changes go to a drive of their own, which the guest's kernel has written.
    let state = guest.path("state.ext4");
    let mut boot = guest.boot_with(&own.join("vmlinux"))?;
    let said = booted(boot.args(["--quiet", "--accel", "emulation", "--overlay-drive"]).arg(&state))?;
    assert_eq!(said["ready"], true, "{said}");
    fsck::check(&guest.file())?;
    fsck::check(&state)
}

#[test]
fn it_checks_a_sealed_root_before_any_program_runs() -> Result<()> {
    let (Some(own), Some(guest)) = (built(), Guest::scratch()?) else { return Ok(()) };
    let mut build = nex::rootfs("scratch", &guest.file())?;
    let sealed: Value = serde_json::from_slice(&command::run(build.args(["--verity", "--format", "json"]))?)?;
    let root_hash = sealed["verity"]["rootHash"].as_str().unwrap_or_default().to_owned();
    let checked = || -> Result<Command> {
        let mut boot = guest.boot_with(&own.join("vmlinux"))?;
        boot.args(["--quiet", "--accel", "emulation", "--root-hash", &root_hash, "--verity"]).arg(guest.file());
        Ok(boot)
    };
    let said = booted(&mut checked()?)?;
    assert!(said["ready"] == true && said["kernel"]["initramfs"].is_null(), "{said}");
    assert!(said["kernel"]["commandLine"].as_str().is_some_and(|words| words.contains("dm-mod.create=")), "{said}");
    // The first byte belongs to nobody, so nothing but a hash tells that it has changed.
    File::options().write(true).open(guest.file())?.write_all_at(b"x", 0)?;
    let refused = command::output(&mut checked()?)?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(console(&refused).contains("(verity-mismatch)"), "{}", console(&refused));
    Ok(())
}

#[test]
fn it_has_drivers_for_what_vmms_attach() -> Result<()> {
    let (Some(own), Some(guest)) = (built(), Guest::scratch()?) else { return Ok(()) };
    let mut run = Command::new(nex::program());
    run.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TMPDIR", guest.path("tmp"));
    run.args(["run", "--accel", "emulation", "--rootfs"]).arg(guest.file()).arg("--kernel").arg(own.join("vmlinux"));
    let script = "cd /sys/bus/virtio/drivers; echo *; ls /dev/vsock; cat /proc/filesystems; ls /proc/net/pnp";
    let listed = command::output(run.arg(&guest.parts.busybox).args(["--", "sh", "-c", script]))?;
    let shown = said(&listed.stdout);
    assert!(listed.status.success(), "{shown}{}", console(&listed));
    for name in [
        "virtio_blk",
        "virtio_net",
        "virtio_console",
        "virtio_rng",
        "vmw_vsock_virtio_transport",
        "/dev/vsock",
        "ext4",
        "overlay",
        "erofs",
        "/proc/net/pnp",
    ] {
        assert!(shown.contains(name), "{name}: {shown}");
    }
    Ok(())
}
