//! A cache that another user of the machine has got at: nothing of theirs comes into an image, nothing of the caller's is read or
//! deleted elsewhere, and nothing is waited for.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Result, command, nex, places};
use serde_json::Value;

use super::world::{World, notes};

/// Two users of the machine that are nobody else's.
const CALLER: u32 = 64_321;
const OTHER: u32 = 64_322;

/// Levels of a cache, down to the files of an entry. The other shelves, entries and files go through the same lines, and the
/// directory itself and the way there have tests of their own.
const LEVELS: [&str; 5] = ["v1", "v1/layers", "v1/making", "ENTRY", "ENTRY/data"];

/// What another user does to a level.
type Plant<'a> = (&'a str, &'a dyn Fn(&Path) -> Result<()>);

fn as_user(user: u32, command: &Command) -> Command {
    let id = user.to_string();
    let mut as_user = Command::new("setpriv");
    as_user
        .args(["--reuid", &id, "--regid", &id, "--clear-groups", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    as_user.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    as_user
}

fn give(path: &Path, user: u32) -> Result<()> {
    command::run(Command::new("chown").arg("-hR").arg(format!("{user}:{user}")).arg(path)).map(drop)
}

/// The caller's build, which must not wait for anything.
fn build(world: &World, image: &str, user: u32) -> Result<Value> {
    let mut build = Command::new("timeout");
    let inner = as_user(user, &world.command(image, "out.ext4")?);
    build.arg("60").arg(inner.get_program()).args(inner.get_args()).env_clear();
    build.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ok(serde_json::from_slice(&command::run(&mut build)?)?)
}

#[test]
fn whatever_another_user_plants_at_any_level_the_image_is_the_same() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: two users at one cache are root's to play");
        return Ok(());
    }
    for caller in [CALLER, 0] {
        // In memory: fifty builds wait for no disk.
        let world = World::within(Path::new("/dev/shm"))?;
        let image = world.image("layout", &Image::of(&[vec![Entry::file("a", vec![7; 50_000])]])?)?;
        fs::create_dir(world.path("precious"))?;
        fs::write(world.path("precious/file"), "precious")?;
        give(&world.path(""), caller)?;
        command::run(Command::new("chmod").args(["-R", "go=rX"]).arg(world.path("")))?;
        let precious = world.path("precious");
        let plants: [Plant; 5] = [
            ("symlink", &|path| Ok(symlink(&precious, path)?)),
            ("FIFO", &|path| command::run(Command::new("mkfifo").args(["-m", "666"]).arg(path)).map(drop)),
            ("hard link", &|path| Ok(fs::hard_link(precious.join("file"), path)?)),
            ("directory", &|path| {
                fs::create_dir_all(path.join("deep/er"))?;
                symlink(&precious, path.join("deep/link"))?;
                give(path, OTHER)
            }),
            ("open directory", &|path| {
                fs::create_dir(path)?;
                chown(path, Some(caller), Some(OTHER))?;
                Ok(fs::set_permissions(path, Permissions::from_mode(0o777))?)
            }),
        ];
        build(&world, &image, caller)?;
        let (expected, cache) = (world.bytes()?, world.path("cache"));
        fs::rename(&cache, world.path("filled"))?;
        for level in LEVELS {
            for (what, plant) in &plants {
                let case = format!("user {caller}: {what} at {level:?}");
                command::run(Command::new("rm").arg("-rf").arg(&cache))?;
                command::run(Command::new("cp").arg("-a").arg(world.path("filled")).arg(&cache))?;
                let entry = world.entries()?.remove(0);
                let target = match level.strip_prefix("ENTRY") {
                    Some(name) => entry.join(name.trim_start_matches('/')),
                    None => cache.join(level),
                };
                command::run(Command::new("rm").arg("-rf").arg(&target))?;
                // A path that ends in a slash follows a link.
                let target: std::path::PathBuf = target.components().collect();
                plant(&target)?;
                let report = build(&world, &image, caller)?;
                assert!(world.bytes()? == expected, "{case}");
                let notes = notes(&report);
                let is_entry = level.starts_with("ENTRY");
                let told = if is_entry { "is removed: " } else { "built without a cache: " };
                let stays = "cannot be removed: ";
                assert!(notes.contains(told) || is_entry && notes.contains(stays), "{case}: {notes}");
                let file = fs::symlink_metadata(precious.join("file"))?;
                assert_eq!(fs::read_to_string(precious.join("file"))?, "precious", "{case}");
                assert_eq!((nex::names(&precious)?, file.uid()), (vec!["file".to_owned()], caller), "{case}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_cache_below_another_users_directory_is_none() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: two users at one cache are root's to play");
        return Ok(());
    }
    let world = World::new()?;
    let image = world.image("layout", &Image::of(&[vec![Entry::file("a", vec![7; 50_000])]])?)?;
    let expected = world.uncached(&image, &[])?;
    let parent = world.path("parent");
    fs::create_dir(&parent)?;
    let build = || -> Result<(String, Vec<u8>)> {
        let mut build = nex::rootfs(&image, &world.path("out.ext4"))?;
        build.args(["--size", "auto", "--format", "json", "--cache-dir"]).arg(parent.join("cache"));
        let report: Value = serde_json::from_slice(&command::run(&mut build)?)?;
        Ok((notes(&report), world.bytes()?))
    };
    for (owner, mode, is_used) in
        [(0, 0o755, true), (0, 0o1777, true), (0, 0o775, true), (0, 0o757, false), (OTHER, 0o755, false)]
    {
        chown(&parent, Some(owner), None)?;
        fs::set_permissions(&parent, Permissions::from_mode(mode))?;
        let (notes, bytes) = build()?;
        let told = notes.contains("is reached through") && notes.contains("--cache-dir");
        assert_eq!((told, parent.join("cache").exists()), (!is_used, is_used), "{owner} {mode:o}: {notes}");
        assert!(bytes == expected);
        if is_used {
            fs::remove_dir_all(parent.join("cache"))?;
        }
    }
    // A group that is not the user's own may put another directory there.
    chown(&parent, Some(0), Some(OTHER))?;
    fs::set_permissions(&parent, Permissions::from_mode(0o775))?;
    assert!(build()?.0.contains("is reached through"));
    Ok(())
}
