//! What host and guest agree on has one home: no other crate writes it out.

use std::fs;
use std::path::{Path, PathBuf};

use nex_contract::{AGENT, WordName};

/// The files of Rust below a directory, but for those of tests, where what is expected stands in full.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// A source's code: without comments that have lines of their own, and without the tests at its end.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = source.find("#[cfg(test)]\nmod tests {").unwrap_or(source.len());
    let lines = source[..end].lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines.map(|(number, line)| (number + 1, line))
}

/// What of the contract a line of code writes out.
fn written_out(line: &str) -> Option<&'static str> {
    let words = WordName::ALL.map(WordName::as_str);
    words.into_iter().chain([AGENT]).find(|text| line.contains(text))
}

#[test]
fn no_other_crate_writes_the_contract_out() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for entry in fs::read_dir(crates).unwrap().map(Result::unwrap) {
        if entry.file_name() != "contract" {
            sources(&entry.path().join("src"), &mut files);
        }
    }
    assert!(files.len() > 100, "{files:?}");
    let mut copies = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let found = code(&source).filter_map(|(number, line)| Some((number, written_out(line)?)));
        copies.extend(found.map(|(number, text)| format!("{}:{number}: {text}", file.display())));
    }
    assert!(copies.is_empty(), "take these from nex-contract:\n{}", copies.join("\n"));
}

#[test]
fn a_copy_in_code_is_seen() {
    let source =
        "//! nex.vsock=PORT\nfn f() {\n    g(\"nex.vsock=1\");\n}\n\n#[cfg(test)]\nmod tests { \"nex.vsock=2\" }\n";
    let found: Vec<_> = code(source).filter_map(|(number, line)| Some((number, written_out(line)?))).collect();
    assert_eq!(found, [(3, "nex.vsock")]);
    assert_eq!(written_out("boot with init=/usr/local/bin/agent"), Some(AGENT));
}
