//! Without `--image`, nex asks a registry for a third party's image. Where that fails, the error says what else there is.

use std::fs;
use std::path::Path;
use std::process::Command;

use nex_testkit::fault_registry::FaultRegistry;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex;
use nex_testkit::registry::{Protection, Registry};
use nex_testkit::{Result, command};

use crate::reference::write_archive;

/// What the error says whatever has happened.
const CHOICES: [&str; 4] = ["a third party's image", "--image nex:default", "tar:FILE", "--image scratch"];

/// `nex rootfs` in a directory, with what stands for Docker Hub at an address of this machine.
fn build(directory: &Path, hub: &str, arguments: &[&str]) -> Result<Command> {
    let settings = format!("[[registry]]\nprefix = \"docker.io\"\nlocation = \"{hub}\"\ninsecure = true\n");
    fs::write(directory.join("registries.conf"), settings)?;
    let mut nex = Command::new(nex::program());
    nex.env_clear().env("CONTAINERS_REGISTRIES_CONF", directory.join("registries.conf"));
    nex.env("NEX_IMAGES", directory.join("images"));
    nex.args(["rootfs", "--quiet", "--agent"]).arg(nex::agent()?).arg("-o").arg(directory.join("out.ext4"));
    nex.args(["--registry-timeout", "10s"]).args(arguments);
    Ok(nex)
}

fn said(command: &mut Command) -> Result<String> {
    let result = command::output(command)?;
    assert_eq!(result.status.code(), Some(1));
    Ok(String::from_utf8_lossy(&result.stderr).into_owned())
}

#[test]
fn whatever_keeps_the_usual_image_away_the_choices_are_named() -> Result<()> {
    let place = nex::directory()?;
    let layout = place.path().join("layout");
    Image::of(&[vec![Entry::file("file", "content")]])?.write(&layout, "image")?;
    // Where nobody answers, nex asks several times, which takes a while.
    let gone = Registry::start(Protection::Open)?.address().to_string();
    let missing = Registry::start(Protection::Open)?;
    let missing_there = missing.address().to_string();
    let denying = FaultRegistry::start(&layout, |_, _, reply| reply.refuse("403 Forbidden", &[]))?;
    let names = |hub: &str, arguments: &[&str], way: &str| -> Result<()> {
        let said = said(&mut build(place.path(), hub, arguments)?)?;
        for word in CHOICES.iter().chain([&way]) {
            assert!(said.contains(word), "{hub} {arguments:?}: {word:?}: {said}");
        }
        Ok(())
    };
    for hub in [&gone, &missing_there, &denying.address().to_string()] {
        names(hub, &[], "make default-image")?;
    }
    write_archive(&place.path().join("images/default.oci.tar"), "x")?;
    names(&missing_there, &[], "which is installed here")?;
    names(&missing_there, &["--offline"], "which is installed here")
}

#[test]
fn another_image_has_no_such_choices() -> Result<()> {
    let place = nex::directory()?;
    let missing = Registry::start(Protection::Open)?;
    for image in ["alpine:3.20", "synadia/nex-rootfs:other"] {
        let said = said(&mut build(place.path(), &missing.address().to_string(), &["--image", image])?)?;
        assert!(!said.contains("third party"), "{said}");
    }
    Ok(())
}
