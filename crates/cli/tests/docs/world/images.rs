//! Images that stand in for those that pages name.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use nex_testkit::Result;
use nex_testkit::layer::{self, Entry};
use nex_testkit::layout;
use serde_json::{Value, json};

/// The variable of most images.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The tag of each in its layout.
pub const TAG: &str = "image";

/// An image that pages name.
pub struct Image {
    /// As pages name it.
    pub name: &'static str,
    /// Where it is in a registry.
    pub place: &'static str,
    /// Writes it as a layout.
    pub write: fn(&Needs, &Path) -> Result<()>,
}

/// What images are made of.
pub struct Needs<'a> {
    /// Alpine's root filesystem.
    pub minirootfs: &'a Path,
    /// The page that names them.
    pub page: &'a str,
}

/// All of them.
pub const IMAGES: [Image; 4] = [
    Image { name: "alpine:3.20", place: "library/alpine:3.20", write: alpine },
    Image { name: "synadia/nex-rootfs:alpine", place: "synadia/nex-rootfs:alpine", write: alpine },
    Image { name: "debian:12", place: "library/debian:12", write: debian },
    Image { name: "python:3.12-slim", place: "library/python:3.12-slim", write: python },
];

/// What is called apk, and brings as much of OpenRC as a root filesystem of nex needs. Its repositories are not on this machine.
const APK: &str = r#"#!/bin/sh -e
[ "$1 $2" = 'add openrc' ] || exit 0
cp /bin/busybox /sbin/openrc
cp /bin/busybox /sbin/openrc-run
mkdir -p /etc/init.d /etc/runlevels/sysinit /etc/runlevels/boot /etc/runlevels/default
for service in agetty devfs procfs sysfs; do
    printf '#!/sbin/openrc-run\n' >"/etc/init.d/$service"
    chmod 755 "/etc/init.d/$service"
done
cat >/sbin/rc-update <<'END'
#!/bin/sh -e
ln -s "/etc/init.d/$2" "/etc/runlevels/$3/$2"
END
chmod 755 /sbin/rc-update
"#;

/// Alpine itself; where the page adds packages, with another apk.
fn alpine(needs: &Needs, layout: &Path) -> Result<()> {
    let config = json!({ "Env": [format!("PATH={PATH}")], "Cmd": ["/bin/sh"] });
    let apk = needs.page.contains("apk add").then(|| Entry::file("sbin/apk", APK).mode(0o755));
    of_alpine(needs, &apk.into_iter().collect::<Vec<_>>(), config, layout)
}

/// Alpine with a shell in Python's place: what guides run of it is shown by other tests.
fn python(needs: &Needs, layout: &Path) -> Result<()> {
    let config = json!({ "Env": [format!("PATH={PATH}"), "PYTHON_VERSION=3.12.7"], "Cmd": ["python3"] });
    of_alpine(needs, &[Entry::symlink("usr/local/bin/python3", "/bin/sh")], config, layout)
}

/// The programs of systemd that a guest needs, put there by what is called apt-get.
const APT_GET: &str = r#"#!/bin/sh -e
[ "$1" = install ] || exit 0
mkdir -p /usr/lib/systemd/system
cp /bin/busybox /usr/lib/systemd/systemd
ln -s /lib/systemd/systemd /sbin/init
cd /usr/lib/systemd/system
: >multi-user.target
ln -s multi-user.target default.target
printf '[Service]\nExecStart=-/sbin/agetty -o "-p -- \\\\u" --keep-baud 115200,57600,38400,9600 - $TERM\n' >console-getty.service
"#;

/// A Debian that has no init before apt-get has brought one, as Debian's own image.
fn debian(_: &Needs, layout: &Path) -> Result<()> {
    let mut entries: Vec<Entry> =
        ["dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr", "usr/bin", "usr/lib", "usr/sbin", "var"]
            .map(|path| Entry::directory(path).mode(0o755))
            .into();
    entries.extend(["bin", "lib", "sbin"].map(|name| Entry::symlink(name, format!("usr/{name}"))));
    entries.push(Entry::file("usr/bin/busybox", fs::read("/bin/busybox")?).mode(0o755));
    for program in ["bash", "cp", "ln", "mkdir", "printf", "sh"] {
        entries.push(Entry::symlink(format!("usr/bin/{program}"), "busybox"));
    }
    entries.push(Entry::symlink("usr/sbin/agetty", "/bin/busybox"));
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
        config: json!({ "Env": [format!("PATH={PATH}")], "Cmd": ["bash"] }),
        ..layout::Image::of(&[entries])?
    };
    image.write(layout, TAG)
}

/// Alpine's root filesystem, and a layer over it.
fn of_alpine(needs: &Needs, entries: &[Entry], config: Value, layout: &Path) -> Result<()> {
    let mut tar = Vec::new();
    GzDecoder::new(File::open(needs.minirootfs)?).read_to_end(&mut tar)?;
    let mut image = layout::Image { layers: vec![tar], config, ..layout::Image::of(&[])? };
    if !entries.is_empty() {
        image.layers.push(layer::tar(entries)?);
    }
    image.write(layout, TAG)
}
