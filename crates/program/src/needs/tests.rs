//! Programs and libraries made byte by byte, and how much they make a loader do.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;

use nex_inspect::{Kind, Stat, View};

use super::*;
use crate::elf::Broken;

const LOADER: &[u8] = b"/lib/ld.so";

/// What stands in a dynamic segment.
#[derive(Default)]
struct Made<'a> {
    needed: Vec<Vec<u8>>,
    rpath: Option<Vec<u8>>,
    runpath: Option<Vec<u8>>,
    /// Versions of one library.
    requires: (&'a [u8], Vec<Vec<u8>>),
    /// How many versions the record of that library counts; as many as there are if `None`.
    counted: Option<u16>,
    /// Whether the versions need not be there.
    weak: bool,
    provides: Vec<Vec<u8>>,
}

impl Made<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut add = |name: &[u8]| {
            let at = strings.len() as u64;
            strings.extend_from_slice(name);
            strings.push(0);
            at
        };
        let mut dynamic = Vec::new();
        let mut last: Option<(&Vec<u8>, u64)> = None;
        for name in &self.needed {
            let offset = last.filter(|(last, _)| *last == name).map_or_else(|| add(name), |(_, offset)| offset);
            last = Some((name, offset));
            dynamic.push((1, offset));
        }
        dynamic.extend(self.rpath.iter().map(|path| (15, add(path))));
        dynamic.extend(self.runpath.iter().map(|path| (29, add(path))));
        let (library, names) = &self.requires;
        let mut verneed = Vec::new();
        if !library.is_empty() {
            let count = self.counted.unwrap_or(names.len() as u16);
            verneed.extend([1_u16, count].map(u16::to_le_bytes).concat());
            verneed.extend([add(library) as u32, 16, 0].map(u32::to_le_bytes).concat());
            for (index, name) in names.iter().enumerate() {
                let next = if index + 1 < names.len() { 16 } else { 0 };
                verneed.extend(0_u32.to_le_bytes());
                verneed.extend([if self.weak { 2_u16 } else { 0 }, 2].map(u16::to_le_bytes).concat());
                verneed.extend([add(name) as u32, next].map(u32::to_le_bytes).concat());
            }
        }
        let mut verdef = Vec::new();
        for (index, name) in self.provides.iter().enumerate() {
            let next = if index + 1 < self.provides.len() { 28 } else { 0 };
            verdef.extend([1_u16, 0, 2, 1].map(u16::to_le_bytes).concat());
            verdef.extend([0, 20, next, add(name) as u32, 0].map(u32::to_le_bytes).concat());
        }
        const HEADERS: u64 = 64 + 2 * 56;
        let entries = (dynamic.len() + 6) as u64 * 16;
        let verneed_at = HEADERS + entries;
        let verdef_at = verneed_at + verneed.len() as u64;
        let strings_at = verdef_at + verdef.len() as u64;
        let length = strings_at + strings.len() as u64;
        dynamic.extend([(5, strings_at), (10, strings.len() as u64)]);
        if !verneed.is_empty() {
            dynamic.extend([(0x6fff_fffe, verneed_at), (0x6fff_ffff, 1)]);
        }
        if !verdef.is_empty() {
            dynamic.push((0x6fff_fffc, verdef_at));
        }
        dynamic.resize((entries / 16) as usize, (0, 0));
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend([3_u16, 62].map(u16::to_le_bytes).concat());
        file.extend(1_u32.to_le_bytes());
        file.extend([0_u64, 64, 0].map(u64::to_le_bytes).concat());
        file.extend(0_u32.to_le_bytes());
        file.extend([64_u16, 56, 2, 0, 0, 0].map(u16::to_le_bytes).concat());
        for (kind, at, length) in [(1_u32, 0, length), (2, HEADERS, entries)] {
            file.extend([kind, 7].map(u32::to_le_bytes).concat());
            file.extend([at, at, at, length, length, 8].map(u64::to_le_bytes).concat());
        }
        file.extend(dynamic.iter().flat_map(|&(tag, value)| [tag, value].map(u64::to_le_bytes).concat()));
        [file, verneed, verdef, strings].concat()
    }

    fn parsed(&self) -> Result<Elf, Broken> {
        Elf::parse(self.bytes().as_slice())
    }

    fn elf(&self) -> Elf {
        self.parsed().expect("it is right")
    }
}

/// Files, and how many of them have been asked for.
struct Files {
    files: BTreeMap<Vec<u8>, Vec<u8>>,
    reads: Cell<usize>,
    most_reads: usize,
}

impl Files {
    fn new<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        let files = files.into_iter().map(|(path, bytes)| (path.into(), bytes));
        let files = files.chain([(LOADER.to_vec(), Vec::new())]).collect();
        Self { files, reads: Cell::new(0), most_reads: usize::MAX }
    }

    fn missing(&self, program: &Made<'_>) -> Result<Vec<String>, ReadError> {
        let missing = missing(self, b"/sbin/init", &program.elf(), LOADER)?;
        Ok(missing.iter().map(ToString::to_string).collect())
    }
}

impl View for Files {
    fn stat(&self, path: &[u8]) -> Option<Stat> {
        self.files.get(path).map(|_| Stat { kind: Kind::File, mode: 0o755, uid: 0, gid: 0 })
    }

    fn lstat(&self, path: &[u8]) -> Option<Stat> {
        self.stat(path)
    }

    fn read_link(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn read(&self, path: &[u8], _: u64) -> io::Result<Option<Vec<u8>>> {
        if path.starts_with(b"/etc/") {
            return Ok(None);
        }
        self.reads.set(self.reads.get() + 1);
        if self.reads.get() > self.most_reads {
            return Err(io::Error::other("it has cost too much"));
        }
        Ok(self.files.get(path).cloned())
    }

    fn list_matching(&self, _: &[u8], _: &dyn Fn(&[u8]) -> bool) -> Option<Vec<Vec<u8>>> {
        None
    }
}

fn numbered(start: &str, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("{start}{number}").into_bytes()).collect()
}

#[test]
fn the_last_version_of_a_library_ends_its_chain() {
    let made = Made { requires: (b"l0", numbered("V_", 1)), counted: Some(4096), ..Made::default() };
    let version = Version { library: b"l0".to_vec(), name: b"V_0".to_vec() };
    assert_eq!(made.elf().requires, [version]);
}

#[test]
fn a_file_with_too_many_versions_is_broken() {
    // The record of the library counts, too.
    let requires = |count, weak| Made { requires: (b"l0", numbered("V_", count)), weak, ..Made::default() };
    assert_eq!(requires(4095, false).elf().requires.len(), 4095);
    assert_eq!(requires(4095, true).elf().requires.len(), 0);
    for weak in [false, true] {
        assert_eq!(requires(4096, weak).parsed().err(), Some(Broken::Dynamic), "{weak}");
    }
    let provides = |count| Made { provides: numbered("V_", count), ..Made::default() };
    assert_eq!(provides(4096).elf().provides.len(), 4096);
    assert_eq!(provides(4097).parsed().err(), Some(Broken::Dynamic));
}

#[test]
fn a_file_with_too_long_names_is_broken() {
    let needed = |length, count| Made { needed: vec![vec![b'x'; length]; count], ..Made::default() };
    assert_eq!(needed(4096, 1).elf().needed.len(), 1);
    assert_eq!(needed(4097, 1).parsed().err(), Some(Broken::Dynamic));
    // The same bytes count each time that they are named.
    assert_eq!(needed(4096, 256).elf().needed.len(), 256);
    assert_eq!(needed(4096, 257).parsed().err(), Some(Broken::Dynamic));
    let paths = |length| {
        let path = Some(vec![b'x'; length]);
        [Made { rpath: path.clone(), ..Made::default() }, Made { runpath: path, ..Made::default() }]
    };
    assert!(paths(128 << 10).iter().all(|made| made.parsed().is_ok()));
    assert!(paths((128 << 10) + 1).iter().all(|made| made.parsed().err() == Some(Broken::Dynamic)));
}

#[test]
fn libraries_are_found_as_a_loader_finds_them() {
    let needs = |name: &str| vec![name.into()];
    let program = Made { needed: needs("l0"), rpath: Some(b"$ORIGIN/../a:relative".to_vec()), ..Made::default() };
    let l0 = Made { needed: needs("l1"), ..Made::default() }.bytes();
    let l1 = Made { needed: needs("l2"), runpath: Some(b"/b".to_vec()), ..Made::default() }.bytes();
    let (l2, last) = (Made { needed: needs("l3"), ..Made::default() }.bytes(), Made::default().bytes());
    let directory = "/sbin/../a";
    let (own, next) = (format!("{directory}/l0"), format!("{directory}/l1"));
    // l3 stands where only l1 looks.
    let files = Files::new([(&*own, l0), (&*next, l1), ("/b/l2", l2), ("/b/l3", last)]);
    assert_eq!(files.missing(&program).expect("readable"), ["l3 (for /b/l2)"]);
}

#[test]
fn versions_are_compared_and_only_so_many_told() {
    let library = Made { provides: numbered("V_", 4000), ..Made::default() }.bytes();
    let files = Files::new([("/lib/l0", library)]);
    let program = |requires| Made { needed: vec![b"l0".to_vec()], requires: (b"l0", requires), ..Made::default() };
    assert_eq!(files.missing(&program(numbered("V_", 3999))).expect("readable"), [""; 0]);
    let lacks = files.missing(&program(vec![b"V_7".to_vec(), b"V_4000".to_vec(), b"V_4000".to_vec()]));
    assert_eq!(lacks.expect("readable"), ["V_4000 in l0 (which goes up to V_3999)"]);
    assert_eq!(files.missing(&program(numbered("W_", 4000))).expect("readable").len(), MOST_MISSING);
}

/// A search path of as many directories as fit in its bytes.
fn long_search_path() -> Option<Vec<u8>> {
    Some(b"/a:".repeat((128 << 10) / 3))
}

#[test]
fn a_search_has_a_bound() {
    let files = Files::new([]);
    let program = Made { needed: numbered("l", 1024), rpath: long_search_path(), ..Made::default() };
    let missing = files.missing(&program).expect("readable");
    assert_eq!(missing.last().map(String::as_str), Some("libraries in more places than nex looks at"));
    assert_eq!(files.reads.get(), MOST_LOOKUPS);
}

#[test]
fn what_is_remembered_of_libraries_has_a_bound() {
    let names = numbered("/lib/l", 1024);
    let needed: Vec<Vec<u8>> = names.clone();
    let library = Made { rpath: long_search_path(), ..Made::default() }.bytes();
    let names = names.iter().map(|name| (std::str::from_utf8(name).expect("text"), library.clone()));
    let files = Files::new(names.collect::<Vec<_>>());
    let missing = files.missing(&Made { needed, ..Made::default() }).expect("readable");
    assert_eq!(missing, ["libraries in more places than nex looks at"]);
    assert!(files.reads.get() <= MOST_TEXT / (128 << 10), "{}", files.reads.get());
}

#[test]
fn a_search_stops_where_looking_has_cost_too_much() {
    let files = Files { most_reads: 1000, ..Files::new([]) };
    let program = Made { needed: numbered("l", 1024), rpath: long_search_path(), ..Made::default() };
    files.missing(&program).expect_err("it costs too much");
    assert_eq!(files.reads.get(), 1001);
}
