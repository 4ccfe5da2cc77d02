//! `nex:NAME`: what it names, and what is said where it names nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, fails};
use nex_testkit::{Result, command};
use tempfile::TempDir;

/// Directories with images, and another for outputs.
struct World(TempDir);

impl World {
    fn new() -> Result<Self> {
        let world = Self(nex::directory()?);
        fs::create_dir(world.path("out"))?;
        Ok(world)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Installs an image in one of the directories.
    fn install(&self, directory: &str, name: &str, content: &str) -> Result<PathBuf> {
        let archive = self.path(directory).join(format!("{name}.oci.tar"));
        write_archive(&archive, content)?;
        Ok(archive)
    }

    fn build(&self, image: &str, output: &str) -> Result<Command> {
        nex::rootfs(image, &self.path("out").join(output))
    }
}

/// Writes an OCI archive of an image with one file.
pub fn write_archive(archive: &Path, content: &str) -> Result<()> {
    let layout = tempfile::tempdir()?;
    let layout = layout.path().join("layout");
    Image::of(&[vec![Entry::directory("etc"), Entry::file("etc/content", content)]])?.write(&layout, "image")?;
    archive.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--file"]).arg(archive).arg("--directory").arg(&layout);
    command::run(tar.args(["oci-layout", "index.json", "blobs"])).map(drop)
}

#[test]
fn an_installed_image_is_the_archive_of_its_name() -> Result<()> {
    let world = World::new()?;
    let archive = world.install("images", "default", "one")?;
    world.install("data/nex/images", "default", "of the user")?;
    let report = command::run(
        world.build("nex:default", "one.ext4")?.args(["--format", "json"]).env("NEX_IMAGES", world.path("images")),
    )?;
    let report: serde_json::Value = serde_json::from_slice(&report)?;
    assert_eq!(report["image"]["reference"], "nex:default");
    assert!(report["notes"].to_string().contains(&*archive.to_string_lossy()), "{report}");
    command::run(&mut world.build(&format!("oci-archive:{}", archive.display()), "two.ext4")?)?;
    let read = |name: &str| fs::read(world.path("out").join(name));
    assert!(read("one.ext4")? == read("two.ext4")?, "it differs from its archive");

    // The user's, where no variable names a directory. And the same again.
    for name in ["three.ext4", "four.ext4"] {
        command::run(world.build("nex:default", name)?.env("XDG_DATA_HOME", world.path("data")))?;
    }
    assert!(read("three.ext4")? == read("four.ext4")? && read("one.ext4")? != read("three.ext4")?);
    Ok(())
}

#[test]
fn a_name_that_is_not_there_is_refused_with_those_that_are() -> Result<()> {
    let world = World::new()?;
    let images = world.path("images");
    let refused = |image: &str, words: &[&str]| -> Result<()> {
        fails(world.build(image, "x.ext4")?.env("NEX_IMAGES", &images), &world.path("out"), words)
    };
    let place = images.display().to_string();
    refused("nex:default", &[&place, "no image is installed", "make default-image", "--image"])?;
    world.install("images", "alpine-3.20", "x")?;
    world.install("images", "mine", "x")?;
    refused("nex:other", &["nex:other", &place, "installed images: alpine-3.20, mine", "docker://nex:other"])?;

    let json = world.build("nex:other", "x.ext4")?.args(["--format", "json"]).env("NEX_IMAGES", &images).output()?;
    let object: serde_json::Value = serde_json::from_slice(&json.stdout)?;
    assert_eq!(object["error"]["code"], "image-not-installed");

    for image in ["nex:", "nex:../mine", "nex:Mine", "nex:mine@sha256:00"] {
        let result = command::output(world.build(image, "x.ext4")?.env("NEX_IMAGES", &images))?;
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert!(result.status.code() == Some(2) && said.contains("no name of an installed image"), "{image}: {said}");
    }
    // A file of the right name that is no archive is refused.
    fs::write(images.join("bad.oci.tar"), "no archive")?;
    refused("nex:bad", &["bad.oci.tar"])
}
