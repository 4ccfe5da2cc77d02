//! Inputs that fuzzing found a fault with once (`fuzz/findings`, see docs/fuzzing.md), given to the command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nex_testkit::failure::Context;
use nex_testkit::layout::{Compression, Image};
use nex_testkit::nex::{self, names, rootfs};
use nex_testkit::{Failure, Result, command, fsck, packed, places};

/// A build that takes longer hangs.
const SECONDS: &str = "60";

/// The inputs kept for a target; none where nothing was ever found.
fn findings(target: &str) -> Result<Vec<PathBuf>> {
    let directory = places::workspace().join("fuzz/findings").join(target);
    if !directory.exists() {
        return Ok(Vec::new());
    }
    Ok(names(&directory)?.into_iter().map(|name| directory.join(name)).collect())
}

/// The build ends: well, with an output that e2fsck takes, or with a message and nothing left behind.
fn ends_well(finding: &Path, image: &str) -> Result<()> {
    let directory = nex::directory()?;
    let build = rootfs(image, &directory.path().join("out.ext4"))?;
    let mut limited = Command::new("timeout");
    limited.args([SECONDS, "env", "-i"]).arg(build.get_program()).args(build.get_args());
    let result = command::output(limited.args(["--size", "auto"]))?;
    judge(directory.path(), &result).context(finding.display())
}

fn judge(directory: &Path, result: &Output) -> Result<()> {
    if result.status.success() {
        return fsck::check(&directory.join("out.ext4"));
    }
    nex::failed(result, &[])?;
    let left = names(directory)?;
    if left.is_empty() { Ok(()) } else { Err(Failure::new(format!("left behind: {left:?}"))) }
}

#[test]
fn layers() -> Result<()> {
    for finding in findings("layers")? {
        let directory = nex::directory()?;
        let layers = packed::layers(&fs::read(&finding)?);
        let image = Image { layers, ..Image::of(&[])?.compressed(Compression::None) };
        image.write(&directory.path().join("layout"), "image")?;
        ends_well(&finding, &format!("oci:{}:image", directory.path().join("layout").display()))?;
    }
    Ok(())
}

#[test]
fn documents() -> Result<()> {
    for finding in findings("documents")? {
        let directory = nex::directory()?;
        packed::write_documents(&fs::read(&finding)?, directory.path())?;
        ends_well(&finding, &format!("oci:{}", directory.path().display()))?;
    }
    Ok(())
}

#[test]
fn archives_and_blobs() -> Result<()> {
    for (target, form) in [("archive", "docker-archive"), ("archive", "oci-archive"), ("blob", "tar")] {
        for finding in findings(target)? {
            ends_well(&finding, &format!("{form}:{}", finding.display()))?;
        }
    }
    Ok(())
}
