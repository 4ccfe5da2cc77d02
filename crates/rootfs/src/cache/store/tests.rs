use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;

fn cache(limit: u64) -> (TempDir, Cache) {
    let place = tempfile::tempdir().unwrap();
    let cache = Cache::open(&CacheOptions { directory: place.path().join("cache"), limit }).unwrap();
    (place, cache)
}

fn key(name: &str) -> Key {
    Key::of([name.as_bytes()])
}

fn put(cache: &Cache, name: &str, bytes: &[u8]) {
    let mut entry = cache.begin(Shelf::Scripts, &key(name), name, bytes.len() as u64).unwrap();
    entry.file("data").unwrap().write_all(bytes).unwrap();
    cache.publish(entry);
}

fn get(cache: &Cache, name: &str) -> Option<Vec<u8>> {
    cache.get(Shelf::Scripts, &key(name))?.read("data").ok()
}

/// What stands in the directory of the making.
fn in_the_making(cache: &Cache) -> usize {
    fs::read_dir(cache.root().join(MAKING)).unwrap().count()
}

#[test]
fn an_entry_is_there_when_it_is_published_and_not_before() {
    let (_place, cache) = cache(DEFAULT_LIMIT);
    let mut entry = cache.begin(Shelf::Scripts, &key("a"), "a", 4).unwrap();
    entry.file("data").unwrap().write_all(b"data").unwrap();
    assert_eq!(get(&cache, "a"), None);
    cache.publish(entry);
    assert_eq!(get(&cache, "a").as_deref(), Some(&b"data"[..]));
    assert!(cache.get(Shelf::Layers, &key("a")).is_none());
    drop(cache.begin(Shelf::Scripts, &key("b"), "b", 4).unwrap());
    assert_eq!((get(&cache, "b"), in_the_making(&cache)), (None, 0));
    assert!(cache.finish().is_empty());
}

#[test]
fn of_two_that_make_the_same_entry_one_stays() {
    let (_place, cache) = cache(DEFAULT_LIMIT);
    let mut late = cache.begin(Shelf::Scripts, &key("a"), "a", 4).unwrap();
    late.file("data").unwrap().write_all(b"late").unwrap();
    put(&cache, "a", b"soon");
    cache.publish(late);
    assert_eq!(get(&cache, "a").as_deref(), Some(&b"soon"[..]));
    assert_eq!((in_the_making(&cache), cache.finish()), (0, Vec::new()));
}

/// What happens to the directory of an entry.
type Damage<'a> = &'a dyn Fn(&Path);

#[test]
fn whatever_is_wrong_with_an_entry_it_is_removed_and_told() {
    let damages: [(&str, Damage); 8] = [
        ("its header is damaged", &|entry| flip(&entry.join("entry"), 20)),
        ("its header is cut short", &|entry| truncate(&entry.join("entry"), 0)),
        ("its header is damaged", &|entry| truncate(&entry.join("entry"), 200)),
        ("data has 3 bytes, not 4", &|entry| truncate(&entry.join("data"), 3)),
        ("data is missing", &|entry| fs::remove_file(entry.join("data")).unwrap()),
        ("data is a symbolic link", &|entry| {
            fs::rename(entry.join("data"), entry.join("other")).unwrap();
            symlink("other", entry.join("data")).unwrap();
        }),
        ("it is not a directory", &|entry| {
            let moved = entry.with_file_name("moved");
            fs::rename(entry, &moved).unwrap();
            symlink(moved, entry).unwrap();
        }),
        ("it is not a directory", &|entry| {
            fs::remove_dir_all(entry).unwrap();
            fs::write(entry, "a file").unwrap();
        }),
    ];
    for (number, (what, damage)) in damages.into_iter().enumerate() {
        let (_place, cache) = cache(DEFAULT_LIMIT);
        put(&cache, "a", b"data");
        damage(&cache.path(Shelf::Scripts, &key("a")));
        assert_eq!(get(&cache, "a"), None, "{number}");
        let notes = cache.finish();
        assert!(notes.len() == 1 && notes[0].contains(what), "{number}: {notes:?}");
        assert!(cache.path(Shelf::Scripts, &key("a")).symlink_metadata().is_err(), "{number}");
        put(&cache, "a", b"data");
        assert_eq!(get(&cache, "a").as_deref(), Some(&b"data"[..]), "{number}");
    }
}

#[test]
fn bytes_that_changed_are_found_when_they_are_read() {
    let (_place, cache) = cache(DEFAULT_LIMIT);
    put(&cache, "a", &[7; 10_000]);
    let entry = cache.get(Shelf::Scripts, &key("a")).unwrap();
    entry.check_all().unwrap();
    assert_eq!(entry.read("data").unwrap().len(), 10_000);
    flip(&cache.path(Shelf::Scripts, &key("a")).join("data"), 5000);
    let entry = cache.get(Shelf::Scripts, &key("a")).unwrap();
    assert!(entry.check_all().is_err());
    assert!(entry.read("data").is_err());
}

fn flip(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
}

fn truncate(path: &Path, length: u64) {
    File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

#[test]
fn the_sum_does_not_tell_holes_from_zeros() {
    let (_place, cache) = cache(DEFAULT_LIMIT);
    let mut bytes = vec![0; 50_000];
    bytes[20_000..30_000].fill(7);
    let mut entry = cache.begin(Shelf::Scripts, &key("a"), "a", 0).unwrap();
    let file = entry.file("data").unwrap();
    file.set_len(50_000).unwrap();
    file.write_all_at(&bytes[20_000..30_000], 20_000).unwrap();
    cache.publish(entry);
    assert_eq!(get(&cache, "a"), Some(bytes.clone()));
    put(&cache, "b", &bytes);
    cache.get(Shelf::Scripts, &key("b")).unwrap().check_all().unwrap();
    let path = cache.path(Shelf::Scripts, &key("b")).join("data");
    // A block that moves is damage.
    File::options().write(true).open(&path).unwrap().write_all_at(&[0; 4096], 20_480).unwrap();
    File::options().write(true).open(&path).unwrap().write_all_at(&[7; 4096], 40_960).unwrap();
    assert!(cache.get(Shelf::Scripts, &key("b")).unwrap().check_all().is_err());
}

#[test]
fn what_was_of_no_use_for_the_longest_time_goes_first() {
    let (place, cache) = cache(DEFAULT_LIMIT);
    for (age, name) in [(3, "a"), (2, "b"), (1, "c")] {
        put(&cache, name, &[7; 100_000]);
        let header = File::open(cache.path(Shelf::Scripts, &key(name)).join("entry")).unwrap();
        header.set_modified(SystemTime::now() - Duration::from_secs(60 * age)).unwrap();
    }
    assert!(get(&cache, "a").is_some());
    let small = Cache::open(&CacheOptions { directory: place.path().join("cache"), limit: 400_000 }).unwrap();
    assert_eq!(small.finish(), Vec::<String>::new(), "nothing has grown");
    put(&small, "d", &[7; 100_000]);
    assert_eq!(small.finish(), Vec::<String>::new());
    let there = ["a", "b", "c", "d"].map(|name| get(&small, name).is_some());
    assert_eq!(there, [true, false, true, true]);
    assert!(small.begin(Shelf::Scripts, &key("e"), "e", 400_001).is_none());
    assert!(small.finish()[0].contains("--cache-limit"));
}

#[test]
fn what_killed_processes_leave_is_removed_and_what_lives_stays() {
    let (place, cache) = cache(DEFAULT_LIMIT);
    let making = cache.root().join(MAKING);
    fs::create_dir(making.join("1-0")).unwrap();
    fs::write(making.join("1-0/data"), "left behind").unwrap();
    fs::write(making.join("1-1"), "left behind").unwrap();
    let living = cache.begin(Shelf::Scripts, &key("a"), "a", 0).unwrap();
    let other = Cache::open(&CacheOptions { directory: place.path().join("cache"), limit: DEFAULT_LIMIT }).unwrap();
    assert_eq!(in_the_making(&other), 1);
    cache.publish(living);
    assert_eq!((in_the_making(&other), cache.finish()), (0, Vec::new()));
    assert!(other.get(Shelf::Scripts, &key("a")).is_some());
}

#[test]
fn a_cache_that_cannot_be_written_to_serves_and_keeps_nothing() {
    let (place, cache) = cache(DEFAULT_LIMIT);
    put(&cache, "a", b"data");
    // Root may write where the mode forbids it; so the directory of the making goes.
    fs::remove_dir_all(cache.root().join(MAKING)).unwrap();
    fs::write(cache.root().join(MAKING), "").unwrap();
    assert_eq!(get(&cache, "a").as_deref(), Some(&b"data"[..]));
    assert!(cache.begin(Shelf::Scripts, &key("b"), "b", 0).is_none());
    assert!(cache.begin(Shelf::Scripts, &key("c"), "c", 0).is_none());
    let notes = cache.finish();
    assert!(notes.len() == 1 && notes[0].contains("not everything could be kept"), "{notes:?}");
    drop(place);
}
