//! A real registry, with and without a password.

use std::fs;

use nex_testkit::layout::{self, Image};
use nex_testkit::nex::{self, fails, rootfs};
use nex_testkit::registry::{Protection, Registry};
use nex_testkit::{Result, command, fsck, skopeo};

use crate::layers::five_layers;

/// `ali:open sesame`, as a configuration file has it.
const BASIC: &str = "YWxpOm9wZW4gc2VzYW1l";

#[test]
fn a_password_is_taken_from_the_file_that_the_variable_names() -> Result<()> {
    let directory = nex::directory()?;
    let source = directory.path().join("layout");
    five_layers()?.write(&source, "image")?;
    let registry = Registry::start(Protection::Password)?;
    let pushed = skopeo::push(&format!("oci:{}:image", source.display()), &registry, "team/image:one")?;
    let output = directory.path().join("out.ext4");
    let pull = || -> Result<_> {
        let mut pull = rootfs(&pushed, &output)?;
        pull.arg("--plain-http");
        Ok(pull)
    };
    let address = registry.address().to_string();
    fails(&mut pull()?, directory.path(), &["401", &address, "REGISTRY_AUTH_FILE"])?;

    let auth = directory.path().join("auth.json");
    fs::write(&auth, format!(r#"{{"auths": {{"{address}": {{"auth": "{BASIC}"}}}}}}"#))?;
    command::run(pull()?.env("REGISTRY_AUTH_FILE", &auth))?;
    fsck::judge(&output)?;

    let docker = directory.path().join("docker");
    fs::create_dir(&docker)?;
    fs::rename(&auth, docker.join("config.json"))?;
    command::run(pull()?.env("DOCKER_CONFIG", &docker))?;
    Ok(())
}

#[test]
fn missing_images_tags_and_platforms_are_named_with_what_there_is() -> Result<()> {
    let directory = nex::directory()?;
    let source = directory.path().join("layout");
    five_layers()?.write(&source, "image")?;
    let registry = Registry::start(Protection::Open)?;
    let pushed = skopeo::push(&format!("oci:{}:image", source.display()), &registry, "team/image:one")?;
    let output = directory.path().join("out.ext4");
    let name = pushed.trim_end_matches(":one");
    let mut pull = rootfs(&format!("{name}:two"), &output)?;
    fails(pull.arg("--plain-http"), directory.path(), &["two", "one"])?;
    let mut pull = rootfs(&format!("{}/no/such:one", registry.address()), &output)?;
    fails(pull.arg("--plain-http"), directory.path(), &["no/such"])?;
    let agent = nex::agent_for_aarch64(directory.path())?;
    let mut pull = nex::rootfs_with(&agent, &pushed, &output);
    fails(pull.args(["--plain-http", "--platform", "linux/arm64"]), directory.path(), &["linux/arm64", "linux/amd64"])
}

#[test]
fn an_index_is_resolved_by_platform() -> Result<()> {
    let directory = nex::directory()?;
    let source = directory.path().join("layout");
    let here = Image { architecture: "amd64", ..five_layers()? };
    let there = Image { architecture: "riscv64", layers: vec![here.layers[0].clone()], ..here.clone() };
    let both = vec![there.write_manifest(&source, "image")?, here.write_manifest(&source, "image")?];
    layout::write_index(&source, both, true)?;
    let output = directory.path().join("out.ext4");
    let image = format!("oci:{}", source.display());
    let mut build = rootfs(&image, &output)?;
    let report = command::run(build.args(["--platform", "linux/amd64", "--format", "json"]))?;
    let report: serde_json::Value = serde_json::from_slice(&report)?;
    assert_eq!(report["image"]["platform"], "linux/amd64");
    assert_eq!(report["image"]["layers"].as_array().map(Vec::len), Some(5));
    let agent = nex::agent_for_aarch64(directory.path())?;
    let mut build = nex::rootfs_with(&agent, &image, &output);
    fails(build.args(["--platform", "linux/arm64"]), directory.path(), &["linux/arm64", "linux/amd64", "linux/riscv64"])
}

#[test]
fn a_registry_that_is_not_there_or_not_allowed_is_named() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    let gone = Registry::start(Protection::Open)?.address().to_string();
    let image = format!("{gone}/team/image:one");
    fails(rootfs(&image, &output)?.arg("--plain-http"), directory.path(), &[&gone])?;
    fails(rootfs(&image, &output)?.arg("--offline"), directory.path(), &["--offline"])
}

#[test]
fn what_a_registry_has_sent_is_enough_without_it() -> Result<()> {
    let directory = nex::directory()?;
    let source = directory.path().join("layout");
    five_layers()?.write(&source, "image")?;
    let registry = Registry::start(Protection::Open)?;
    let pushed = skopeo::push(&format!("oci:{}:image", source.display()), &registry, "team/image:one")?;
    let (output, cache) = (directory.path().join("out.ext4"), directory.path().join("cache"));
    let build = |flags: &[&str]| -> Result<_> {
        let mut build = rootfs(&pushed, &output)?;
        build.args(["--size", "auto", "--plain-http", "--cache-dir"]).arg(&cache).args(flags);
        Ok(build)
    };
    fails(&mut build(&["--offline"])?, &source, &["--offline", "the cache does not hold all of it"])?;
    command::run(&mut build(&["--no-cache"])?)?;
    let expected = fs::read(&output)?;
    let same = |flags: &[&str]| -> Result<String> {
        let printed = command::run(&mut build(flags)?)?;
        assert!(fs::read(&output)? == expected, "{flags:?}");
        Ok(String::from_utf8_lossy(&printed).into_owned())
    };
    same(&[])?;

    // A blob that was damaged meanwhile is asked for again.
    let layers = cache.join("v1/layers");
    let blobs = cache.join("v1/blobs");
    let largest = nex::names(&blobs)?.into_iter().map(|name| blobs.join(name).join("content"));
    let largest = largest.max_by_key(|blob| blob.metadata().map_or(0, |blob| blob.len())).unwrap_or_default();
    let mut bytes = fs::read(&largest)?;
    bytes[20] ^= 1;
    fs::write(&largest, bytes)?;
    fs::remove_dir_all(&layers)?;
    // A quiet report for people has no notes.
    assert!(same(&["--format", "json"])?.contains("an entry of the cache was damaged"));

    drop(registry);
    assert!(same(&["--offline"])?.contains("from the cache"), "placed layers are kept");
    fs::remove_dir_all(&layers)?;
    assert!(!same(&["--offline"])?.contains("from the cache"), "blobs are kept");
    fs::remove_dir_all(&layers)?;
    fs::remove_dir_all(largest.parent().unwrap_or(&largest))?;
    fails(&mut build(&["--offline"])?, &source, &["--offline"])
}

/// Whoever builds many images sees which one failed, also where the server has another name than the image.
#[test]
fn a_registry_that_cannot_be_reached_is_told_with_the_image() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    // Nobody listens at a port that was just given back.
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let image = format!("{address}/team/image:one");
    let refused = [format!("cannot fetch {image}: "), format!("{address}: connection refused")];
    let words: Vec<_> = refused.iter().map(String::as_str).collect();
    fails(rootfs(&image, &output)?.arg("--plain-http"), directory.path(), &words)?;
    let image = "registry.invalid/team/image:one";
    let words = [&*format!("cannot fetch {image}: "), "registry.invalid: the name cannot be resolved"];
    fails(&mut rootfs(image, &output)?, directory.path(), &words)?;
    // The credentials that were given are named where they are wrong, and nowhere else.
    let registry = Registry::start(Protection::Password)?;
    let image = format!("{}/team/image:one", registry.address());
    let mut pull = rootfs(&image, &output)?;
    let wrong = ["does not accept the credentials that were given", "the password of --creds"];
    fails(pull.args(["--plain-http", "--creds", "ali:wrong"]), directory.path(), &wrong)?;
    let none = ["no credentials found", "podman login", "--creds"];
    fails(rootfs(&image, &output)?.arg("--plain-http"), directory.path(), &none)
}
