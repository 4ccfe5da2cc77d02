//! Many builds at once, and builds that are killed.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Result, nex, noise};

use super::world::World;
use crate::layers::five_layers;

#[test]
fn many_builds_at_once_use_one_cache() -> Result<()> {
    const BUILDS: usize = 50;
    let world = World::new()?;
    let image = world.image("layout", &five_layers()?)?;
    let expected = world.uncached(&image, &[])?;
    let mut running = Vec::new();
    for number in 0..BUILDS {
        // Some of them remove what others have just made.
        let limit = if number % 10 == 9 { "30000" } else { "1GiB" };
        let mut build = world.command(&image, &format!("{number}.ext4"))?;
        running.push(build.args(["--cache-limit", limit]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?);
    }
    for (number, build) in running.into_iter().enumerate() {
        let result = build.wait_with_output()?;
        assert!(result.status.success(), "{number}: {}", String::from_utf8_lossy(&result.stderr));
        assert!(fs::read(world.path(&format!("{number}.ext4")))? == expected, "{number}");
    }
    world.is_sound()
}

/// Kills builds until so many were killed, and one at least had something to leave behind.
fn kill_many(kills: u64) -> Result<()> {
    let world = World::new()?;
    let noise = noise::bytes(800_000, 1);
    let layer = |number: usize| vec![Entry::file(format!("{number}"), &noise[number * 1000..])];
    let image = world.image("layout", &Image::of(&(0..20).map(layer).collect::<Vec<_>>())?)?;
    let expected = world.uncached(&image, &[])?;
    let mut left_behind = 0u32;
    for number in 0..kills * 20 {
        if number >= kills && left_behind > 0 {
            break;
        }
        if number % 4 == 0 {
            world.cache(&["gc", "--all"])?;
        }
        let mut build = world.command(&image, "killed.ext4")?;
        let mut build = build.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // Prime steps hit every part of a build.
        thread::sleep(Duration::from_micros(number * 7919 % 150_000));
        build.kill()?;
        build.wait()?;
        let making = world.path("cache/v1/making");
        left_behind += u32::from(making.exists() && !nex::names(&making)?.is_empty());
    }
    assert!(left_behind > 0, "no kill came when there was something to leave behind");
    world.build(&image, &[])?;
    assert!(world.bytes()? == expected);
    world.is_sound()
}

#[test]
fn a_killed_build_leaves_nothing_that_the_next_does_not_remove() -> Result<()> {
    kill_many(20)
}

#[test]
#[ignore = "slow: a hundred builds, each killed at another moment"]
fn a_hundred_killed_builds_leave_nothing_that_the_next_does_not_remove() -> Result<()> {
    kill_many(100)
}
