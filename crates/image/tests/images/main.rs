//! Images that need no registry: in every form, by every writer, and damaged.

mod accepted;
mod sources;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use nex_fault::{Fault, advised};
use nex_image::{Error, Image, ImageDirectories, Limits, NoProgress, Options, Reference, open};
use nex_registry::Digest;

fn options() -> Options {
    Options {
        platform: "linux/amd64".parse().expect("a platform"),
        offline: true,
        cache: None,
        aside: None,
        installed: ImageDirectories::default(),
        registry: nex_registry::Options::from_environment(),
        limits: Limits::default(),
    }
}

fn open_text(text: &str) -> Result<Image, Error> {
    open(&text.parse::<Reference>()?, &options())
}

/// What a user is shown: the fact with its causes, and what to do about it, settings by the names of flags.
fn shown(error: &dyn Fault) -> String {
    advised(error, nex_fault::Setting::flag)
}

/// All diff_ids of an image, computed from what was read.
fn read_all(image: &Image) -> Result<Vec<Digest>, Error> {
    let read = |index| Ok(image.open_layer(index, Arc::new(NoProgress))?.finish()?.diff_id);
    (0..image.layers.len()).map(read).collect()
}

/// What a command of the shell prints, which must succeed.
fn run(directory: &Path, command: &str) -> String {
    let output = Command::new("sh").args(["-ec", command]).current_dir(directory).output().expect("sh");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn has(tool: &str) -> bool {
    let is_there = Command::new(tool).arg("--version").output().is_ok();
    if !is_there {
        eprintln!("left out: {tool} is missing");
    }
    is_there
}
