//! Entries with right checksums and nonsense in them: the build ends as without a cache, and says what it removed.

use std::fs;
use std::path::{Path, PathBuf};

use nex_testkit::cache_entry::reseal;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, rootfs};
use nex_testkit::registry::{Protection, Registry};
use nex_testkit::{Failure, Result, command, skopeo};
use serde_json::{Value, json};

use super::world::{World, cached, notes};

/// What becomes of an entry's directory before its checksums are made right again.
type Rewrite<'a> = (&'a str, &'a dyn Fn(&Path) -> Result<()>);

/// A layer that a second one needs: it links to a file of the first, and stands in one of its directories.
fn two_layers(first: Vec<Entry>) -> Result<Image> {
    let second = vec![Entry::file("d/b", vec![9; 9000]), Entry::hard_link("c", "a")];
    Image::of(&[first, second])
}

fn whole() -> Vec<Entry> {
    vec![Entry::file("a", vec![7; 50_000]), Entry::directory("d"), Entry::file("d/x", vec![8; 5000])]
}

fn facts(entry: &Path, change: impl FnOnce(&mut Value)) -> Result<()> {
    let mut facts: Value = serde_json::from_slice(&fs::read(entry.join("layer"))?)?;
    change(&mut facts);
    Ok(fs::write(entry.join("layer"), facts.to_string())?)
}

/// The entry of the layer with this number, by what it says of itself.
fn layer(world: &World, image: &str, number: usize) -> Result<PathBuf> {
    let about = format!("layer {number} of {image}");
    let is_it = |entry: &PathBuf| fs::read_to_string(entry.join("entry")).is_ok_and(|header| header.contains(&about));
    world.entries()?.into_iter().find(is_it).ok_or_else(|| Failure::new(about.clone()))
}

#[test]
fn a_layer_that_makes_no_sense_is_removed_and_made_again() -> Result<()> {
    let rewrites: [Rewrite; 16] = [
        ("facts of another form", &|entry| Ok(fs::write(entry.join("layer"), "[]")?)),
        ("no facts", &|entry| Ok(fs::write(entry.join("layer"), "")?)),
        ("entries that cannot be read", &|entry| Ok(fs::write(entry.join("entries"), [0xff; 99])?)),
        ("no entries", &|entry| Ok(fs::write(entry.join("entries"), "")?)),
        ("entries twice", &|entry| {
            let entries = fs::read(entry.join("entries"))?;
            facts(entry, |facts| facts["recorded"] = 6.into())?;
            facts(entry, |facts| facts["placed"]["entries"] = 6.into())?;
            Ok(fs::write(entry.join("entries"), entries.repeat(2))?)
        }),
        ("fewer entries than said", &|entry| facts(entry, |facts| facts["recorded"] = 2.into())),
        ("more entries than may be", &|entry| facts(entry, |facts| facts["placed"]["entries"] = u64::MAX.into())),
        ("the most entries", &|entry| facts(entry, |facts| facts["placed"]["entries"] = 10_000_000.into())),
        ("the most metadata", &|entry| facts(entry, |facts| facts["placed"]["metadata"] = (1u64 << 30).into())),
        ("more bytes than may be", &|entry| facts(entry, |facts| facts["tar_bytes"] = u64::MAX.into())),
        ("another layer's digest", &|entry| facts(entry, |facts| facts["diff_id"] = facts["digest"].take())),
        ("blocks without end", &|entry| facts(entry, |facts| facts["blocks"]["end"] = u64::MAX.into())),
        ("blocks backwards", &|entry| facts(entry, |facts| facts["blocks"]["end"] = 0.into())),
        ("less data", &|entry| Ok(fs::write(entry.join("data"), [7; 4096])?)),
        ("less data, and blocks to match", &|entry| {
            fs::write(entry.join("data"), [7; 4096])?;
            facts(entry, |facts| facts["blocks"]["end"] = json!(facts["blocks"]["start"].as_u64().unwrap_or(0) + 1))?;
            facts(entry, |facts| facts["placed"]["blocks"] = 1.into())
        }),
        ("no data", &|entry| Ok(fs::write(entry.join("data"), "")?)),
    ];
    let world = World::new()?;
    let image = world.image("layout", &two_layers(whole())?)?;
    let expected = world.uncached(&image, &[])?;
    world.build(&image, &[])?;
    for (what, rewrite) in rewrites {
        let (first, second) = (layer(&world, &image, 1)?, layer(&world, &image, 2)?);
        rewrite(&first)?;
        reseal(&first, |_| ())?;
        // The limits strike where the next layer is read.
        if what.starts_with("the most") {
            fs::remove_dir_all(second)?;
        }
        let report = world.build(&image, &[]).map_err(|error| Failure::new(format!("{what}: {error}")))?;
        let (notes, name) = (notes(&report), first.display().to_string());
        assert!(notes.contains("is removed: ") && notes.contains(&name), "{what}: {notes}");
        assert!(world.bytes()? == expected, "{what}");
        world.build(&image, &[])?;
        assert_eq!(cached(&world.build(&image, &[])?), [true, true], "{what}");
    }
    world.is_sound()
}

#[test]
fn a_layer_that_contradicts_others_is_removed_and_made_again() -> Result<()> {
    let world = World::new()?;
    let image = world.image("layout", &two_layers(whole())?)?;
    let other =
        world.image("other", &Image::of(&[vec![Entry::file("d", "a file"), Entry::file("x", vec![5; 70_000])]])?)?;
    let expected = world.uncached(&image, &[])?;
    for reads_the_second in [true, false] {
        world.build(&image, &[])?;
        world.build(&other, &[])?;
        // The first layer becomes another image's, whole and sound: what the second needs is not there.
        let (first, stranger) = (layer(&world, &image, 1)?, layer(&world, &other, 1)?);
        let diff_id = serde_json::from_slice::<Value>(&fs::read(first.join("layer"))?)?["diff_id"].take();
        for name in ["entries", "data", "layer"] {
            fs::copy(stranger.join(name), first.join(name))?;
        }
        facts(&first, |facts| facts["diff_id"] = diff_id)?;
        reseal(&first, |_| ())?;
        if reads_the_second {
            fs::remove_dir_all(layer(&world, &image, 2)?)?;
        }
        let report = world.build(&image, &[])?;
        assert!(notes(&report).contains("is removed: "), "{reads_the_second}: {}", notes(&report));
        assert!(world.bytes()? == expected, "{reads_the_second}");
        fs::remove_dir_all(world.path("cache"))?;
    }
    // Whose fault it is, is seen: an image that is wrong itself leaves the cache as it is.
    world.build(&image, &[])?;
    let wrong = world.image("wrong", &Image::of(&[whole(), vec![Entry::hard_link("c", "nowhere")]])?)?;
    let before = world.entries()?;
    nex::fails(&mut world.command(&wrong, "wrong.ext4")?, &world.path(""), &["layer 2", "nowhere"])?;
    assert_eq!(world.entries()?, before);
    Ok(())
}

#[test]
fn what_registries_sent_is_taken_by_its_digest() -> Result<()> {
    let world = World::new()?;
    let registry = Registry::start(Protection::Open)?;
    two_layers(whole())?.write(&world.path("layout"), "image")?;
    let pushed = skopeo::push(&format!("oci:{}:image", world.path("layout").display()), &registry, "team/image:one")?;
    let build = |flags: &[&str]| -> Result<Value> {
        let mut build = rootfs(&pushed, &world.path("out.ext4"))?;
        build.args(["--plain-http", "--size", "auto", "--format", "json", "--cache-dir"]).arg(world.path("cache"));
        Ok(serde_json::from_slice(&command::run(build.args(flags))?)?)
    };
    build(&[])?;
    let expected = world.bytes()?;
    let entries = |shelf: &str| -> Result<Vec<PathBuf>> {
        let shelf = world.path("cache/v1").join(shelf);
        Ok(nex::names(&shelf)?.iter().map(|name| shelf.join(name)).collect())
    };
    // Two layers, the manifest and the config; and the name.
    for (shelf, count) in [("blobs", 4), ("references", 1)] {
        fs::remove_dir_all(world.path("cache/v1/layers"))?;
        let nonsense = entries(shelf)?;
        assert_eq!(nonsense.len(), count, "{shelf}");
        for entry in &nonsense {
            let length = fs::metadata(entry.join("content"))?.len();
            fs::write(entry.join("content"), vec![b'x'; length as usize])?;
            reseal(entry, |_| ())?;
        }
        let report = build(&[])?;
        for entry in &nonsense {
            let notes = notes(&report);
            assert!(notes.contains("is removed: ") && notes.contains(&entry.display().to_string()), "{notes}");
        }
        assert!(world.bytes()? == expected, "{shelf}");
        build(&["--offline"])?;
        assert!(world.bytes()? == expected, "{shelf}");
    }
    Ok(())
}
