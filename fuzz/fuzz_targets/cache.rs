//! Records of the cache, behind right checksums: whatever they say, a build ends as it would without a cache.
//!
//! The first byte of an input chooses what is changed: an entry's header, a layer's facts or its entries, each replaced or
//! changed byte by byte, or what a setup script has changed. No input makes a build fail. Where the changed layer was not taken,
//! the image has the bytes of one built without a cache; where it was, another reader takes it.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use nex_cache::{CacheOptions, DEFAULT_LIMIT};
use nex_fuzz::{build, place, walk};
use nex_image::NoProgress;
use nex_rootfs::{Events, Report, fuzzing};
use nex_testkit::cache_entry::reseal;
use nex_testkit::layer::Entry;
use nex_testkit::layout::{Compression, Image};

/// The files of an entry that records are in.
const FILES: [&str; 3] = ["entry", "layer", "entries"];

/// A byte that is changed: where, in two bytes, and the new one.
const CHANGE: usize = 3;

/// An image, what a build makes of it without a cache, and a cache that an earlier build has filled.
struct World {
    layout: PathBuf,
    expected: Vec<u8>,
    /// The directories of the entries, by their layers, and their files.
    entries: Vec<(PathBuf, Vec<(String, Vec<u8>)>)>,
    cache: PathBuf,
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    if choice & 1 == 0 { layer(*choice, rest) } else { script(rest) }
});

/// Changes a layer's entry, and builds.
fn layer(choice: u8, input: &[u8]) {
    static WORLD: OnceLock<World> = OnceLock::new();
    let world = WORLD.get_or_init(World::new);
    world.restore();
    let number = usize::from(choice >> 1 & 1);
    let (entry, files) = &world.entries[number];
    let name = FILES[usize::from(choice >> 2) % FILES.len()];
    let before = &files.iter().find(|(file, _)| file == name).expect("an entry has it").1;
    let mut bytes = if choice & 0x10 == 0 { input.to_vec() } else { before.clone() };
    for change in input.chunks_exact(CHANGE).filter(|_| choice & 0x10 != 0) {
        let length = bytes.len();
        bytes[usize::from(u16::from_le_bytes([change[0], change[1]])) % length] = change[2];
    }
    fs::write(entry.join(name), &bytes).expect("our own directory");
    if name == "entry" {
        // A header that is none cannot be sealed; then its own checksum is wrong, too.
        drop(reseal(entry, |_| ()));
    } else {
        reseal(entry, |_| ()).expect("our own entry");
    }
    let (report, image) = world.build(Some(CacheOptions { directory: world.cache.clone(), limit: DEFAULT_LIMIT }));
    report.notes.iter().for_each(|note| place::check_text(note.fact()));
    if report.image.layers[number].cached {
        walk::everything(&image).expect("ext4-view takes the image");
    } else {
        assert!(fs::read(&image).expect("an image") == world.expected, "not the bytes of a build without a cache");
    }
}

/// Merges the changes of a setup script: each one behind its length in a byte.
fn script(mut input: &[u8]) {
    let mut changes = Vec::new();
    while let Some((length, rest)) = input.split_first() {
        let (change, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        changes.push(change.to_vec());
        input = rest;
    }
    let path = place::directory().join("script.ext4");
    let image = fs::File::options().read(true).write(true).create(true).truncate(true).open(&path);
    match fuzzing::merge_record(&changes, image.expect("our own directory")) {
        Ok(()) => walk::everything(&path).expect("ext4-view takes the image"),
        Err(message) => place::check_text(&message),
    }
}

impl World {
    fn new() -> Self {
        let layout = place::fresh("layout");
        image().write(&layout, "image").expect("our own directory");
        let cache = place::fresh("cache");
        let mut world = Self { layout, expected: Vec::new(), entries: Vec::new(), cache };
        world.expected = fs::read(world.build(None).1).expect("an image");
        let (report, _) = world.build(Some(CacheOptions { directory: world.cache.clone(), limit: DEFAULT_LIMIT }));
        let shelf = world.cache.join("v1/layers");
        for layer in &report.image.layers {
            let directories = fs::read_dir(&shelf).expect("a shelf").map(|entry| entry.expect("an entry").path());
            let of_layer =
                |path: &PathBuf| fs::read_to_string(path.join("layer")).expect("facts").contains(&layer.diff_id);
            let directory = directories.into_iter().find(of_layer).expect("a layer's entry");
            let files = fs::read_dir(&directory).expect("an entry").map(|file| {
                let path = file.expect("a file").path();
                let name = path.file_name().expect("a name").to_str().expect("our own names").to_owned();
                (name, fs::read(path).expect("a file"))
            });
            let files = files.collect();
            world.entries.push((directory, files));
        }
        world
    }

    /// Makes the entries what they were.
    fn restore(&self) {
        for (directory, files) in &self.entries {
            if !directory.exists() {
                fs::create_dir(directory).expect("our own directory");
            }
            for (name, bytes) in files {
                fs::write(directory.join(name), bytes).expect("our own directory");
            }
        }
    }

    fn build(&self, cache: Option<CacheOptions>) -> (Report, PathBuf) {
        let output = place::fresh("out").join("out.ext4");
        let options = nex_rootfs::Options { cache, ..build::options(self.layout.clone(), Path::new(&output)) };
        let report = nex_rootfs::build(&options, &(Arc::new(NoProgress) as Arc<dyn Events>));
        (report.expect("whatever a cache holds, a build ends as it would without one"), output)
    }
}

/// Two layers with everything that a record can say, the second of which needs the first.
fn image() -> Image {
    let first = vec![
        Entry::directory("d").mode(0o1777).owner(3, 4),
        Entry::file("d/a", vec![1; 9000]).xattr("user.x", "1"),
        Entry::sparse("sparse", 1 << 20, &[(4096, b"one".to_vec()), (500_000, b"two".to_vec())]),
        Entry::symlink("link", "d"),
        Entry::character_device("dev/c", 5, 1),
        Entry::fifo("p"),
    ];
    let second = vec![
        Entry::file("link/b", vec![2; 5000]),
        Entry::hard_link("same", "d/a"),
        Entry::whiteout("p"),
        Entry::opaque("dev"),
        Entry::file("dev/x", ""),
    ];
    Image::of(&[first, second]).expect("an image").compressed(Compression::None)
}
