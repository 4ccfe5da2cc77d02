//! The setup script of Nex's documentation on Alpine, with packages from a repository of its own.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use nex_testkit::layer::{self, Entry};
use nex_testkit::manifest::Kind;
use nex_testkit::nex::rootfs;
use nex_testkit::nex::script::{EPOCH, World, text};
use nex_testkit::{Failure, Result, command, corpus, fsck, image_tree};

/// The page's script; in place of its mirror stands a directory, of which apk makes a repository.
const SCRIPT: &str = r#"#!/bin/sh
set -xe
cp -r /repository /tmp/repository
(cd /tmp/repository/x86_64 && apk index --allow-untrusted -q --rewrite-arch x86_64 -o APKINDEX.tar.gz *.apk)
apk add --allow-untrusted --no-network --no-cache --repositories-file /dev/null -X /tmp/repository openrc util-linux
ln -s agetty /etc/init.d/agetty.ttyS0
echo ttyS0 > /etc/securetty
rc-update add agetty.ttyS0 default
echo 'root:$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/' | chpasswd -e
echo "nameserver 1.1.1.1" >>/etc/resolv.conf
addgroup -g 1000 -S nex && adduser -u 1000 -S nex -G nex
rc-update add devfs boot
rc-update add procfs boot
rc-update add sysfs boot
for d in bin etc lib root sbin usr; do tar c "/$d" | tar x -C /my-rootfs; done
for dir in dev proc run sys var tmp; do mkdir /my-rootfs/${dir}; done
chmod 1777 /my-rootfs/tmp
mkdir -p /my-rootfs/home/nex/
chown 1000:1000 /my-rootfs/home/nex/
"#;

/// Enough of OpenRC's own to see that the script called it.
const RC_UPDATE: &str = "#!/bin/sh\nmkdir -p /etc/runlevels/$3 && ln -s /etc/init.d/$2 /etc/runlevels/$3/$2\n";

#[test]
fn the_documentations_script_makes_its_root_filesystem() -> Result<()> {
    let Some(tar) = corpus::alpine("x86_64")? else { return Ok(()) };
    let world = World::new()?;
    fs::write(world.path("alpine.tar"), tar)?;
    let script = world.write("setup-alpine.sh", SCRIPT)?;
    let repository = world.path("repository");
    fs::create_dir_all(repository.join("x86_64"))?;
    let services = ["agetty", "devfs", "procfs", "sysfs"].map(|name| (format!("etc/init.d/{name}"), "#!/bin/sh\n"));
    let mut openrc = vec![("usr/bin/rc-update".to_owned(), RC_UPDATE)];
    openrc.extend(services);
    make_package(&repository, "openrc", &openrc)?;
    make_package(&repository, "util-linux", &[("usr/bin/lscpu".to_owned(), "#!/bin/sh\n")])?;

    let image = world.path("image");
    let mut build = rootfs(&format!("tar:{}", world.path("alpine.tar").display()), &image)?;
    build.env("SOURCE_DATE_EPOCH", EPOCH.to_string()).arg("--work-dir").arg(world.path("work")).arg("--mount");
    build.arg(format!("{}:/repository:ro", repository.display())).arg("--script").arg(script);
    command::run(&mut build)?;
    world.is_clean("work")?;
    fsck::judge(&image)?;
    let found = image_tree::read(&image)?;
    for path in ["usr/bin/lscpu", "bin/busybox", "lib/apk/db/installed", "home/nex"] {
        assert!(found.contains_key(path.as_bytes()), "/{path} is missing");
    }
    for path in ["repository", "my-rootfs", "media"] {
        assert!(!found.contains_key(path.as_bytes()), "/{path} is there");
    }
    let link = &found[b"etc/runlevels/default/agetty.ttyS0".as_slice()].kind;
    assert_eq!(*link, Kind::Symlink(b"/etc/init.d/agetty.ttyS0".to_vec()));
    assert_eq!((found[b"tmp".as_slice()].mode, found[b"home/nex".as_slice()].uid), (0o1777, 1000));
    assert_eq!(text(&image, "/etc/resolv.conf")?, "nameserver 1.1.1.1\n");
    assert!(text(&image, "/etc/passwd")?.contains("nex:x:1000:1000:"));
    assert!(text(&image, "/lib/apk/db/installed")?.contains("P:openrc\n"));
    Ok(())
}

/// A package as apk 2 knows it: two compressed tars one after the other, what it is and what is in it. Files have their
/// digest in the tar.
fn make_package(repository: &Path, name: &str, files: &[(String, &str)]) -> Result<()> {
    let mut entries: Vec<_> =
        ["etc", "etc/init.d", "usr", "usr/bin"].map(|path| Entry::directory(path).mode(0o755)).into();
    for (path, content) in files {
        let digest = filter("sha1sum", &[], content.as_bytes())?;
        let digest = digest.get(..40).ok_or_else(|| Failure::new("sha1sum wrote no digest"))?;
        entries.push(Entry::file(path, content).mode(0o755).pax("APK-TOOLS.checksum.SHA1", digest));
    }
    let mut data = layer::tar(&entries)?;
    name_extensions(&mut data);
    let data = filter("gzip", &["-n"], &data)?;
    let digest = String::from_utf8_lossy(&filter("sha256sum", &[], &data)?).into_owned();
    let digest = digest.split(' ').next().unwrap_or_default();
    let about = format!(
        "pkgname = {name}\npkgver = 1.0-r0\npkgdesc = {name}\nurl = none\nbuilddate = {EPOCH}\nsize = 100\narch = x86_64\n\
         origin = {name}\nlicense = MIT\ndatahash = {digest}\n"
    );
    let mut control = layer::tar(&[Entry::file(".PKGINFO", about)])?;
    // The first tar does not end: apk goes on reading.
    while control.ends_with(&[0; 512]) {
        control.truncate(control.len() - 512);
    }
    let package = [filter("gzip", &["-n"], &control)?, data].concat();
    Ok(fs::write(repository.join(format!("x86_64/{name}-1.0-r0.apk")), package)?)
}

/// Gives a name to the headers of PAX records. apk takes one without a name for the end of the tar.
fn name_extensions(tar: &mut [u8]) {
    const NAME: &[u8] = b"pax";
    const EXTENSION: (usize, u8) = (156, b'x');
    const MAGIC: (std::ops::Range<usize>, &[u8]) = (257..262, b"ustar");
    const SUM: std::ops::Range<usize> = 148..156;
    for header in tar.chunks_exact_mut(512) {
        if header[MAGIC.0] == *MAGIC.1 && header[EXTENSION.0] == EXTENSION.1 {
            header[..NAME.len()].copy_from_slice(NAME);
            // The sum counts its own field as spaces.
            header[SUM].copy_from_slice(b"        ");
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

/// What a program makes of its input.
fn filter(program: &str, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let mut filter = Command::new(program);
    let mut child = filter.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    Ok(child.wait_with_output()?.stdout)
}
