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
