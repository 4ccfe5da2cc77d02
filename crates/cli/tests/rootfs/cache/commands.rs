//! Where the cache is, and the commands that tell about it and shrink it.

use std::fs;
use std::path::Path;

use nex_testkit::nex::{self, rootfs};
use nex_testkit::{Result, command};
use serde_json::Value;

use super::world::World;
use crate::layers::five_layers;

#[test]
fn the_default_is_the_users_cache_and_no_home_is_made_up() -> Result<()> {
    let world = World::new()?;
    let image = world.image("layout", &five_layers()?)?;
    let build = |name: &str, value: &Path| -> Result<()> {
        command::run(rootfs(&image, &world.path("out.ext4"))?.args(["--size", "auto"]).env(name, value)).map(drop)
    };
    fs::create_dir(world.path("home"))?;
    build("HOME", &world.path("home"))?;
    assert!(world.path("home/.cache/nex/v1/layers").exists());
    build("XDG_CACHE_HOME", &world.path("xdg"))?;
    assert!(world.path("xdg/nex/v1/layers").exists());
    build("NEX_CACHE_DIR", &world.path("named"))?;
    assert!(world.path("named/v1/layers").exists());
    build("HOME", &world.path("nobody"))?;
    assert!(!world.path("nobody").exists());
    Ok(())
}

#[test]
fn the_commands_tell_and_shrink() -> Result<()> {
    let world = World::new()?;
    assert_eq!(world.cache_report(&["ls"])?["entries"], Value::Array(vec![]));
    assert!(!world.path("cache").exists(), "looking makes a cache");
    fs::create_dir(world.path("cache"))?;
    for command in ["ls", "du", "verify", "gc"] {
        world.cache_report(&[command])?;
        assert_eq!(nex::names(&world.path("cache"))?, Vec::<String>::new(), "{command} makes a cache");
    }
    let image = world.image("layout", &five_layers()?)?;
    world.build(&image, &[])?;
    let listed = world.cache_report(&["ls"])?;
    assert_eq!(listed["entries"].as_array().map(Vec::len), Some(5));
    let usage = world.cache_report(&["du"])?;
    assert_eq!(usage["bytes"], listed["bytes"]);
    let text = world.cache(&["ls"])?.stdout;
    assert!(String::from_utf8_lossy(&text).contains(&format!("layer 5 of {image}")));
    let limit = usage["bytes"].as_u64().unwrap_or_default() / 2;
    let collected = world.cache_report(&["gc", "--cache-limit", &limit.to_string()])?;
    assert!(collected["bytes"].as_u64().is_some_and(|bytes| bytes > 0 && bytes <= limit), "{collected}");
    world.cache_report(&["gc", "--all"])?;
    assert_eq!(world.cache_report(&["du"])?["bytes"], 0);
    assert!(world.entries()?.is_empty());
    Ok(())
}
