//! Kernels in each of their forms, with modules and without.

use std::fs;
use std::process::Command;

use nex_kernel::{Kernel, MAX_KERNEL};
use nex_testkit::nex::boot::{Place, console, report};
use nex_testkit::{Result, command, nex};

#[test]
fn a_vmlinux_that_has_its_drivers_built_in_needs_no_initramfs() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    // Debian's kernels have the drivers of NVMe and ext4 built in. Away from its modules, it shows how a kernel does that has
    // all built in.
    let kernel = Kernel::read(&place.parts.kernel, MAX_KERNEL)?;
    fs::write(place.path("vmlinux"), kernel.unpacked()?)?;
    let mut boot = place.boot_with(&place.path("vmlinux"))?;
    let found = report(boot.args(["--quiet", "--accel", "emulation", "--bus", "nvme"]))?;
    assert!(found["kernel"]["initramfs"].is_null(), "{found}");
    assert_eq!(found["agent"]["role"], "init");
    Ok(())
}

#[test]
fn modules_are_found_where_they_are_installed_and_taken_compressed() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let release = Kernel::read(&place.parts.kernel, MAX_KERNEL)?.release()?.unwrap_or_default();
    // As a package has it: the kernel in boot, its modules beside that.
    let modules = place.path("root/lib/modules").join(&release);
    fs::create_dir_all(modules.join("kernel/drivers"))?;
    fs::create_dir_all(place.path("root/boot"))?;
    let kernel = place.path("root/boot/vmlinuz");
    fs::copy(&place.parts.kernel, &kernel)?;
    for name in ["drivers/virtio", "drivers/block"] {
        command::run(
            Command::new("cp").arg("-r").arg(place.parts.modules.join(name)).arg(modules.join("kernel/drivers")),
        )?;
    }
    for program in ["xz", "zstd"] {
        let name = if program == "xz" { "virtio/virtio.ko" } else { "block/virtio_blk.ko" };
        let mut compress = Command::new(program);
        if program == "xz" {
            compress.args(["--check=crc32", "--lzma2=dict=1MiB"]);
        } else {
            compress.args(["-q", "--rm"]);
        }
        command::run(compress.arg(modules.join("kernel/drivers").join(name)))?;
    }
    let found = report(place.boot_with(&kernel)?.args(["--quiet", "--accel", "emulation"]))?;
    assert_eq!(found["ready"], true);

    // Another kernel's are not taken.
    let mut other = place.boot_with(&kernel)?;
    other.arg("--modules").arg(&modules);
    fs::write(place.path("other"), fs::read(&kernel)?)?;
    let mut bytes = fs::read(&kernel)?;
    let at = bytes.windows(release.len()).position(|window| window == release.as_bytes()).unwrap_or_default();
    bytes[at] = b'9';
    fs::write(&kernel, bytes)?;
    nex::failed(&command::output(&mut other)?, &["the modules in ", &format!("of the kernel {release}")])
}

#[test]
fn modules_that_are_nowhere_are_warned_of_before_the_boot() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let release = Kernel::read(&place.parts.kernel, MAX_KERNEL)?.release()?.unwrap_or_default();
    let kernel = place.path("vmlinuz");
    fs::copy(&place.parts.kernel, &kernel)?;
    let ended = command::output(place.boot_with(&kernel)?.args(["--quiet", "--accel", "emulation"]))?;
    let said = console(&ended);
    let (warning, cause) = (said.find("warning: the kernel '"), said.find("cause  "));
    assert!(warning.is_some() && warning < cause && ended.status.code() == Some(1), "{said}");
    for words in ["virtio_blk built in", &*format!("'/lib/modules/{release}'"), "--modules", "(no-root-device)"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Debian's kernels have these built in, and nobody says otherwise.
    assert!(!said.contains("ext4 built in") && !said.contains("ext4, "), "{said}");
    Ok(())
}
