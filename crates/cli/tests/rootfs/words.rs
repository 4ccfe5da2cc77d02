//! What nex says about itself, about digests, and to arguments that make no sense.

use std::fs;
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, failed, rootfs, rootfs_with};
use nex_testkit::{Result, command};
use serde_json::Value;

fn said(arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = command::output(Command::new(nex::program()).env_clear().args(arguments))?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
fn who_takes_another_word_for_a_command_is_told_the_right_one() -> Result<()> {
    let place = nex::directory()?;
    let (image, file) = (place.path().join("image.ext4"), place.path().join("file"));
    nex::build("scratch", &image)?;
    fs::write(&file, "no image")?;
    let (image, file) = (image.display().to_string(), file.display().to_string());
    let first = "say first what to do with a file: 'nex rootfs check ";
    for (arguments, code, tip) in [
        (&["boot"][..], 2, "the command is 'nex rootfs boot'"),
        (&["boot", &image, "--kernel", "vmlinux"], 2, "the command is 'nex rootfs boot'"),
        (&["check", &image], 2, "the command is 'nex rootfs check'"),
        (&["grow", &image, "1G"], 2, "the command is 'nex rootfs grow'"),
        (&["set-agent"], 2, "the command is 'nex rootfs set-agent'"),
        (&["build"], 2, "the command is 'nex rootfs --image REF -o FILE'"),
        (&["alpine:3.20"], 2, "name an image with --image: 'nex rootfs --image alpine:3.20'"),
        (&[&image], 2, first),
        (&["rootfs", "alpine:3.20"], 2, "name an image with --image: 'nex rootfs --image alpine:3.20'"),
        (&["fs", "alpine"], 2, "name an image with --image: 'nex rootfs --image alpine'"),
        (&["rootfs", &file], 2, "name an image with --image"),
        (&["rootfs", &image], 2, first),
        (&["rootfs", "build"], 2, "the command is 'nex rootfs --image REF -o FILE'"),
        (&["rootfs", "run"], 2, "the command is 'nex run'"),
        (&["rootfs", "cache", "ls"], 2, "the command is 'nex cache'"),
        (&["run", &image], 125, &format!("the command is 'nex run --rootfs {image}'")),
        (&["rootfs", "config", &image, "--vmm", "qemu"], 2, "the flag is '--for qemu' or '--for firecracker'"),
        (&["run", "alpine"], 125, "of the image first: 'nex rootfs --image alpine -o rootfs.ext4'"),
    ] {
        let (ended, text) = said(arguments)?;
        let tips: Vec<_> = text.lines().filter(|line| line.contains("tip: ")).collect();
        assert!(ended == Some(code) && tips.len() == 1 && tips[0].contains(tip), "{arguments:?}: {text}");
    }
    // Where the library knows better, or nobody knows.
    for (arguments, tip) in [
        (&["rotfs"][..], Some("'rootfs'")),
        (&["cahce", "ls"], Some("'cache'")),
        (&["rootfs", "chek", &image], Some("'check'")),
        (&["nonsense"], None),
        (&["run", &file], None),
        // Only the first word can be a command, and no file's name is meant.
        (&["rootfs", "set-agent", &image, &file, "third"], None),
        (&["rootfs", "config", &image, "alpine:3.20"], None),
        (&["rootfs", "set-agent", &image, "--pid1"], None),
        (&["rootfs", "check", "-z"], None),
    ] {
        let text = said(arguments)?.1;
        assert!(tip.map_or(!text.contains("tip: "), |tip| text.contains("similar") && text.contains(tip)), "{text}");
    }
    // What is told is what works.
    let (ended, text) = said(&["rootfs", "check", &image])?;
    assert_eq!(ended, Some(0), "{text}");
    Ok(())
}

#[test]
fn the_version_is_said_with_the_commit_and_the_target() -> Result<()> {
    let text = String::from_utf8(command::run(Command::new(nex::program()).env_clear().arg("version"))?)?;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], concat!("nex ", env!("CARGO_PKG_VERSION")));
    let json: Value = serde_json::from_slice(&command::run(
        Command::new(nex::program()).env_clear().args(["version", "--format", "json"]),
    )?)?;
    assert_eq!((&json["schemaVersion"], &json["version"]), (&1.into(), &env!("CARGO_PKG_VERSION").into()));
    let target = json["target"].as_str().unwrap_or_default();
    assert!(target.contains("-linux-") && target.starts_with(std::env::consts::ARCH), "{target}");
    // The flag says the same to programs.
    for arguments in [["--version", "--format", "json"], ["--format=json", "-q", "-V"]] {
        let flag = command::run(Command::new(nex::program()).env_clear().args(arguments))?;
        assert_eq!(serde_json::from_slice::<Value>(&flag)?, json);
    }
    // A debug build does not know its commit.
    let commit = json["commit"].as_str();
    assert!(commit.is_none_or(|commit| commit.len() >= 40), "{commit:?}");
    assert_eq!(&lines[1..], [format!("commit      {}", commit.unwrap_or("unknown")), format!("target      {target}")]);
    Ok(())
}

#[test]
fn an_architecture_alone_is_a_platform() -> Result<()> {
    let place = nex::directory()?;
    let agent = nex::agent_for_aarch64(place.path())?;
    for name in ["arm64", "aarch64", "linux/arm64"] {
        let mut build = rootfs_with(&agent, "scratch", &place.path().join("out.ext4"));
        let report: Value =
            serde_json::from_slice(&command::run(build.args(["--format", "json", "--platform", name]))?)?;
        assert_eq!(report["image"]["platform"], "linux/arm64", "{name}");
    }
    let (ended, text) = said(&["rootfs", "--platform", "linux"])?;
    assert!(ended == Some(2) && text.contains("'linux' is no platform: expected an architecture such as"), "{text}");
    Ok(())
}

/// A layer has one name, by which it is found in a registry and a layout, and what is left out of it is seen.
#[test]
fn a_layer_is_called_by_its_blob_wherever_it_is_named() -> Result<()> {
    let place = nex::directory()?;
    let (layout, output) = (place.path().join("layout"), place.path().join("out.ext4"));
    Image::of(&[vec![Entry::file("file", vec![7; 1 << 20])]])?.write(&layout, "image")?;
    let manifest = fs::read_dir(layout.join("blobs/sha256"))?.flatten().find_map(|blob| {
        let manifest: Value = serde_json::from_slice(&fs::read(blob.path()).ok()?).ok()?;
        manifest["layers"][0]["digest"].as_str().map(str::to_owned)
    });
    let digest = manifest.unwrap_or_default();
    let name = format!("{}\u{2026}", &digest[.."sha256:".len() + 12]);
    let image = format!("oci:{}:image", layout.display());
    let cache = place.path().join("cache");

    let mut build = rootfs(&image, &output)?;
    let report = String::from_utf8(command::run(build.args(["--size", "auto", "--cache-dir"]).arg(&cache))?)?;
    let layers: Vec<_> = report.lines().filter(|line| line.starts_with("layers")).collect();
    assert_eq!(layers.len(), 1, "{report}");
    assert!(layers[0].contains(&format!("{name}  1.")), "{report}");

    failed(&command::output(rootfs(&image, &output)?.args(["--size", "2MiB"]))?, &[&format!("layer 1 ({name})")])?;

    let listed =
        command::run(Command::new(nex::program()).env_clear().args(["cache", "ls", "--cache-dir"]).arg(&cache))?;
    let listed = String::from_utf8(listed)?;
    let keys = || listed.lines().filter_map(|line| line.split_whitespace().nth(1));
    let is_short = |key: &str| key.starts_with("sha256-") && key.ends_with('\u{2026}') && key.chars().count() == 20;
    assert!(keys().count() > 0 && keys().all(is_short), "{listed}");

    let blob = layout.join("blobs/sha256").join(&digest["sha256:".len()..]);
    let mut bytes = fs::read(&blob)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes)?;
    failed(&command::output(&mut rootfs(&image, &output)?)?, &[&format!("layer 1 ({name}): ")])?;

    let changed = command::run(nex::change("set-agent", &output, nex::agent()?).args(["--format", "text"]))?;
    let changed = String::from_utf8(changed)?;
    assert!(changed.lines().any(|line| line.starts_with("agent sha256 ")), "{changed}");
    Ok(())
}
