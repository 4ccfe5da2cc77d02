//! `nex rootfs check` as users run it: on what nex makes, what others make, and what debugfs breaks.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use nex_testkit::debian::Debian;
use nex_testkit::guest::Parts;
use nex_testkit::layer::{self, Entry};
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, build};
use nex_testkit::{Failure, Result, command, corpus, places};
use serde_json::Value;

fn check(image: &Path, arguments: &[&str]) -> Result<Output> {
    command::output(Command::new(nex::program()).env_clear().args(["rootfs", "check"]).arg(image).args(arguments))
}

/// The report as JSON, when the exit code is as expected.
fn report(image: &Path, arguments: &[&str], code: i32) -> Result<Value> {
    let result = check(image, &[arguments, &["--format", "json"]].concat())?;
    let text = String::from_utf8_lossy(&result.stdout).into_owned();
    if result.status.code() != Some(code) || !result.stderr.is_empty() {
        return Err(Failure::new(format!("{}\n{text}{}", result.status, String::from_utf8_lossy(&result.stderr))));
    }
    Ok(serde_json::from_str(&text)?)
}

/// Nothing above the severity info.
fn sound(image: &Path) -> Result<Value> {
    let report = report(image, &[], 0)?;
    let findings = report["findings"].as_array().ok_or_else(|| Failure::new("no findings"))?;
    match findings.iter().find(|finding| finding["severity"] != "info") {
        None => Ok(report),
        Some(finding) => Err(Failure::new(format!("{}: {finding}", image.display()))),
    }
}

fn ids(report: &Value) -> Vec<&str> {
    report["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["id"].as_str()).collect()
}

fn debugfs(image: &Path, request: &str) -> Result<()> {
    command::run(Command::new("debugfs").args(["-w", "-R", request]).arg(image)).map(drop)
}

#[test]
fn what_nex_makes_is_sound() -> Result<()> {
    let directory = nex::directory()?;
    let image = directory.path().join("image.ext4");
    build("scratch", &image)?;
    let report = sound(&image)?;
    assert_eq!((&report["schemaVersion"], &report["architecture"]), (&1.into(), &"amd64".into()));
    assert_eq!(report["init"], "/sbin/init (/usr/local/bin/agent)");
    for (machine, agent) in
        [("x86_64", nex::agent()?.to_owned()), ("aarch64", nex::agent_for_aarch64(directory.path())?)]
    {
        let Some(tar) = corpus::alpine(machine)? else { continue };
        let path = directory.path().join("alpine.tar");
        fs::write(&path, tar)?;
        let platform = if machine == "aarch64" { "linux/arm64" } else { "linux/amd64" };
        let image = format!("tar:{}", path.display());
        let output = directory.path().join("alpine.ext4");
        command::run(nex::rootfs_with(&agent, &image, &output).args(["--size", "auto", "--platform", platform]))?;
        sound(&output)?;
    }
    Ok(())
}

/// Who is process 1 is said where it is not the agent.
#[test]
fn the_image_as_process_one_is_shown() -> Result<()> {
    let directory = nex::directory()?;
    let [layout, image] = ["layout", "image.ext4"].map(|name| directory.path().join(name));
    let config = serde_json::json!({ "Cmd": ["/bin/server"] });
    let server = Entry::file("bin/server", fs::read("/bin/busybox")?).mode(0o755);
    Image { config, ..Image::of(&[vec![server]])? }.write(&layout, "image")?;
    let reference = format!("oci:{}", layout.display());
    let shown = |pid1: &str| -> Result<(String, Value)> {
        command::run(nex::rootfs(&reference, &image)?.args(["--size", "auto", "--pid1", pid1]))?;
        Ok((String::from_utf8_lossy(&check(&image, &[])?.stdout).into_owned(), report(&image, &[], 0)?))
    };
    let (text, report) = shown("image")?;
    assert!(text.contains("\npid1        image: ") && report["pid1"] == "image", "{text}");
    let (text, report) = shown("agent")?;
    assert!(!text.contains("pid1") && report["pid1"].is_null(), "{text}");
    Ok(())
}

#[test]
fn openrc_and_systemd_as_nex_wires_them_are_sound() -> Result<()> {
    let busybox = fs::read("/bin/busybox")?;
    let program = |path: &str| Entry::file(path, busybox.clone()).mode(0o755);
    let table = "::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\n";
    let openrc = [
        program("bin/busybox"),
        Entry::symlink("sbin/init", "/bin/busybox"),
        Entry::symlink("sbin/getty", "/bin/busybox"),
        Entry::symlink("bin/sh", "/bin/busybox"),
        program("sbin/openrc"),
        Entry::file("etc/inittab", table),
    ];
    let systemd = [
        program("usr/lib/systemd/systemd"),
        Entry::symlink("sbin/init", "../usr/lib/systemd/systemd"),
        Entry::file("usr/lib/systemd/system/console-getty.service", "[Service]\n"),
        Entry::file("usr/lib/systemd/system/default.target", "[Unit]\n"),
        Entry::file("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        program("sbin/agetty"),
        program("bin/sh"),
    ];
    let directory = nex::directory()?;
    for (entries, wiring) in
        [(&openrc[..], "/etc/runlevels/boot/agent"), (&systemd[..], "/etc/systemd/system/agent.service")]
    {
        let tar = directory.path().join("image.tar");
        fs::write(&tar, layer::tar(entries)?)?;
        let output = directory.path().join("image.ext4");
        build(&format!("tar:{}", tar.display()), &output)?;
        sound(&output)?;
        debugfs(&output, &format!("rm {wiring}"))?;
        assert_eq!(ids(&report(&output, &[], 1)?), ["agent-not-started"]);
    }
    Ok(())
}

#[test]
fn what_debugfs_breaks_is_told() -> Result<()> {
    let directory = nex::directory()?;
    let image = directory.path().join("image.ext4");
    for (request, id) in [
        ("set_inode_field /usr/local/bin/agent mode 0100644", "init-not-executable"),
        ("rm /sbin/init", "init-missing"),
        ("rmdir /dev", "dev-missing"),
    ] {
        build("scratch", &image)?;
        debugfs(&image, request)?;
        assert!(ids(&report(&image, &[], 1)?).contains(&id), "{request}");
        let text = String::from_utf8_lossy(&check(&image, &[])?.stdout).into_owned();
        assert!(text.contains(&format!("error       {id}: ")) && text.contains("it will not work"), "{text}");
        let quiet = check(&image, &["--quiet"])?;
        assert!(String::from_utf8_lossy(&quiet.stdout).starts_with("error "));
    }
    Ok(())
}

#[test]
fn exit_codes_tell_errors_from_what_is_unknown() -> Result<()> {
    let directory = nex::directory()?;
    let image = directory.path().join("image.ext4");
    build("scratch", &image)?;
    let quiet = check(&image, &["--quiet"])?;
    assert_eq!((quiet.status.code(), quiet.stdout.len()), (Some(0), 0));
    assert_eq!(check(&image, &["--kernel-config", "config"])?.status.code(), Some(2));

    let missing = directory.path().join("missing");
    nex::failed(&check(&missing, &[])?, &["cannot read", "No such file"])?;
    nex::failed(&check(directory.path(), &[])?, &["it is a directory, but must be a regular file or a block device"])?;
    let agent = nex::agent()?.to_string_lossy();
    let no_config = ["--kernel", nex::program(), "--kernel-config", &agent];
    nex::failed(&check(&image, &no_config)?, &["has no CONFIG_ line"])?;
    assert_eq!(ids(&report(&image, &["--kernel", nex::program()], 1)?), ["no-kernel"]);
    let tar = directory.path().join("file.tar");
    fs::write(&tar, layer::tar(&[Entry::file("f", "content")])?)?;
    assert_eq!(ids(&report(&tar, &[], 1)?), ["not-ext4"]);

    let Some(parts) = Parts::find()? else { return Ok(()) };
    let kernel = parts.kernel.to_string_lossy();
    let unknown = report(&image, &["--kernel", &kernel], 3)?;
    assert!(unknown["unchecked"][0]["hint"].as_str().is_some_and(|hint| hint.contains("--kernel-config")), "{unknown}");
    let config = directory.path().join("config");
    fs::write(&config, "# Automatically generated file; DO NOT EDIT.\nCONFIG_EXT4_FS=m\n")?;
    let config = config.to_string_lossy();
    let lacking = report(&image, &["--kernel", &kernel, "--kernel-config", &config], 1)?;
    assert!(ids(&lacking).contains(&"kernel-block"), "{lacking}");
    Ok(())
}

#[test]
#[ignore = "slow: makes Debian images with mmdebstrap, once"]
fn debian_s_images_are_sound_whoever_makes_the_file_system() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: mmdebstrap is root's");
        return Ok(());
    }
    let directory = nex::directory()?;
    for debian in [Debian::Services, Debian::Next] {
        let tar = debian.tar()?;
        let output = directory.path().join("image.ext4");
        build(&format!("tar:{}", tar.display()), &output)?;
        let report = sound(&output)?;
        assert_eq!(report["agent"], "/usr/local/bin/agent");
        // As mke2fs makes it of the tree: nothing is wrong but what there is no agent for.
        let tree = directory.path().join("tree");
        fs::create_dir(&tree)?;
        command::run(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&tree))?;
        fs::remove_file(&output)?;
        command::run(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).args([&tree, &output]).arg("700M"))?;
        fs::remove_dir_all(&tree)?;
        let text = String::from_utf8_lossy(&check(&output, &["--quiet"])?.stdout).into_owned();
        let expected =
            if debian == Debian::Services { "warning     getty-waits: " } else { "warning     init-shell: " };
        assert!(text.starts_with(expected) && text.lines().count() == 2, "{text}");
    }
    Ok(())
}
