//! A build gives the same bytes whether the cache has all of its layers, some, or none.

use std::fmt::Write;
use std::fs;

use nex_testkit::layer::Entry;
use nex_testkit::layout::{self, Compression, Image};
use nex_testkit::{Failure, Result, command, fsck, nex};

use super::world::{World, cached, forty_layers};
use crate::layers::five_layers;

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

/// The digest of what the reference image's layers are in the cache: each key, which has the format in it, and what the entry holds.
const REFERENCE: &str = "sha256:45165e0b349d5f389d0b458546a4b932c0590df34e321c2e78dcedd8fe13885f";

#[test]
fn placement_is_as_its_format_says() -> Result<()> {
    let world = World::new()?;
    let image = world.image("layout", &forty_layers()?)?;
    world.build(&image, &[])?;
    let mut sums = String::new();
    for entry in world.entries()? {
        let key = entry.file_name().unwrap_or_default().to_string_lossy();
        let [entries, data] = ["entries", "data"].map(|file| fs::read(entry.join(file)));
        writeln!(sums, "{key} {} {}", layout::digest(&entries?), layout::digest(&data?))?;
    }
    let found = layout::digest(sums.as_bytes());
    assert_eq!(
        found, REFERENCE,
        "layers are placed, or written down, in another way: raise FORMAT in crates/rootfs/src/cache/placed_layer.rs, without which \
         caches give what was placed before, and then put the new digest here"
    );
    Ok(())
}
