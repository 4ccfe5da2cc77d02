use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, FlockOperation, Mode, mknodat};
use tempfile::TempDir;

use super::*;
use crate::manage::{collect_within, list};
use crate::shelves::{MAKING, TAG_NAME};

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
    cache.get(Shelf::Scripts, &key(name))?.read("data", u64::MAX).ok()
}

/// What stands in the directory of the making.
fn in_the_making(cache: &Cache) -> usize {
    fs::read_dir(cache.shelves().root.path().join(MAKING)).unwrap().count()
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
    let mut damages: Vec<(&str, Damage)> = vec![
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
        ("it is not a directory", &|entry| {
            fs::remove_dir_all(entry).unwrap();
            fifo(entry);
        }),
        ("data is not a regular file", &|entry| {
            fs::remove_file(entry.join("data")).unwrap();
            fifo(&entry.join("data"));
        }),
        ("entry is not a regular file", &|entry| {
            fs::remove_file(entry.join("entry")).unwrap();
            fifo(&entry.join("entry"));
        }),
        ("data is not a regular file", &|entry| {
            fs::remove_file(entry.join("data")).unwrap();
            // What stands deep in it does not keep it there.
            fs::create_dir_all(entry.join("data/a/b").join("c/".repeat(300))).unwrap();
        }),
        ("it can be written to by others", &|entry| set_mode(entry, 0o720)),
        ("data can be written to by others", &|entry| set_mode(&entry.join("data"), 0o602)),
        ("entry can be written to by others", &|entry| set_mode(&entry.join("entry"), 0o660)),
        ("data has other names", &|entry| fs::hard_link(entry.join("data"), entry.with_file_name("other")).unwrap()),
    ];
    if rustix::process::geteuid().is_root() {
        damages.push(("it belongs to user 12, not to user 0", &|entry| chown(entry, Some(12), None).unwrap()));
        damages.push(("data belongs to user 12", &|entry| chown(entry.join("data"), Some(12), None).unwrap()));
    }
    for (number, (what, damage)) in damages.into_iter().enumerate() {
        let (_place, cache) = cache(DEFAULT_LIMIT);
        put(&cache, "a", b"data");
        damage(&cache.shelves().path(Shelf::Scripts, &key("a")));
        assert_eq!(get(&cache, "a"), None, "{number}");
        let notes = cache.finish();
        assert!(notes.len() == 1 && notes[0].fact().contains(what), "{number}: {notes:?}");
        assert!(cache.shelves().path(Shelf::Scripts, &key("a")).symlink_metadata().is_err(), "{number}");
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
    assert!(entry.read("data", 9_999).is_err(), "longer than it can be");
    assert_eq!(entry.read("data", 10_000).unwrap().len(), 10_000);
    flip(&cache.shelves().path(Shelf::Scripts, &key("a")).join("data"), 5000);
    let entry = cache.get(Shelf::Scripts, &key("a")).unwrap();
    assert!(entry.check_all().is_err());
    assert!(entry.read("data", u64::MAX).is_err());
}

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nothing_of_a_cache_may_be_others_or_a_link() {
    for level in ["v1", "v1/making", "v1/blobs", "v1/references", "v1/layers", "v1/scripts"] {
        let (place, first) = cache(DEFAULT_LIMIT);
        let path = place.path().join("cache").join(level);
        let again = || Cache::open(&CacheOptions { directory: place.path().join("cache"), limit: DEFAULT_LIMIT });
        put(&first, "a", b"data");
        for mode in [0o770, 0o702] {
            set_mode(&path, mode);
            assert!(matches!(again(), Err(CacheError::Writable(_))), "{level} {mode:o}");
        }
        // Who can read a directory can hold its lock, so it is closed again.
        set_mode(&path, 0o755);
        again().unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{level}");
        if rustix::process::geteuid().is_root() {
            chown(&path, Some(12), None).unwrap();
            assert!(matches!(again(), Err(CacheError::Owner { owner: 12, .. })), "{level}");
            chown(&path, Some(0), None).unwrap();
        }
        let moved = place.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        let plants: [&dyn Fn(); 3] =
            [&|| symlink(&moved, &path).unwrap(), &|| fifo(&path), &|| fs::write(&path, "").unwrap()];
        for plant in plants {
            plant();
            assert!(matches!(again(), Err(CacheError::NotADirectory(_))), "{level}");
            fs::remove_file(&path).unwrap();
        }
        // Where names lead later does not matter to who has opened it before.
        symlink("/nonexistent", &path).unwrap();
        assert_eq!(get(&first, "a").as_deref(), Some(&b"data"[..]), "{level}");
        put(&first, "b", b"more");
        assert_eq!((get(&first, "b").as_deref(), first.finish()), (Some(&b"more"[..]), Vec::new()), "{level}");
    }
}

#[test]
fn a_tag_is_written_through_no_link_and_no_lock_is_waited_for() {
    let place = tempfile::tempdir().unwrap();
    let (directory, victim) = (place.path().join("cache"), place.path().join("victim"));
    fs::create_dir_all(directory.join("v1/making")).unwrap();
    set_mode(&directory, 0o700);
    set_mode(&directory.join("v1"), 0o700);
    set_mode(&directory.join("v1/making"), 0o700);
    symlink(&victim, directory.join("v1").join(TAG_NAME)).unwrap();
    let locks = ["v1", "v1/making"].map(|name| File::open(directory.join(name)).unwrap());
    for lock in &locks {
        rustix::fs::flock(lock, FlockOperation::LockExclusive).unwrap();
    }
    let options = CacheOptions { directory: directory.clone(), limit: DEFAULT_LIMIT };
    let cache = Cache::open(&options).unwrap();
    put(&cache, "a", b"data");
    assert_eq!(get(&cache, "a").as_deref(), Some(&b"data"[..]));
    assert!(cache.finish().is_empty() && !victim.exists());
    // Who asks for nothing else is told why nothing goes, and who has the lock.
    let collect = |limit| collect_within(Duration::from_millis(50), &CacheOptions { limit, ..options.clone() });
    let said = nex_fault::whole(&collect(0).unwrap_err());
    assert!(said.contains(&format!("'{}'", directory.join("v1").display())) && said.contains("lslocks"), "{said}");
    assert_eq!(list(&options).unwrap().entries.len(), 1);
    drop(locks);
    assert_eq!(collect(0).unwrap().removed, 1);
}

#[test]
fn a_header_leads_nowhere_else() {
    for name in ["../b", "/etc/passwd", "", ".", "..", "a\0b"] {
        let (_place, cache) = cache(DEFAULT_LIMIT);
        put(&cache, "a", b"data");
        fs::write(cache.shelves().shelf(Shelf::Scripts).path().join("b"), "data").unwrap();
        let entry = cache.shelves().path(Shelf::Scripts, &key("a"));
        nex_testkit::cache_entry::reseal(&entry, |header| header["files"][0]["name"] = name.into()).unwrap();
        assert_eq!(get(&cache, "a"), None, "{name}");
        assert!(cache.finish()[0].fact().contains("its header names what cannot be in it"), "{name}");
    }
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
    let path = cache.shelves().path(Shelf::Scripts, &key("b")).join("data");
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
        let header = File::open(cache.shelves().path(Shelf::Scripts, &key(name)).join("entry")).unwrap();
        header.set_modified(SystemTime::now() - Duration::from_secs(60 * age)).unwrap();
    }
    assert!(get(&cache, "a").is_some());
    let small = Cache::open(&CacheOptions { directory: place.path().join("cache"), limit: 400_000 }).unwrap();
    assert_eq!(small.finish(), Vec::new(), "nothing has grown");
    put(&small, "d", &[7; 100_000]);
    assert_eq!(small.finish(), Vec::new());
    let there = ["a", "b", "c", "d"].map(|name| get(&small, name).is_some());
    assert_eq!(there, [true, false, true, true]);
    assert!(small.begin(Shelf::Scripts, &key("e"), "e", 400_001).is_none());
    assert!(small.finish()[0].words(nex_fault::Setting::flag).contains("--cache-limit"));
}

#[test]
fn what_killed_processes_leave_is_removed_and_what_lives_stays() {
    let (place, cache) = cache(DEFAULT_LIMIT);
    let making = cache.shelves().root.path().join(MAKING);
    fs::create_dir(making.join("1-0")).unwrap();
    fs::write(making.join("1-0/data"), "left behind").unwrap();
    fs::write(making.join("1-1"), "left behind").unwrap();
    // Their names do not say where they were made, so that only their age tells that nobody works on them.
    let long_ago = SystemTime::now() - 2 * nex_file::leftovers::LONGEST_ELSEWHERE;
    for left in ["1-0", "1-1"] {
        File::open(making.join(left)).unwrap().set_modified(long_ago).unwrap();
    }
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
    fs::remove_dir_all(cache.shelves().root.path().join(MAKING)).unwrap();
    fs::write(cache.shelves().root.path().join(MAKING), "").unwrap();
    assert_eq!(get(&cache, "a").as_deref(), Some(&b"data"[..]));
    assert!(cache.begin(Shelf::Scripts, &key("b"), "b", 0).is_none());
    assert!(cache.begin(Shelf::Scripts, &key("c"), "c", 0).is_none());
    let notes = cache.finish();
    assert!(notes.len() == 1 && notes[0].fact().contains("not everything could be kept"), "{notes:?}");
    drop(place);
}
