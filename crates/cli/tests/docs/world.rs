//! Where the commands of a page run: nex is installed, the images that the page names are in a registry of this machine, and
//! a kernel is there.
//!
//! Pages name images as everybody knows them. The settings for registries lead those names to a registry of the test's own,
//! where smaller images stand in for them.

mod images;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nex_testkit::failure::Context;
use nex_testkit::guest::Parts;
use nex_testkit::registry::{Protection, Registry};
use nex_testkit::{Result, corpus, nex, places, skopeo};
use tempfile::TempDir;

use images::{Image, Needs};

/// Where users have nex's agent.
const AGENT: &str = "/usr/local/lib/nex/nex-agent";

/// The tar of Alpine's root filesystem, as its site offers it.
const MINIROOTFS: &str = "alpine-minirootfs-3.20.3-x86_64.tar.gz";
/// A console that the guest of a test has left.
const CONSOLE: (&str, &str) = ("truncated.log", "crates/diagnose/tests/logs/truncated.log");
/// Kernels of guests, as pages name them.
const KERNELS: [&str; 2] = ["vmlinuz", "vmlinux"];

/// A machine for one page.
pub struct World {
    directory: TempDir,
    // Held for its `Drop`, which ends it.
    _registry: Option<Registry>,
}

impl World {
    /// Makes what this page needs. `None`, with a line that says so, where that is not to be had.
    pub fn for_page(page: &str) -> Result<Option<Self>> {
        // Beside the program under test, so that it can be linked.
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let path = |name: &str| directory.path().join(name);
        for name in ["bin", "home", "tmp"] {
            fs::create_dir(path(name))?;
        }
        fs::hard_link(nex::program(), path("bin/nex")).context("a link to nex")?;
        fs::copy(nex::agent()?, path("bin/nex-agent"))?;
        if KERNELS.iter().any(|name| page.contains(name)) {
            let Some(parts) = Parts::find()? else { return Ok(None) };
            for name in KERNELS {
                symlink(&parts.kernel, path("home").join(name))?;
            }
            symlink(&parts.modules, path("home/modules"))?;
        }
        if page.contains(CONSOLE.0) {
            fs::copy(places::workspace().join(CONSOLE.1), path("home").join(CONSOLE.0))?;
        }
        let images: Vec<&Image> = images::IMAGES.iter().filter(|image| page.contains(image.name)).collect();
        if page.contains(MINIROOTFS) || !images.is_empty() {
            let Some(tar) = corpus::alpine("x86_64")? else { return Ok(None) };
            fs::write(path("home").join(MINIROOTFS), nex_testkit::layout::gzip(&tar)?)?;
        }
        let registry = if images.is_empty() { None } else { Some(serve(&images, page, directory.path())?) };
        Ok(Some(Self { directory, _registry: registry }))
    }

    /// A path beside the session's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The session's directory.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// The variables of the session.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut paths = self.path("bin").into_os_string();
        paths.push(":");
        paths.push(std::env::var_os("PATH").unwrap_or_default());
        vec![
            ("PATH", paths),
            ("HOME", self.home().into()),
            ("TMPDIR", self.path("tmp").into()),
            ("LC_ALL", "C.UTF-8".into()),
            ("CONTAINERS_REGISTRIES_CONF", self.path("registries.conf").into()),
            // What KVM does here is the matter of other tests.
            ("NEX_ACCEL", "emulation".into()),
        ]
    }

    /// A text with the places of this machine called as they are on a user's.
    pub fn as_installed(&self, text: &str) -> String {
        text.replace(&self.path("bin/nex-agent").display().to_string(), AGENT)
    }
}

/// Serves images under their usual names.
fn serve(images: &[&Image], page: &str, directory: &Path) -> Result<Registry> {
    let registry = Registry::start(Protection::Open)?;
    let minirootfs = directory.join("home").join(MINIROOTFS);
    let needs = Needs { minirootfs: &minirootfs, page };
    for (number, image) in images.iter().enumerate() {
        let layout = directory.join(format!("image-{number}"));
        (image.write)(&needs, &layout)?;
        skopeo::push(&format!("oci:{}:{}", layout.display(), images::TAG), &registry, image.place)?;
    }
    let address = registry.address();
    let settings = format!("[[registry]]\nprefix = \"docker.io\"\nlocation = \"{address}\"\ninsecure = true\n");
    fs::write(directory.join("registries.conf"), settings)?;
    Ok(registry)
}
