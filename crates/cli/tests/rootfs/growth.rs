//! The kernel of a guest grows what `nex rootfs` makes, with each option that changes the file system's parts.

use std::fs;

use nex_testkit::online_growth::{self, Fill, Growth};
use nex_testkit::{Result, command, corpus};

use crate::nex;

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
