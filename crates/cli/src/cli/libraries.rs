//! Libraries state facts, and name settings as values: none of their texts has a flag of the command line in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};

use super::Cli;

/// Crates whose texts are no library's: the command line, what tests need, and the guest's program.
const OTHERS: [&str; 3] = ["agent", "cli", "testkit"];

/// Flags of other programs that have one of nex's names: where they stand, and the words around them.
const OF_OTHERS: [(&str, &str); 2] =
    [("file/src/kind.rs", "xz -dc --format=lzma"), ("tar/src/reader.rs", "GNU tar with --label")];

/// The names of all flags of nex. Those that every program has say nothing.
fn flags() -> BTreeSet<String> {
    fn add(command: &Command, flags: &mut BTreeSet<String>) {
        let long = command.get_arguments().filter_map(|flag| flag.get_long()).map(str::to_owned);
        flags.extend(long.filter(|name| !matches!(&**name, "help" | "version")));
        command.get_subcommands().for_each(|below| add(below, flags));
    }
    let (mut nex, mut flags) = (Cli::command(), BTreeSet::new());
    nex.build();
    add(&nex, &mut flags);
    flags
}

/// The flags of these names that the code of a file has in its texts. Comments and tests, which stand at the end, may have them.
fn named<'a>(source: &'a str, flags: &BTreeSet<String>) -> Vec<&'a str> {
    let code = source.split("mod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|line| line.match_indices("--").map(move |(at, _)| &line[at + 2..]))
        .filter_map(|rest| {
            let end = rest.find(|character: char| !character.is_ascii_lowercase() && character != '-');
            let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('-');
            flags.contains(name).then_some(name)
        })
        .collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("readable").flatten() {
        let path = entry.path();
        let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        match path.is_dir() {
            _ if is_tests => {}
            true => sources(&path, found),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
}

#[test]
fn no_library_names_a_flag() {
    let crates = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let (flags, mut files) = (flags(), Vec::new());
    for library in fs::read_dir(crates).expect("the crates are there").flatten() {
        if !OTHERS.iter().any(|other| library.file_name() == *other) {
            sources(&library.path().join("src"), &mut files);
        }
    }
    assert!(files.len() > 300, "only {} files", files.len());
    let mut found = Vec::new();
    for file in files {
        let mut source = fs::read_to_string(&file).expect("readable");
        for (place, words) in OF_OTHERS.iter().filter(|(place, _)| file.ends_with(place)) {
            assert!(source.contains(words), "{place} has no {words:?} any more");
            source = source.replace(words, "");
        }
        found.extend(named(&source, &flags).into_iter().map(|name| format!("{}: --{name}", file.display())));
    }
    assert!(
        found.is_empty(),
        "a library names flags, where a Remedy or a Note would have settings:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_flag_in_a_text_is_seen() {
    let (flags, source) =
        (flags(), "/// --timeout\nlet text = \"more (--timeout), --no-such, --resolv-conf keep, a--b\";\n");
    assert_eq!(named(source, &flags), ["timeout", "resolv-conf"]);
    let tests = format!("#[cfg(test)]\nmod tests {{\n{source}}}\n");
    assert!(named(&tests, &flags).is_empty());
}
