//! Damaged entries, and caches that cannot be used: a build goes on all the same.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Result, places};

use super::mounted::Mounted;
use super::world::{World, cached, notes};
use crate::layers::five_layers;

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
    assert!(notes(&report).contains("free for other programs"), "{}", notes(&report));
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
