//! Alpine and Debian, through every judge.

use std::fs;
use std::path::Path;
use std::process::Command;

use nex_testkit::debian::{Debian, TAG};
use nex_testkit::layout::Image;
use nex_testkit::{Failure, Result, backup, command, corpus, fsck, image_tree, kernel, manifest, places, umoci};

use crate::nex::{self, build, tree_is};

/// The bar for peak memory, whatever the image.
const PEAK: u64 = 100 << 20;

fn alpine_equals_umoci(machine: &str, architecture: &'static str) -> Result<()> {
    let Some(layer) = corpus::alpine(machine)? else { return Ok(()) };
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    Image { layers: vec![layer], architecture, ..Image::of(&[])? }.write(&layout, TAG)?;
    let output = directory.path().join("out.ext4");
    let platform = format!("linux/{architecture}");
    let agent = match architecture {
        "arm64" => nex::agent_for_aarch64(directory.path())?,
        _ => nex::agent()?.to_owned(),
    };
    let mut command = nex::rootfs_with(&agent, &format!("oci:{}", layout.display()), &output);
    command::run(command.args(["--platform", &platform]))?;
    fsck::judge(&output)?;
    if !places::is_root() {
        eprintln!("LEFT OUT: umoci and the loop mount are root's");
        return Ok(());
    }
    tree_is(&output, &umoci::tree(&layout, TAG)?)?;
    manifest::equal(&image_tree::read(&output)?, &kernel::read_tree(&output)?)?;
    kernel::writes(&output)
}

#[test]
fn alpine_for_x86_64_equals_umoci() -> Result<()> {
    alpine_equals_umoci("x86_64", "amd64")
}

#[test]
fn alpine_for_aarch64_equals_umoci() -> Result<()> {
    alpine_equals_umoci("aarch64", "arm64")
}

#[test]
#[ignore = "slow: makes a Debian image with mmdebstrap, once"]
fn minimal_debian_equals_umoci_as_gzip_and_zstd() -> Result<()> {
    debian_equals_umoci(Debian::Minimal)
}

#[test]
#[ignore = "slow: makes a large Debian image with mmdebstrap, once"]
fn large_debian_equals_umoci_as_gzip_and_zstd() -> Result<()> {
    debian_equals_umoci(Debian::Large)
}

fn debian_equals_umoci(debian: Debian) -> Result<()> {
    let gzip = debian.gzip_layout()?;
    let expected = umoci::tree(&gzip, TAG)?;
    let directory = nex::directory()?;
    for layout in [gzip, debian.zstd_layout()?] {
        let output = directory.path().join("out.ext4");
        build(&format!("oci:{}", layout.display()), &output)?;
        fsck::judge(&output)?;
        tree_is(&output, &expected)?;
        let tree = image_tree::read(&output)?;
        manifest::equal(&tree, &kernel::read_tree(&output)?)?;
        kernel::writes(&output)?;
        backup::restores(&output, 1, 33, &tree)?;
    }
    Ok(())
}

#[test]
#[ignore = "slow: makes a large Debian image with mmdebstrap, once"]
fn a_large_image_takes_less_than_100_mib_of_memory() -> Result<()> {
    let directory = nex::directory()?;
    for layout in [Debian::Large.gzip_layout()?, Debian::Large.zstd_layout()?] {
        let peak = peak_memory(&format!("oci:{}", layout.display()), directory.path())?;
        assert!(peak < PEAK, "{} takes {} MiB", layout.display(), peak >> 20);
    }
    Ok(())
}

/// The largest resident set of a build, in bytes.
fn peak_memory(image: &str, directory: &Path) -> Result<u64> {
    let report = directory.join("peak");
    let build = nex::rootfs(image, &directory.join("out.ext4"))?;
    let mut time = Command::new("/usr/bin/time");
    time.args(["--format", "%M", "--output"]).arg(&report).arg(build.get_program()).args(build.get_args());
    command::run(time.args(["--size", "auto"]))?;
    let kibibytes: u64 =
        fs::read_to_string(&report)?.trim().parse().map_err(|_| Failure::new("time wrote no number"))?;
    Ok(kibibytes * 1024)
}
