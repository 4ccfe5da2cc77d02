//! umoci: the reference for what a stack of layers means, and a maker of real images.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::command;
use crate::host_tree;
use crate::manifest::Manifest;

/// A directory with the root file system that umoci unpacked; deleted when dropped.
pub struct Unpacked {
    directory: tempfile::TempDir,
}

impl Unpacked {
    /// The unpacked root directory.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("bundle/rootfs")
    }
}

/// Unpacks an image of a layout, with owners and devices, so as root only. umoci 0.4 knows gzip and plain layers.
///
/// # Errors
/// When umoci fails.
pub fn unpack(layout: &Path, tag: &str) -> Result<Unpacked> {
    let directory = tempfile::tempdir()?;
    let image = format!("{}:{tag}", layout.display());
    command::run(Command::new("umoci").args(["unpack", "--image", &image]).arg(directory.path().join("bundle")))?;
    Ok(Unpacked { directory })
}

/// The tree that umoci makes of an image.
///
/// # Errors
/// When umoci fails, or its result cannot be read.
pub fn tree(layout: &Path, tag: &str) -> Result<Manifest> {
    host_tree::read(&unpack(layout, tag)?.path())
}

/// Makes a layout that holds one image of one gzip layer: this tar file.
///
/// # Errors
/// When umoci fails.
pub fn import(tar: &Path, layout: &Path, tag: &str) -> Result<()> {
    let image = format!("{}:{tag}", layout.display());
    command::run(Command::new("umoci").args(["init", "--layout"]).arg(layout))?;
    command::run(Command::new("umoci").args(["new", "--image", &image]))?;
    command::run(Command::new("umoci").args(["raw", "add-layer", "--image", &image]).arg(tar))?;
    Ok(())
}

/// Adds a layer with what a shell script changes in the root file system of an image; it runs in that directory, which is
/// its first argument.
///
/// # Errors
/// When umoci or the script fails.
pub fn add_layer(layout: &Path, tag: &str, script: &str) -> Result<()> {
    let unpacked = unpack(layout, tag)?;
    command::run(
        Command::new("sh").args(["-e", "-c", script, "sh"]).arg(unpacked.path()).current_dir(unpacked.path()),
    )?;
    let image = format!("{}:{tag}", layout.display());
    command::run(
        Command::new("umoci").args(["repack", "--image", &image]).arg(unpacked.directory.path().join("bundle")),
    )?;
    Ok(())
}
