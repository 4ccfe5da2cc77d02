//! Debian's own packages, installed by a script: by root, by a user, and in a plain chroot.

use std::fs;
use std::path::Path;
use std::process::Command;

use nex_testkit::debian::Debian;
use nex_testkit::manifest::Manifest;
use nex_testkit::nex::script::{EPOCH, World, as_user};
use nex_testkit::nex::{rootfs, same_but_for_guest};
use nex_testkit::{Result, command, fsck, host_tree, image_tree, places};

/// What the documentation's setup script does, with Debian's tools. The hash is that of "root", so that no salt is new.
const SCRIPT: &str = r#"#!/bin/sh -e
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends openrc util-linux less cron libcap2-bin iputils-ping
echo 'root:$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/' | chpasswd -e
adduser --system --uid 999 --group --home /srv/x x
rc-update add cron boot
"#;

/// Where the result may differ from that of a chroot: what is left out or belongs to the run.
const DIFFERS: [&str; 14] = [
    "dev/",
    "etc/hosts",
    "etc/machine-id",
    "etc/resolv.conf",
    "etc/shadow",
    "etc/shadow-",
    "proc/",
    "run/",
    "sys/",
    "tmp/",
    "var/cache/",
    "var/lib/apt/lists/",
    "var/lib/dpkg/",
    "var/log/",
];

#[test]
#[ignore = "slow: installs packages three times"]
fn packages_are_installed_alike_by_root_by_a_user_and_in_a_chroot() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: only root can make Debian's image, and become another user");
        return Ok(());
    }
    let world = World::new()?;
    let script = world.write("setup.sh", SCRIPT)?;
    let tar = world.path("debian.tar");
    fs::copy(Debian::Minimal.tar()?, &tar)?;
    let build = |output: &str| -> Result<Command> {
        let mut build = rootfs(&format!("tar:{}", tar.display()), &world.path(output))?;
        build.env("SOURCE_DATE_EPOCH", EPOCH.to_string()).args(["--size", "auto", "--script"]).arg(&script);
        build.arg("--work-dir").arg(world.path(&format!("work-{output}")));
        Ok(build)
    };
    command::run(&mut build("root")?)?;
    fsck::judge(&world.path("root"))?;
    world.is_clean("work-root")?;
    if let Some(mut user) = as_user(&build("user")?, &world, Some("700000:65536"))? {
        command::run(&mut user)?;
        world.is_clean("work-user")?;
        assert!(
            fs::read(world.path("root"))? == fs::read(world.path("user"))?,
            "root and a user make different images"
        );
    }
    let expected = normal(in_chroot(&world, &tar, &script)?);
    same_but_for_guest(&expected, &normal(image_tree::read(&world.path("root"))?))
}

/// The same in a chroot, with what a chroot needs mounted in it.
fn in_chroot(world: &World, tar: &Path, script: &Path) -> Result<Manifest> {
    let root = world.path("chroot");
    fs::create_dir(&root)?;
    let mut unpack = Command::new("tar");
    command::run(
        unpack.args(["-x", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C"]).arg(&root).arg("-f").arg(tar),
    )?;
    fs::copy("/etc/resolv.conf", root.join("etc/resolv.conf"))?;
    fs::copy(script, root.join("setup.sh"))?;
    let mut chroot = Command::new("unshare");
    let commands = "mount -t proc proc \"$0/proc\" && mount --bind /dev \"$0/dev\" && \
                    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SOURCE_DATE_EPOCH=$1 chroot \"$0\" sh -e /setup.sh";
    chroot.args(["--mount", "--pid", "--fork", "--uts", "sh", "-c", commands]).arg(&root).arg(EPOCH.to_string());
    command::run(&mut chroot)?;
    fs::remove_file(root.join("setup.sh"))?;
    host_tree::read(&root)
}

/// Without the places that differ, and with one time for everything that came later than that.
fn normal(tree: Manifest) -> Manifest {
    let differs = |path: &[u8]| {
        DIFFERS.iter().any(|name| path.starts_with(name.as_bytes()) || path == name.trim_end_matches('/').as_bytes())
    };
    let mut tree: Manifest = tree.into_iter().filter(|(path, _)| !differs(path)).collect();
    for entry in tree.values_mut() {
        entry.modified = entry.modified.min((EPOCH, 0));
    }
    tree
}
