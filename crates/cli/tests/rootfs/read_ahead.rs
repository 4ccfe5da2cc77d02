//! Layers are read ahead of their turns, and nobody notices but by the time it takes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, fails, rootfs};
use nex_testkit::{Result, noise};
use serde_json::Value;
use tempfile::TempDir;

use crate::layers::image_equals_umoci;

/// More than are read at once.
const LAYERS: u8 = 12;

/// An image of layers that change each other's files, the lowest the largest.
fn many_layers() -> Result<Image> {
    let layer = |number: u8| {
        // It does not compress: the lowest takes its time, and more than its buffers hold.
        let length = if number == 0 { 8 << 20 } else { 1000 };
        let own = Entry::file(format!("own-{number}"), noise::bytes(length, u64::from(number) + 1));
        let shared = Entry::file("shared", [number; 100]);
        let below = Entry::whiteout(&format!("own-{}", number.saturating_sub(1)));
        if number == 0 { vec![Entry::directory("."), own, shared] } else { vec![own, shared, below] }
    };
    Image::of(&(0..LAYERS).map(layer).collect::<Vec<_>>())
}

/// It as a layout, and a place for the output alone.
struct Sample {
    directory: TempDir,
}

impl Sample {
    fn new() -> Result<Self> {
        let sample = Self { directory: nex::directory()? };
        fs::create_dir(sample.output().with_file_name(""))?;
        many_layers()?.write(&sample.layout(), "image")?;
        Ok(sample)
    }

    fn layout(&self) -> PathBuf {
        self.directory.path().join("layout")
    }

    fn output(&self) -> PathBuf {
        self.directory.path().join("out/rootfs.ext4")
    }

    fn build(&self) -> Result<Command> {
        rootfs(&format!("oci:{}:image", self.layout().display()), &self.output())
    }

    /// The file of a layer's blob.
    fn blob(&self, layer: usize) -> Result<PathBuf> {
        let read = |path: PathBuf| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
        let of = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap_or_default().replace(':', "/");
            self.layout().join("blobs").join(digest)
        };
        let index = read(self.layout().join("index.json"))?;
        let manifest = read(of(&index["manifests"][0]))?;
        Ok(of(&manifest["layers"][layer]))
    }

    fn is_refused(&self, words: &[&str]) -> Result<()> {
        fails(&mut self.build()?, &self.output().with_file_name(""), words)
    }
}

#[test]
fn layers_read_ahead_are_placed_in_their_order() -> Result<()> {
    image_equals_umoci(&many_layers()?)
}

#[test]
fn the_lowest_layer_that_fails_is_the_one_that_is_told() -> Result<()> {
    let sample = Sample::new()?;
    // The higher ones fail as soon as they are opened, long before the lowest is placed.
    fs::write(sample.blob(2)?, "no layer")?;
    sample.is_refused(&["layer 3", "cut short"])?;
    let missing = sample.blob(1)?;
    fs::remove_file(&missing)?;
    sample.is_refused(&[&missing.to_string_lossy(), "missing"])?;
    let lowest = sample.blob(0)?;
    let mut bytes = fs::read(&lowest)?;
    bytes.truncate(bytes.len() - 1);
    fs::write(&lowest, bytes)?;
    sample.is_refused(&["layer 1", "cut short"])
}

#[test]
fn the_limit_on_all_layers_is_passed_by_the_same_layer_each_time() -> Result<()> {
    let sample = Sample::new()?;
    for _ in 0..5 {
        let mut build = sample.build()?;
        // The lowest layer and some of those above it.
        build.args(["--max-unpacked", &format!("{}", (8 << 20) + 20_000)]);
        fails(&mut build, &sample.output().with_file_name(""), &["layer 6"])?;
    }
    Ok(())
}
