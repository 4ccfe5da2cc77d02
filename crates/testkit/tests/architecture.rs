//! The table of crates in ARCHITECTURE.md is true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use nex_testkit::{Result, places};

/// The names in backticks of a cell.
fn names(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(|name| name.trim_start_matches("crates/").to_owned()).collect()
}

/// The crates of ours that a crate is built of. Those of its tests do not count.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.strip_prefix("nex-")?.split(['.', ' ', '=']).next()).map(str::to_owned).collect()
}

#[test]
fn the_map_names_every_crate_and_all_that_it_uses() -> Result<()> {
    let map = fs::read_to_string(places::workspace().join("ARCHITECTURE.md"))?;
    let rows = map.lines().filter(|line| line.starts_with("| `crates/"));
    let mut drawn: BTreeMap<String, BTreeSet<String>> = rows
        .filter_map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            Some((names(cells.first()?).pop_first()?, names(cells.last()?)))
        })
        .collect();
    // It uses all but one, which the table says in words.
    drawn.remove("cli");
    let mut built = BTreeMap::new();
    for entry in fs::read_dir(places::workspace().join("crates"))? {
        let entry = entry?;
        let manifest = fs::read_to_string(entry.path().join("Cargo.toml"))?;
        built.insert(entry.file_name().to_string_lossy().into_owned(), dependencies(&manifest));
    }
    built.remove("cli");
    assert_eq!(drawn, built, "ARCHITECTURE.md names other crates or uses than the Cargo.toml files");
    Ok(())
}
