//! The kernel of a guest grows what `nex rootfs` makes, with each option that changes the file system's parts.

use std::fs;
use std::process::Command;

use nex_testkit::online_growth::{self, Fill, Growth};
use nex_testkit::unclean_stop::{self, Moment};
use nex_testkit::{Result, command, corpus, fsck, image_tree, kernel, manifest, nex};

const MIB: u64 = 1 << 20;

/// An image, options of `nex rootfs`, sizes in MiB to which the kernel grows it, and how much of it is used then.
type Case<'a> = (&'a str, &'a [&'a str], &'a [u64], Fill);

/// Makes these images and lets one guest grow them.
fn grows(cases: &[Case<'_>]) -> Result<()> {
    let directory = nex::directory()?;
    let mut growths = Vec::new();
    for (number, (image, options, sizes, fill)) in cases.iter().enumerate() {
        let output = directory.path().join(format!("{number}.ext4"));
        command::run(nex::rootfs(image, &output)?.args(*options))?;
        growths.push(Growth { image: output, sizes: sizes.iter().map(|size| size * MIB).collect(), fill: *fill });
    }
    online_growth::judge(&growths)
}

#[test]
#[ignore = "slow: a guest grows images"]
fn the_kernel_grows_what_every_option_makes() -> Result<()> {
    grows(&[
        ("scratch", &[], &[300, 2400], Fill::Blocks),
        ("scratch", &["--size", "64MiB", "--max-size", "64MiB"], &[128, 20_480], Fill::Files),
        ("scratch", &["--size", "100MiB", "--no-journal"], &[1600], Fill::Blocks),
        ("scratch", &["--inodes", "40000", "--journal-size", "8MiB", "--reserved", "5%"], &[600], Fill::Files),
        ("scratch", &["--size", "auto", "--free", "0"], &[100, 1000], Fill::Files),
    ])
}

#[test]
#[ignore = "slow: a guest grows images"]
fn the_kernel_grows_alpine() -> Result<()> {
    let Some(tar) = corpus::alpine("x86_64")? else { return Ok(()) };
    let directory = nex::directory()?;
    let file = directory.path().join("alpine.tar");
    fs::write(&file, tar)?;
    grows(&[(&format!("tar:{}", file.display()), &[], &[300, 2400], Fill::Files)])
}

#[test]
#[ignore = "slow: a guest grows images"]
fn the_kernel_uses_and_grows_what_was_changed_in_place() -> Result<()> {
    let directory = nex::directory()?;
    // Behind the segments that its header names, a program may have anything.
    let agent = directory.path().join("agent");
    let mut program = fs::read(nex::agent()?)?;
    program.extend_from_slice(&b"another agent".repeat(100_000));
    fs::write(&agent, program)?;
    let mut growths = Vec::new();
    for (name, options) in [("journal", &["--size", "100MiB"][..]), ("none", &["--size", "100MiB", "--no-journal"])] {
        let image = directory.path().join(name);
        command::run(nex::rootfs("scratch", &image)?.args(options))?;
        command::run(Command::new(nex::program()).env_clear().args(["rootfs", "set-agent"]).arg(&image).arg(&agent))?;
        command::run(Command::new(nex::program()).env_clear().args(["rootfs", "grow"]).arg(&image).arg("300MiB"))?;
        fsck::judge(&image)?;
        if kernel::is_available() {
            manifest::equal(&image_tree::read(&image)?, &kernel::read_tree(&image)?)?;
            kernel::writes(&image)?;
        }
        growths.push(Growth { image, sizes: vec![400 * MIB, 1600 * MIB], fill: Fill::Blocks });
    }
    if kernel::is_available() {
        // A copy, with which the journal goes on where the two commands left it.
        let copy = fsck::sparse_copy(&growths[0].image)?;
        unclean_stop::judge(&unclean_stop::stop(&copy, Moment::InTheMiddle)?)?;
    }
    online_growth::judge(&growths)
}
