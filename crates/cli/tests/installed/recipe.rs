//! The recipe of `nex:default`: the same bytes each time, and an image for others too. `scripts/packaging/vet-default` judges what a
//! release has of it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::guest::Parts;
use nex_testkit::{Result, command, corpus, nex, places, umoci};
use tempfile::TempDir;

/// The digest of the first layer: what Alpine publishes of its minirootfs.
const ALPINE: [(&str, &str); 2] = [
    ("amd64", "sha256:d4e6fd67dcf75e40c451560ac7265166c2b72a0f38ddc9aae756a7de3d1efa0c"),
    ("arm64", "sha256:041fa34a81788242df9e78fa69b97ab45b8ec47ddbf88864755610414a7bf3de"),
];

/// `scripts/default-image` with a cache of its own.
fn make(cache: &Path, minirootfs: &Path, archive: &Path) -> Command {
    let mut script = Command::new(places::workspace().join("scripts/default-image"));
    script.env("XDG_CACHE_HOME", cache).arg("--minirootfs").arg(minirootfs).arg(archive);
    script
}

/// A directory with the image, if its parts are there.
pub fn made() -> Result<Option<(TempDir, PathBuf)>> {
    let Some(minirootfs) = corpus::alpine_files() else { return Ok(None) };
    let place = nex::directory()?;
    let archive = place.path().join("images/default.oci.tar");
    command::run(&mut make(&place.path().join("cache"), &minirootfs, &archive))?;
    Ok(Some((place, archive)))
}

#[test]
fn it_has_the_same_bytes_whenever_and_wherever_it_is_made() -> Result<()> {
    let Some((place, archive)) = made()? else { return Ok(()) };
    let (again, cache) = (place.path().join("again.tar"), place.path().join("another/cache"));
    // What the first one has kept serves as the place that is named.
    let script = make(&cache, &place.path().join("cache/nex/minirootfs"), &again);
    let mut other = Command::new("sh");
    other.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(script.get_program()).args(script.get_args());
    other.env("XDG_CACHE_HOME", &cache).env("TZ", "Pacific/Chatham").env("SOURCE_DATE_EPOCH", "1");
    command::run(&mut other)?;
    assert!(fs::read(&archive)? == fs::read(&again)?, "two of it differ");
    assert_eq!(nex::names(archive.parent().unwrap_or(&archive))?, ["default.oci.tar"]);
    Ok(())
}

#[test]
fn it_is_an_image_for_others_and_has_the_user_of_nex_s_page() -> Result<()> {
    let Some((place, archive)) = made()? else { return Ok(()) };
    for (architecture, alpine) in ALPINE {
        let layout = place.path().join(architecture);
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--override-arch", architecture, "--insecure-policy", "copy"]);
        skopeo.arg(format!("oci-archive:{}:default", archive.display())).arg(format!("oci:{}:x", layout.display()));
        command::run(&mut skopeo)?;
        let inspected = command::run(Command::new("skopeo").arg("inspect").arg(format!("oci:{}:x", layout.display())))?;
        let inspected: serde_json::Value = serde_json::from_slice(&inspected)?;
        assert_eq!((&inspected["Architecture"], &inspected["Layers"][0]), (&architecture.into(), &alpine.into()));
        if !places::is_root() {
            eprintln!("LEFT OUT: umoci gives files their owners, which is root's");
            continue;
        }
        let root = umoci::unpack(&layout, "x")?;
        let read = |name: &str| fs::read_to_string(root.path().join(name));
        let (passwd, group, shadow) = (read("etc/passwd")?, read("etc/group")?, read("etc/shadow")?);
        assert!(passwd.starts_with("root:x:0:0:"), "{passwd}");
        assert!(passwd.ends_with("\nnex:x:1000:1000:nex:/home/nex:/sbin/nologin\n"), "{passwd}");
        assert!(group.ends_with("\nnex:x:1000:\n"), "{group}");
        assert!(shadow.starts_with("root:*:") && shadow.ends_with("\nnex:!::0:99999:7:::\n"), "{shadow}");
        let (home, shadow) = (root.path().join("home/nex").metadata()?, root.path().join("etc/shadow").metadata()?);
        assert_eq!((home.uid(), home.gid(), home.mode() & 0o7777), (1000, 1000, 0o755));
        assert_eq!((shadow.uid(), shadow.gid(), shadow.mode() & 0o7777), (0, 42, 0o640));
        if architecture == "amd64" {
            let (image, mut build) = built(place.path(), &archive)?;
            command::run(&mut build)?;
            nex::tree_is(&image, &umoci::tree(&layout, "x")?)?;
        }
    }
    Ok(())
}

/// The root filesystem of an archive, and the command that makes it.
fn built(place: &Path, archive: &Path) -> Result<(PathBuf, Command)> {
    let image = place.join("default.ext4");
    let mut build = nex::rootfs("nex:default", &image)?;
    build.args(["--platform", "amd64"]).env("NEX_IMAGES", archive.parent().unwrap_or(archive));
    Ok((image, build))
}

#[test]
fn another_minirootfs_than_the_recipe_s_is_refused() -> Result<()> {
    let Some(minirootfs) = corpus::alpine_files() else { return Ok(()) };
    let place = nex::directory()?;
    let (other, cache, archive) = (place.path().join("other"), place.path().join("cache"), place.path().join("x.tar"));
    fs::create_dir(&other)?;
    for name in nex::names(&minirootfs)?.iter().filter(|name| name.ends_with(".tar.gz")) {
        let mut bytes = fs::read(minirootfs.join(name))?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(other.join(name), bytes)?;
    }
    let refused = command::output(&mut make(&cache, &other, &archive))?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("SHA-256") && said.contains("--minirootfs"), "{said}");
    assert!(!archive.exists() && nex::names(&cache.join("nex/minirootfs"))?.is_empty());

    // What is damaged in the cache is fetched again.
    fs::remove_dir(cache.join("nex/minirootfs"))?;
    fs::rename(&other, cache.join("nex/minirootfs"))?;
    command::run(&mut make(&cache, &minirootfs, &archive))?;
    Ok(())
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_program_runs_in_it_as_the_user_of_nex_s_page() -> Result<()> {
    let (Some(parts), Some((place, archive))) = (Parts::find()?, made()?) else { return Ok(()) };
    let (image, mut build) = built(place.path(), &archive)?;
    command::run(&mut build)?;
    let mut run = Command::new(nex::program());
    run.args(["run", "--quiet", "--accel", "emulation", "--rootfs"]).arg(&image).arg("--kernel").arg(&parts.kernel);
    run.env("NEX_AGENT", nex::agent()?);
    let printed = command::run(run.args(["--", "/bin/sh", "-c", "id -un; pwd; cat /etc/alpine-release"]))?;
    assert_eq!(String::from_utf8_lossy(&printed), "nex\n/home/nex\n3.20.3\n");
    Ok(())
}

#[test]
#[ignore = "slow: boots a guest"]
fn what_a_release_has_of_it_is_vetted() -> Result<()> {
    let (Some(_), Some((place, archive))) = (Parts::find()?, made()?) else { return Ok(()) };
    let output = place.path().join("default.ext4.zst");
    let vet = |images: &Path| -> Result<Command> {
        let mut script = Command::new(places::workspace().join("scripts/packaging/vet-default"));
        script.arg(nex::program()).arg(nex::agent()?).arg(images).arg("amd64").arg(&output);
        Ok(script)
    };
    // Where the image is missing, nothing becomes a file.
    let refused = command::output(&mut vet(&place.path().join("cache"))?)?;
    assert!(!refused.status.success() && !output.exists(), "{refused:?}");
    let said = command::run(&mut vet(archive.parent().unwrap_or(&archive))?)?;
    assert!(String::from_utf8_lossy(&said).starts_with("vet-default: amd64: yes: agent "), "{said:?}");
    let (image, mut build) = built(place.path(), &archive)?;
    command::run(&mut build)?;
    let unpacked = command::run(Command::new("zstd").args(["-dc"]).arg(&output))?;
    assert!(unpacked == fs::read(image)?, "the release's differs");
    Ok(())
}
