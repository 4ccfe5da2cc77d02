//! Guests for which nobody has named a kernel.

use std::fs;
use std::process::Command;

use nex_testkit::made_kernel::FIT;
use nex_testkit::nex::boot::{Place as Guest, console};
use nex_testkit::{Result, command, nex};

use crate::place::{Place, said};

/// The command about this guest's root, with kernels that are installed in its directory.
fn without_kernel(guest: &Guest, words: &[&str]) -> Result<Command> {
    let mut nex = Command::new(nex::program());
    nex.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    nex.env("TMPDIR", guest.path("tmp")).env("XDG_CACHE_HOME", guest.path("cache"));
    nex.env("XDG_DATA_HOME", guest.path("data")).args(words).arg(guest.file());
    nex.args(["--accel", "emulation", "--agent"]).arg(nex::agent()?);
    Ok(nex)
}

#[test]
fn a_guest_gets_the_newest_installed_kernel_and_its_user_is_told_which() -> Result<()> {
    let Some(guest) = Guest::scratch()? else { return Ok(()) };
    // Debian's has its drivers in modules, which are found beside installed kernels, too.
    let store = guest.path("data/nex/kernels");
    let mut check = Command::new(nex::program());
    check.env_clear().args(["kernel", "check", "--format", "json"]).arg(&guest.parts.kernel);
    let report: serde_json::Value = serde_json::from_slice(&command::output(&mut check)?.stdout)?;
    let release = report["release"].as_str().unwrap_or_default().to_owned();
    fs::create_dir_all(store.join("lib/modules"))?;
    std::os::unix::fs::symlink(&guest.parts.modules, store.join("lib/modules").join(&release))?;
    fs::write(guest.path("config"), FIT.replace("VIRTIO_BLK=y", "VIRTIO_BLK=m") + "CONFIG_BLK_DEV_INITRD=y\n")?;
    let mut add = Command::new(nex::program());
    add.env_clear().env("XDG_DATA_HOME", guest.path("data")).args(["kernel", "add", "--kernel-config"]);
    command::run(add.arg(guest.path("config")).arg(&guest.parts.kernel))?;

    let booted = command::output(without_kernel(&guest, &["rootfs", "boot"])?.arg("--quiet"))?;
    let kernel = store.join(format!("bzImage-{release}-x86_64")).display().to_string();
    let shown = console(&booted);
    assert!(booted.status.success() && said(&booted.stdout).contains(&kernel), "{shown}");
    assert_eq!(shown, "", "quiet is quiet, and the report names the kernel");

    let run = command::output(&mut without_kernel(&guest, &["run", "--rootfs"])?)?;
    assert_eq!(console(&run).matches(&format!("run: kernel {kernel} (")).count(), 1, "{}", console(&run));
    Ok(())
}

/// There is no kernel for arm64 in the directory of a machine of another kind, nor among those that are installed here.
#[test]
fn where_there_is_none_the_way_to_one_is_told() -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("LEFT OUT: a root filesystem of another kind of machine: this one is not x86_64");
        return Ok(());
    }
    let place = Place::new()?;
    let (agent, image) = (nex::agent_for_aarch64(&place.path(""))?, place.path("arm64.ext4"));
    command::run(nex::rootfs_with(&agent, "scratch", &image).args(["--platform", "arm64", "--size", "auto"]))?;
    for (words, code) in [(&["rootfs", "boot"][..], 1), (&["run", "--rootfs"], 125)] {
        let mut nex = Command::new(nex::program());
        nex.env_clear().env("XDG_DATA_HOME", place.path("data")).args(words).arg(&image);
        let result = command::output(&mut nex)?;
        let told = console(&result);
        assert_eq!(result.status.code(), Some(code), "{told}");
        for way in
            ["nex kernel build", "apt-get install linux-image-cloud-arm64", "--kernel", "data/nex/kernels' or '/boot'"]
        {
            assert!(told.contains(way), "{told}");
        }
    }
    Ok(())
}
