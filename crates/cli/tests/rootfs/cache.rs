//! The cache: the same bytes with it and without, whoever uses it at the same time, whatever happens to it.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nex_testkit::layer::Entry;
use nex_testkit::layout::{Compression, Image};
use nex_testkit::{Failure, Result, command, fsck, places};
use serde_json::Value;
use tempfile::TempDir;

use crate::layers::five_layers;
use crate::nex::{self, rootfs};

/// A directory with a cache and images.
struct World(TempDir);

impl World {
    fn new() -> Result<Self> {
        Ok(Self(nex::directory()?))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes an image, and gives its reference.
    fn image(&self, name: &str, image: &Image) -> Result<String> {
        image.write(&self.path(name), "image")?;
        Ok(format!("oci:{}:image", self.path(name).display()))
    }

    /// The command that builds with the cache.
    fn command(&self, image: &str, output: &str) -> Result<Command> {
        let mut build = rootfs(image, &self.path(output))?;
        build.env("NEX_SIZE", "auto").args(["--format", "json", "--cache-dir"]).arg(self.path("cache"));
        Ok(build)
    }

    /// Builds with the cache, and gives the report.
    fn build(&self, image: &str, flags: &[&str]) -> Result<Value> {
        Ok(serde_json::from_slice(&command::run(self.command(image, "out.ext4")?.args(flags))?)?)
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        Ok(fs::read(self.path("out.ext4"))?)
    }

    /// The bytes that a build without the cache gives.
    fn uncached(&self, image: &str, flags: &[&str]) -> Result<Vec<u8>> {
        let report = self.build(image, &[&["--no-cache"], flags].concat())?;
        assert!(cached(&report).iter().all(|cached| !cached));
        self.bytes()
    }

    /// Runs `nex cache`.
    fn cache(&self, arguments: &[&str]) -> Result<std::process::Output> {
        let mut cache = Command::new(nex::NEX);
        cache.env_clear().arg("cache").args(arguments).arg("--cache-dir").arg(self.path("cache"));
        command::output(&mut cache)
    }

    fn cache_report(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_slice(&self.cache(&[arguments, &["--format", "json"]].concat())?.stdout)?)
    }

    /// Nothing in the cache is damaged, and nothing is left in the making.
    fn is_sound(&self) -> Result<()> {
        let report = self.cache_report(&["verify"])?;
        assert_eq!((&report["damaged"], &report["foreign"]), (&Value::Array(vec![]), &Value::Array(vec![])));
        assert_eq!(nex::names(&self.path("cache/v1/making"))?, Vec::<String>::new());
        Ok(())
    }

    /// The directories of the layers in the cache.
    fn entries(&self) -> Result<Vec<PathBuf>> {
        let layers = self.path("cache/v1/layers");
        Ok(nex::names(&layers)?.iter().map(|name| layers.join(name)).collect())
    }
}

/// Which layers came from the cache.
fn cached(report: &Value) -> Vec<bool> {
    let layers = report["image"]["layers"].as_array().into_iter().flatten();
    layers.map(|layer| layer["cached"] == true).collect()
}

fn notes(report: &Value) -> String {
    report["notes"].to_string()
}

/// Forty layers, each of which deletes, replaces and adds; with holes, links and attributes.
fn forty_layers() -> Result<Image> {
    let layer = |number: usize| {
        let below = number.wrapping_sub(1);
        let content = |byte: usize, blocks: usize| vec![byte as u8; blocks * 4096 + number];
        vec![
            Entry::directory("d").modified(1_500_000_000 + number as i64, 0),
            Entry::file(format!("d/{number}"), content(number + 1, number % 7)).xattr("user.number", [number as u8]),
            Entry::file("d/replaced", content(number, 3)),
            Entry::whiteout(&format!("d/{below}")),
            Entry::hard_link(format!("d/link{number}"), format!("d/{number}")),
            Entry::sparse(format!("d/sparse{number}"), 1 << 20, &[(number as u64 * 5000, b"here".to_vec())]),
            Entry::file(format!("implicit{number}/deep/file"), ""),
            Entry::whiteout(&format!("implicit{below}")),
        ]
    };
    Image::of(&(0..40).map(layer).collect::<Vec<_>>())
}

#[test]
fn cold_filling_and_warm_builds_give_the_same_bytes() -> Result<()> {
    for image in [five_layers()?, five_layers()?.compressed(Compression::Zstd), forty_layers()?] {
        let world = World::new()?;
        let layers = image.layers.len();
        let image = world.image("layout", &image)?;
        let expected = world.uncached(&image, &[])?;
        assert!(!world.path("cache").exists(), "--no-cache makes a cache");
        for warm in [false, true, true] {
            let report = world.build(&image, &[])?;
            assert_eq!(cached(&report), vec![warm; layers]);
            assert!(world.bytes()? == expected, "another file system with the cache, warm: {warm}");
        }
        fsck::judge(&world.path("out.ext4"))?;
        world.is_sound()?;
    }
    Ok(())
}

#[test]
fn size_inodes_time_and_agent_need_no_entry_of_their_own() -> Result<()> {
    let world = World::new()?;
    let image = world.image("layout", &forty_layers()?)?;
    world.build(&image, &[])?;
    for flags in [
        &["--size", "64MiB"][..],
        &["--size", "100MiB", "--inodes", "5000"],
        &["--no-journal", "--label", "x", "--hostname", "h"],
        &["--verity", "--reserved", "5%"],
    ] {
        let expected = world.uncached(&image, flags)?;
        assert!(cached(&world.build(&image, flags)?).iter().all(|cached| *cached), "{flags:?}");
        assert!(world.bytes()? == expected, "{flags:?}");
    }
    let at = |flags: &[&str], output: &str| -> Result<Vec<u8>> {
        command::run(world.command(&image, output)?.env("SOURCE_DATE_EPOCH", "1700000000").args(flags))?;
        Ok(fs::read(world.path(output))?)
    };
    assert!(at(&[], "warm")? == at(&["--no-cache"], "cold")?, "the time of implicit directories");
    Ok(())
}

#[test]
fn another_place_for_data_and_other_limits_are_other_entries() -> Result<()> {
    let world = World::new()?;
    let image = world.image("layout", &five_layers()?)?;
    world.build(&image, &[])?;
    for flags in [["--max-size", "2TiB"], ["--max-entries", "1000"], ["--max-unpacked", "1GiB"]] {
        let expected = world.uncached(&image, &flags)?;
        assert_eq!(cached(&world.build(&image, &flags)?), [false; 5], "{flags:?}");
        assert!(world.bytes()? == expected, "{flags:?}");
        assert_eq!(cached(&world.build(&image, &flags)?), [true; 5], "{flags:?}");
    }
    nex::fails(
        world.command(&image, "out.ext4")?.args(["--max-entries", "10"]),
        &world.path("layout"),
        &["more than 10 entries"],
    )
}

#[test]
fn a_build_begins_where_the_known_layers_end() -> Result<()> {
    let world = World::new()?;
    let whole = five_layers()?;
    let base = Image { layers: whole.layers[..3].to_vec(), ..whole.clone() };
    world.build(&world.image("base", &base)?, &[])?;
    let image = world.image("whole", &whole)?;
    let expected = world.uncached(&image, &[])?;
    assert_eq!(cached(&world.build(&image, &[])?), [true, true, true, false, false]);
    assert!(world.bytes()? == expected);
    // And again, when one in the middle is gone.
    let gone = world.entries()?.pop().ok_or(Failure::new("no entries"))?;
    fs::remove_dir_all(gone)?;
    assert_eq!(cached(&world.build(&image, &[])?).iter().filter(|cached| !**cached).count(), 1);
    assert!(world.bytes()? == expected);
    world.is_sound()
}

#[test]
fn what_does_not_fit_is_told_as_without_a_cache_and_not_kept() -> Result<()> {
    let world = World::new()?;
    let large = Entry::file("large", vec![7; 40 << 20]);
    let image = world.image("layout", &Image::of(&[vec![Entry::file("small", "x")], vec![large]])?)?;
    let too_small = ["--size", "20MiB"];
    let message = |flags: &[&str]| -> Result<String> {
        let result = command::output(world.command(&image, "out.ext4")?.args(too_small).args(flags))?;
        Ok(String::from_utf8_lossy(&result.stderr).into_owned())
    };
    let expected = message(&["--no-cache"])?;
    assert!(expected.contains("does not fit"), "{expected}");
    assert_eq!(message(&[])?, expected);
    assert_eq!(world.entries()?.len(), 1, "what was only counted is kept");
    assert_eq!(cached(&world.build(&image, &[])?), [true, false]);
    assert_eq!(message(&[])?, expected, "warm");
    Ok(())
}

#[test]
fn tars_directories_and_nothing_are_not_kept() -> Result<()> {
    let world = World::new()?;
    fs::write(world.path("root.tar"), nex_testkit::layer::tar(&[Entry::file("a", "a")])?)?;
    fs::create_dir(world.path("root"))?;
    for image in
        [format!("tar:{}", world.path("root.tar").display()), format!("rootfs:{}", world.path("root").display())]
    {
        let report = world.build(&image, &[])?;
        assert_eq!(cached(&report), [false], "{image}");
    }
    world.build("scratch", &[])?;
    assert!(world.entries()?.is_empty());
    Ok(())
}

#[test]
fn the_blob_of_a_known_layer_is_not_read() -> Result<()> {
    let world = World::new()?;
    let image = world.image("layout", &five_layers()?)?;
    world.build(&image, &[])?;
    let expected = world.bytes()?;
    for blob in nex::names(&world.path("layout/blobs/sha256"))? {
        let blob = world.path("layout/blobs/sha256").join(blob);
        if fs::read(&blob)?.starts_with(&[0x1f, 0x8b]) {
            fs::write(blob, "not read")?;
        }
    }
    world.build(&image, &[])?;
    assert!(world.bytes()? == expected);
    nex::fails(world.command(&image, "out.ext4")?.arg("--no-cache"), &world.path("layout"), &["layer 1"])
}

/// What happens to the directory of an entry, and what is said of it.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path) -> Result<()>);

#[test]
fn a_damaged_entry_is_told_removed_and_made_again() -> Result<()> {
    let damages: [Damage; 7] = [
        ("its header is damaged", &|entry| flip(&entry.join("entry"), 30)),
        ("the bytes of entries are not", &|entry| flip(&entry.join("entries"), 9)),
        ("the bytes of layer are not", &|entry| flip(&entry.join("layer"), 20)),
        ("data has 100 bytes", &|entry| Ok(File::options().write(true).open(entry.join("data"))?.set_len(100)?)),
        ("entries is missing", &|entry| Ok(fs::remove_file(entry.join("entries"))?)),
        ("it is not a directory", &|entry| {
            fs::remove_dir_all(entry)?;
            Ok(fs::write(entry, "a file")?)
        }),
        ("it is not a directory", &|entry| {
            fs::remove_dir_all(entry)?;
            Ok(symlink("/etc", entry)?)
        }),
    ];
    let world = World::new()?;
    let image = world.image("layout", &Image::of(&[vec![Entry::file("a", vec![7; 50_000])]])?)?;
    world.build(&image, &[])?;
    let expected = world.bytes()?;
    for (what, damage) in damages {
        damage(&world.entries()?[0])?;
        let report = world.build(&image, &[])?;
        assert!(notes(&report).contains(what), "{what}: {}", notes(&report));
        assert!(world.bytes()? == expected, "{what}");
        assert_eq!(cached(&world.build(&image, &[])?), [true], "{what}");
    }
    assert!(Path::new("/etc").exists());
    world.is_sound()?;

    flip(&world.entries()?[0].join("data"), 5000)?;
    fs::write(world.path("cache/v1/layers/foreign"), "")?;
    let result = world.cache(&["verify"])?;
    let text = String::from_utf8_lossy(&result.stdout);
    assert_eq!(result.status.code(), Some(1), "{text}");
    assert!(
        text.contains("the bytes of data are not those that were kept") && text.contains("layers/foreign"),
        "{text}"
    );
    assert!(world.path("cache/v1/layers/foreign").exists());
    fs::remove_file(world.path("cache/v1/layers/foreign"))?;
    assert_eq!(cached(&world.build(&image, &[])?), [false]);
    world.is_sound()
}

fn flip(path: &Path, offset: u64) -> Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    Ok(file.write_all_at(&[!byte[0]], offset)?)
}

#[test]
fn no_state_of_the_cache_breaks_a_build() -> Result<()> {
    let world = World::new()?;
    let image = world.image("layout", &five_layers()?)?;
    let expected = world.uncached(&image, &[])?;
    let builds_with_note = |flags: &[&str], words: &str| -> Result<()> {
        let report = world.build(&image, flags)?;
        assert!(notes(&report).contains(words), "{words}: {}", notes(&report));
        assert!(world.bytes()? == expected, "{words}");
        Ok(())
    };
    builds_with_note(&["--cache-limit", "1"], "more than its limit of 1")?;
    fs::set_permissions(world.path("cache"), Permissions::from_mode(0o777))?;
    builds_with_note(&[], "others can write to the cache")?;
    assert_eq!(world.cache(&["ls"])?.status.code(), Some(1));
    fs::set_permissions(world.path("cache"), Permissions::from_mode(0o700))?;
    if places::is_root() {
        std::os::unix::fs::chown(world.path("cache"), Some(65534), None)?;
        builds_with_note(&[], "belongs to user 65534, not to user 0")?;
        std::os::unix::fs::chown(world.path("cache"), Some(0), None)?;
    } else {
        eprintln!("LEFT OUT: giving the cache to another user is root's");
    }
    fs::remove_dir_all(world.path("cache"))?;
    fs::write(world.path("cache"), "a file")?;
    builds_with_note(&[], "is not a directory")?;
    // A full disk and one that is read only take no new files, which is the same as a directory without the place for them.
    fs::remove_file(world.path("cache"))?;
    fs::create_dir(world.path("cache"))?;
    fs::set_permissions(world.path("cache"), Permissions::from_mode(0o755))?;
    fs::write(world.path("cache/v1"), "")?;
    builds_with_note(&[], "built without a cache")
}

#[test]
fn a_full_or_read_only_file_system_is_no_trouble() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: mounting a file system for the cache is root's");
        return Ok(());
    }
    let world = World::new()?;
    let content: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    let image = world.image("layout", &Image::of(&[vec![Entry::file("a", content)]])?)?;
    let expected = world.uncached(&image, &[])?;
    fs::create_dir(world.path("cache"))?;
    let mount = Mounted::tmpfs(&world.path("cache"), "8m")?;
    let report = world.build(&image, &[])?;
    assert!(notes(&report).contains("left to others"), "{}", notes(&report));
    assert!(world.bytes()? == expected);
    mount.remount("size=64m")?;
    world.build(&image, &[])?;
    mount.remount("ro")?;
    assert_eq!(cached(&world.build(&image, &[])?), [true]);
    assert!(world.bytes()? == expected);
    let report = world.build(&world.image("other", &five_layers()?)?, &[])?;
    assert!(notes(&report).contains("Read-only"), "{}", notes(&report));
    Ok(())
}

/// A file system of a test, unmounted in the end.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(place: &Path, size: &str) -> Result<Self> {
        let options = format!("size={size},mode=700");
        command::run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place))?;
        Ok(Self(place.into()))
    }

    fn remount(&self, options: &str) -> Result<()> {
        command::run(Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0)).map(drop)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(command::run(Command::new("umount").arg(&self.0)));
    }
}

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

fn kill_many(kills: u64) -> Result<()> {
    let world = World::new()?;
    let noise: Vec<u8> = (0..200_000u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let layer = |number: usize| vec![Entry::file(format!("{number}"), &noise[number * 1000..])];
    let image = world.image("layout", &Image::of(&(0..20).map(layer).collect::<Vec<_>>())?)?;
    let expected = world.uncached(&image, &[])?;
    let mut left_behind = 0;
    for number in 0..kills {
        if number % 4 == 0 {
            world.cache(&["gc", "--all"])?;
        }
        let mut build = world.command(&image, "killed.ext4")?;
        let mut build = build.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // Prime steps hit every part of a build.
        std::thread::sleep(Duration::from_micros(number * 7919 % 150_000));
        build.kill()?;
        build.wait()?;
        let making = world.path("cache/v1/making");
        left_behind += usize::from(making.exists() && !nex::names(&making)?.is_empty());
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
