//! Alpine and Debian, through every judge.

use std::fs;
use std::path::Path;
use std::process::Command;

use nex_testkit::debian::{Debian, TAG};
use nex_testkit::kernel::{Access, Mount};
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, build, tree_is};
use nex_testkit::{Failure, Result, backup, command, corpus, fsck, image_tree, kernel, manifest, places, umoci};

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
#[ignore = "slow: makes a Debian image with mmdebstrap, once"]
fn another_release_equals_umoci() -> Result<()> {
    let layout = Debian::Next.gzip_layout()?;
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}", layout.display()), &output)?;
    fsck::judge(&output)?;
    tree_is(&output, &umoci::tree(&layout, TAG)?)?;
    runs_a_shell(&output)
}

/// What administrators do to images, each a layer: packages go and come, owners change, files and directories are replaced.
const OPERATIONS: [&str; 5] = [
    // Packages are purged: many names are hidden, directories with them.
    "chroot . dpkg --purge --force-all nano less >/dev/null",
    // An upgrade: each program becomes a new file of the same name, and what was linked is no longer.
    "for file in usr/bin/[a-m]*; do [ -L $file ] || { cp -a $file usr/bin/.new; mv usr/bin/.new $file; }; done",
    // Nothing but owners changes, yet the layer brings every file again.
    "chown -R 1000:1000 usr/share/doc; chown root:root usr/share/doc",
    // A directory goes and comes back, another becomes a link, and a link becomes a directory.
    "rm -r usr/share/man; mkdir -p usr/share/man/man1; echo .TH > usr/share/man/man1/new.1; mv var/mail var/old-mail; \
     ln -s old-mail var/mail; rm var/run; mkdir var/run; echo pid > var/run/pid",
    // What is hidden comes back through an entry behind a link (`lib -> usr/lib`), and links cross layers.
    "mkdir -p opt/app; ln bin/true opt/app/true; ln opt/app/true lib/true; rm -r usr/share/doc/dpkg; touch bin/new",
];

#[test]
#[ignore = "slow: makes a Debian image with mmdebstrap, once"]
fn packages_in_layers_equal_umoci_and_keep_capabilities_and_access_lists() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: umoci and the loop mount are root's");
        return Ok(());
    }
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    command::run(Command::new("cp").arg("-a").arg(Debian::Services.gzip_layout()?).arg(&layout))?;
    OPERATIONS.iter().try_for_each(|script| umoci::add_layer(&layout, TAG, script))?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}", layout.display()), &output)?;
    fsck::judge(&output)?;
    tree_is(&output, &umoci::tree(&layout, TAG)?)?;
    runs_a_shell(&output)?;
    let mount = Mount::new(&output, Access::ReadOnly)?;
    assert!(mount.run("getfattr --name=security.capability usr/bin/ping")?.contains("security.capability="));
    assert!(mount.run("getfacl --numeric var/log/journal")?.contains("default:group:4:r-x"));
    mount.unmount()
}

/// The image's `/bin/sh` can be found and runs.
fn runs_a_shell(image: &Path) -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let mount = Mount::new(image, Access::ReadOnly)?;
    assert_eq!(mount.run("chroot . /bin/sh -c 'echo $0'")?, "/bin/sh\n");
    mount.unmount()
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
