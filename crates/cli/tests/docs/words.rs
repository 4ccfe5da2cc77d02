//! Plain English: the pages and the command line's sources do without the words of `words.txt`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nex_testkit::failure::Context;
use nex_testkit::{Result, places};

use crate::pages;

/// The words, and what each has for a reason.
const LIST: &str = include_str!("words.txt");
/// What the command line says stands in here.
const SOURCES: &str = "crates/cli/src";
/// Files that say such a word all the same, as path and word.
const EXCEPTIONS: &str = include_str!("words-exceptions.txt");

/// The words of the list.
fn words() -> Vec<&'static str> {
    let lines = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(": ")).map(|(word, _)| word).collect()
}

/// The words of the list that a text has, with their lines.
fn found(text: &str) -> Vec<(usize, &'static str)> {
    let words = words();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        // A word may be the last of one line, and the first of the next.
        let next = text.lines().nth(number + 1).unwrap_or_default().trim_start_matches(['/', '!', ' ', '-', '*']);
        let here = line.to_lowercase();
        let both = format!("{here} {}", next.to_lowercase());
        found.extend(words.iter().filter(|word| begins_in(&both, word, here.len())).map(|word| (number + 1, *word)));
    }
    found
}

/// Whether a word stands in a text by itself, and begins in front of this place.
fn begins_in(text: &str, word: &str, end: usize) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, _)| {
        at < end && !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + word.len()..].chars().next())
    })
}

/// The sources of the command line.
fn sources() -> Result<Vec<PathBuf>> {
    let root = places::workspace();
    let mut found = Vec::new();
    let mut directories = vec![root.join(SOURCES)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).context(directory.display())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { directories.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found.sort();
    Ok(found.iter().map(|path| path.strip_prefix(&root).unwrap_or(path).to_owned()).collect())
}

#[test]
fn every_word_has_a_reason() {
    let lines = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let all: Vec<&str> = lines.collect();
    for line in &all {
        assert!(line.split_once(": ").is_some_and(|(word, reason)| !word.is_empty() && !reason.is_empty()), "{line}");
    }
    assert_eq!(words().iter().collect::<BTreeSet<_>>().len(), all.len(), "a word stands there twice");
}

#[test]
fn pages_and_command_line_do_without_them() -> Result<()> {
    let mut excepted: BTreeSet<&str> =
        EXCEPTIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut faults = Vec::new();
    for path in pages::all()?.into_iter().chain(sources()?) {
        for (line, word) in found(&pages::read(&path)?) {
            let exception = format!("{}: {word}", path.display());
            if EXCEPTIONS.lines().any(|line| line == exception) {
                excepted.remove(exception.as_str());
            } else {
                faults.push(format!("{}:{line}: {word}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "words of {}:\n{}", Path::new("words.txt").display(), faults.join("\n"));
    assert!(excepted.is_empty(), "these do without the word now: {excepted:?}");
    Ok(())
}

#[test]
fn a_word_is_found_where_it_stands_by_itself() {
    assert_eq!(found("The guest Shall end."), [(1, "shall")]);
    assert_eq!(found("What was built is\n// told here."), [(1, "is told")]);
    assert_eq!(found("a shallow marshall is toldable, upon-"), [(1, "upon")]);
    assert!(found("one\ntwo shalls").is_empty());
}
