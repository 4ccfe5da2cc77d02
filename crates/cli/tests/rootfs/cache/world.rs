//! What the tests of the cache work with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, rootfs};
use nex_testkit::{Result, command};
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a cache and images.
pub struct World(TempDir);

impl World {
    pub fn new() -> Result<Self> {
        Ok(Self(nex::directory()?))
    }

    /// One on the file system of this directory.
    pub fn within(parent: &Path) -> Result<Self> {
        Ok(Self(tempfile::tempdir_in(parent)?))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes an image, and gives its reference.
    pub fn image(&self, name: &str, image: &Image) -> Result<String> {
        image.write(&self.path(name), "image")?;
        Ok(format!("oci:{}:image", self.path(name).display()))
    }

    /// The command that builds with the cache.
    pub fn command(&self, image: &str, output: &str) -> Result<Command> {
        let mut build = rootfs(image, &self.path(output))?;
        build.env("NEX_ROOTFS_SIZE", "auto").args(["--format", "json", "--cache-dir"]).arg(self.path("cache"));
        Ok(build)
    }

    /// Builds with the cache, and gives the report.
    pub fn build(&self, image: &str, flags: &[&str]) -> Result<Value> {
        Ok(serde_json::from_slice(&command::run(self.command(image, "out.ext4")?.args(flags))?)?)
    }

    pub fn bytes(&self) -> Result<Vec<u8>> {
        Ok(fs::read(self.path("out.ext4"))?)
    }

    /// The bytes that a build without the cache gives.
    pub fn uncached(&self, image: &str, flags: &[&str]) -> Result<Vec<u8>> {
        let report = self.build(image, &[&["--no-cache"], flags].concat())?;
        assert!(cached(&report).iter().all(|cached| !cached));
        self.bytes()
    }

    /// Runs `nex cache`.
    pub fn cache(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let mut cache = Command::new(nex::program());
        cache.env_clear().arg("cache").args(arguments).arg("--cache-dir").arg(self.path("cache"));
        command::output(&mut cache)
    }

    pub fn cache_report(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_slice(&self.cache(&[arguments, &["--format", "json"]].concat())?.stdout)?)
    }

    /// Nothing in the cache is damaged, and nothing is left in the making.
    pub fn is_sound(&self) -> Result<()> {
        let report = self.cache_report(&["verify"])?;
        assert_eq!((&report["damaged"], &report["foreign"]), (&Value::Array(vec![]), &Value::Array(vec![])));
        assert_eq!(nex::names(&self.path("cache/v1/making"))?, Vec::<String>::new());
        Ok(())
    }

    /// The directories of the layers in the cache.
    pub fn entries(&self) -> Result<Vec<PathBuf>> {
        let layers = self.path("cache/v1/layers");
        Ok(nex::names(&layers)?.iter().map(|name| layers.join(name)).collect())
    }
}

/// Which layers came from the cache.
pub fn cached(report: &Value) -> Vec<bool> {
    let layers = report["image"]["layers"].as_array().into_iter().flatten();
    layers.map(|layer| layer["cached"] == true).collect()
}

pub fn notes(report: &Value) -> String {
    report["notes"].to_string()
}

/// Forty layers, each of which deletes, replaces and adds; with holes, links and attributes.
pub fn forty_layers() -> Result<Image> {
    let layer = |number: usize| {
        let below = number.wrapping_sub(1);
        let content = |byte: usize, blocks: usize| vec![byte as u8; blocks * 4096 + number];
        vec![
            Entry::directory("d").modified(1_500_000_000 + number as i64, 0),
            Entry::file(format!("d/{number}"), content(number + 1, number % 7)).xattr("user.number", [number as u8]),
            Entry::file("d/replaced", content(number, 3)),
            Entry::whiteout(&format!("d/{below}")),
            Entry::hard_link(format!("d/link{number}"), format!("d/{number}")),
            Entry::sparse(format!("d/sparse{number}"), 1 << 20, &[(number as u64 * 5000, b"here".to_vec())]),
            Entry::file(format!("implicit{number}/deep/file"), ""),
            Entry::whiteout(&format!("implicit{below}")),
        ]
    };
    Image::of(&(0..40).map(layer).collect::<Vec<_>>())
}
