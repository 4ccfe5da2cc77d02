//! Images that stand in for those that pages name.

use std::fs;
use std::path::Path;

use nex_testkit::Result;
use nex_testkit::layer::{self, Entry};
use nex_testkit::layout;
use serde_json::json;

/// The tag of each in its layout.
pub const TAG: &str = "image";

/// An image that pages name.
pub struct Image {
    /// As pages name it.
    pub name: &'static str,
    /// Where it is in a registry.
    pub place: &'static str,
    /// Writes it as a layout; the first path is Alpine's root filesystem.
    pub write: fn(&Path, &Path) -> Result<()>,
}

/// All of them.
pub const IMAGES: [Image; 4] = [
    Image { name: "alpine:3.20", place: "library/alpine:3.20", write: alpine },
    Image { name: "synadia/nex-rootfs:alpine", place: "synadia/nex-rootfs:alpine", write: alpine },
    Image { name: "debian:12", place: "library/debian:12", write: debian },
    Image { name: "python:3.12-alpine", place: "library/python:3.12-alpine", write: python },
];

/// Alpine itself.
fn alpine(minirootfs: &Path, layout: &Path) -> Result<()> {
    of(
        minirootfs,
        &[],
        json!({ "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["/bin/sh"] }),
        layout,
    )
}

/// Alpine with a Python that is a shell: it runs the first program of the guides, which both understand.
fn python(minirootfs: &Path, layout: &Path) -> Result<()> {
    let config = json!({ "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHON_VERSION=3.12.7"], "Cmd": ["python3"] });
    let entries = [Entry::symlink("usr/local/bin/python3", "/bin/sh")];
    of(minirootfs, &entries, config, layout)
}

/// The programs of systemd that a guest needs, put there by what is called apt-get.
const APT_GET: &str = r#"#!/bin/sh -e
[ "$1" = install ] || exit 0
mkdir -p /lib/systemd/system /usr/sbin
cp /bin/busybox /lib/systemd/systemd
ln -s /lib/systemd/systemd /sbin/init
: >/lib/systemd/system/multi-user.target
ln -s multi-user.target /lib/systemd/system/default.target
"#;

/// A Debian that has no init before apt-get has brought one, as Debian's own image.
fn debian(_: &Path, layout: &Path) -> Result<()> {
    let mut entries: Vec<Entry> =
        ["bin", "dev", "etc", "home", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "var"]
            .map(|path| Entry::directory(path).mode(0o755))
            .into();
    entries.push(Entry::file("bin/busybox", fs::read("/bin/busybox")?).mode(0o755));
    for program in ["sh", "cp", "ln", "mkdir", "rm", "passwd"] {
        entries.push(Entry::symlink(format!("bin/{program}"), "busybox"));
    }
    entries.push(Entry::file("usr/bin/apt-get", APT_GET).mode(0o755));
    entries.push(Entry::file(
        "etc/os-release",
        "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
    ));
    entries.push(Entry::file("etc/debian_version", "12.7\n"));
    entries.push(Entry::file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"));
    entries.push(Entry::file("etc/shadow", "root:*:19700:0:99999:7:::\n").mode(0o640));
    entries.push(Entry::file("etc/group", "root:x:0:\n"));
    let image = layout::Image {
        config: json!({ "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["bash"] }),
        ..layout::Image::of(&[entries])?
    };
    image.write(layout, TAG)
}

/// Alpine's root filesystem, and a layer over it.
fn of(minirootfs: &Path, entries: &[Entry], config: serde_json::Value, layout: &Path) -> Result<()> {
    let mut tar = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(fs::File::open(minirootfs)?);
    std::io::Read::read_to_end(&mut decoder, &mut tar)?;
    let mut layers = vec![tar];
    if !entries.is_empty() {
        layers.push(layer::tar(entries)?);
    }
    let image = layout::Image {
        layers,
        compression: layout::Compression::Gzip,
        media_type: true,
        architecture: "amd64",
        config,
    };
    image.write(layout, TAG)
}
