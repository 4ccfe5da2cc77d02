//! Debian images made by mmdebstrap and umoci, kept under `target/test-images` because they take up to a minute and a half.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::failure::Context;
use crate::{Result, command, places, skopeo, umoci};

/// The tag of every image in a layout made here.
pub const TAG: &str = "latest";

/// Which Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debian {
    /// The least that apt runs on: about 160 MiB, 7,000 entries.
    Minimal,
    /// With compilers, Python, git and vim: about 660 MiB, 20,000 entries.
    Large,
    /// With systemd and ping: an access list on `/var/log/journal`, and a program with a capability.
    Services,
    /// The least of the release after that, whose `/bin`, `/lib` and `/sbin` were never directories.
    Next,
}

impl Debian {
    fn name(self) -> &'static str {
        match self {
            Self::Minimal => "debian-minimal",
            Self::Large => "debian-large",
            Self::Services => "debian-services",
            Self::Next => "debian-next",
        }
    }

    fn suite(self) -> &'static str {
        if self == Self::Next { "trixie" } else { "bookworm" }
    }

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Minimal | Self::Next => &[],
            Self::Services => &["systemd-sysv", "dbus", "acl", "iputils-ping", "nano", "less"],
            Self::Large => &["build-essential", "python3", "git", "vim", "locales", "ca-certificates", "libicu-dev"],
        }
    }

    /// The root file system as a plain tar.
    ///
    /// # Errors
    /// When mmdebstrap fails; it wants root and Debian's package mirror.
    pub fn tar(self) -> Result<PathBuf> {
        cached(&format!("{}.tar", self.name()), |target| {
            let mut mmdebstrap = Command::new("mmdebstrap");
            mmdebstrap.args(["--quiet", "--format=tar", "--variant=minbase"]);
            if !self.packages().is_empty() {
                mmdebstrap.arg(format!("--include={}", self.packages().join(",")));
            }
            command::run(mmdebstrap.arg(self.suite()).arg(target)).map(drop)
        })
    }

    /// An OCI layout with one gzip layer.
    ///
    /// # Errors
    /// As [`tar`](Self::tar), or when umoci fails.
    pub fn gzip_layout(self) -> Result<PathBuf> {
        let tar = self.tar()?;
        cached(&format!("{}.oci", self.name()), |target| umoci::import(&tar, target, TAG))
    }

    /// An OCI layout with one zstd layer.
    ///
    /// # Errors
    /// As [`gzip_layout`](Self::gzip_layout), or when skopeo fails.
    pub fn zstd_layout(self) -> Result<PathBuf> {
        let source = self.gzip_layout()?;
        cached(&format!("{}-zstd.oci", self.name()), |target| {
            let place = |layout: &Path| format!("oci:{}:{TAG}", layout.display());
            skopeo::copy_as_zstd(&place(&source), &place(target))
        })
    }
}

/// A file or directory of the cache; made under another name and renamed when it is whole, by one test at a time.
fn cached(name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = places::image_cache()?;
    let target = cache.join(name);
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    flock(&lock, FlockOperation::LockExclusive).context("lock of the image cache")?;
    if !target.exists() {
        let unfinished = tempfile::Builder::new().prefix("making-").tempdir_in(&cache)?;
        let made = unfinished.path().join(name);
        make(&made)?;
        fs::rename(&made, &target).context(target.display())?;
    }
    Ok(target)
}
