//! The same image in every form gives the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nex_testkit::nex::{self, build, tree_is};
use nex_testkit::registry::{Protection, Registry};
use nex_testkit::{Result, command, fsck, places, skopeo, umoci};

use crate::layers::five_layers;

/// Where an image of five layers lies, as a layout.
fn layout(directory: &Path) -> Result<PathBuf> {
    let layout = directory.join("layout");
    five_layers()?.write(&layout, "image")?;
    Ok(layout)
}

#[test]
fn registry_layout_and_archives_give_the_same_bytes() -> Result<()> {
    let directory = nex::directory()?;
    let place = |name: &str| directory.path().join(name).display().to_string();
    let source = format!("oci:{}:image", layout(directory.path())?.display());
    let registry = Registry::start(Protection::Open)?;
    let pushed = skopeo::push(&source, &registry, "team/image:one")?;
    let archives = [
        format!("oci-archive:{}:image", place("oci.tar")),
        format!("docker-archive:{}:team/image:one", place("docker.tar")),
    ];
    for archive in &archives {
        skopeo::copy(&source, archive)?;
    }

    let first = directory.path().join("first.ext4");
    build(&source, &first)?;
    let first = fs::read(first)?;
    let other = directory.path().join("other.ext4");
    for image in archives.iter().chain([&format!("docker://{pushed}"), &pushed]) {
        command::run(nex::rootfs(image, &other)?.args(["--size", "auto", "--plain-http"]))?;
        assert!(fs::read(&other)? == first, "{image} gives another file than {source}");
    }
    Ok(())
}

#[test]
fn an_image_without_its_tag_is_found_when_it_is_the_only_one() -> Result<()> {
    let directory = nex::directory()?;
    let source = layout(directory.path())?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}", source.display()), &output)?;
    fsck::check(&output)
}

#[test]
fn a_tar_a_pipe_and_a_directory_are_images_too() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: making the directory wants root");
        return Ok(());
    }
    let directory = nex::directory()?;
    let source = layout(directory.path())?;
    let unpacked = umoci::unpack(&source, "image")?;
    let expected = nex_testkit::host_tree::read(&unpacked.path())?;
    let tar = directory.path().join("root.tar");
    let mut pack = Command::new("tar");
    pack.args(["--xattrs", "--xattrs-include=*", "--format=posix", "--numeric-owner", "-C"]).arg(unpacked.path());
    command::run(pack.arg("-cf").arg(&tar).arg("."))?;

    let output = directory.path().join("out.ext4");
    build(&format!("tar:{}", tar.display()), &output)?;
    fsck::judge(&output)?;
    tree_is(&output, &expected)?;

    let piped = directory.path().join("piped.ext4");
    command::run(nex::rootfs("tar:-", &piped)?.args(["--size", "auto"]).stdin(Stdio::from(fs::File::open(&tar)?)))?;
    assert!(fs::read(&piped)? == fs::read(&output)?, "the same tar through a pipe gives another file");

    build(&format!("rootfs:{}", unpacked.path().display()), &output)?;
    fsck::judge(&output)?;
    tree_is(&output, &expected)
}
