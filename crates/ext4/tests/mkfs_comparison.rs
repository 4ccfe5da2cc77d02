//! `dumpe2fs -h` beside `mkfs.ext4`: every field that differs stands in docs/mkfs-comparison.md, and every field that
//! stands there differs.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::process::Command;

use nex_ext4::{Layout, Options, Size, Tree, Writer};
use support::{GIB, MIB, dumpe2fs, have};

const TABLE: &str = include_str!("../../../docs/mkfs-comparison.md");

/// What stands for a field that is not there.
const ABSENT: &str = "-";

type Fields = BTreeMap<String, String>;

/// One comparison: its name in the table, the size, and what mkfs.ext4 is told.
struct Case {
    name: &'static str,
    size: u64,
    arguments: &'static [&'static str],
}

const CASES: [Case; 6] = [
    Case { name: "64M", size: 64 * MIB, arguments: &[] },
    Case { name: "64M,4k", size: 64 * MIB, arguments: &["-b", "4096"] },
    Case { name: "150M", size: 150 * MIB, arguments: &[] },
    Case { name: "150M,4k", size: 150 * MIB, arguments: &["-b", "4096"] },
    Case { name: "1G", size: GIB, arguments: &[] },
    Case { name: "16G", size: 16 * GIB, arguments: &[] },
];

/// A row of the table.
#[derive(Debug)]
struct Row {
    cases: BTreeSet<&'static str>,
    /// The values at the last of the cases: of mkfs.ext4, and ours. In `*...*` they are words about values that change.
    values: [String; 2],
}

/// The fields that differ, and their values in each case where they do.
type Differences = BTreeMap<String, BTreeMap<&'static str, [String; 2]>>;

#[test]
fn the_table_lists_exactly_the_fields_that_differ() {
    let Some(found) = differences() else { return };
    let faults = faults(TABLE, &found);
    assert!(faults.is_empty(), "docs/mkfs-comparison.md is wrong about:\n{}", faults.join("\n"));
}

#[test]
fn a_table_that_is_wrong_is_found_out() {
    let Some(found) = differences() else { return };
    let without_a_row: String =
        TABLE.lines().filter(|line| !line.contains("`Lifetime writes`")).map(|line| format!("{line}\n")).collect();
    let with_a_row = format!("{TABLE}\n| `Mount count` | all | 1 | 0 | none |");
    let wrong = [
        (without_a_row, "Lifetime writes"),
        (with_a_row, "Mount count"),
        (TABLE.replace("| 1024 | 30 |", "| 1024 | 31 |"), "Reserved GDT blocks"),
        (TABLE.replace("`Total journal blocks` | 64M |", "`Total journal blocks` | 64M 1G |"), "Total journal blocks"),
    ];
    for (table, field) in wrong {
        let faults = faults(&table, &found);
        assert!(faults.len() == 1 && faults[0].starts_with(field), "{field}: {faults:?}");
    }
}

/// Makes both file systems of every case. `None` where there is no mkfs.ext4.
fn differences() -> Option<Differences> {
    if !have("mkfs.ext4") {
        return None;
    }
    let mut found = Differences::new();
    let directory = tempfile::tempdir().unwrap();
    for case in &CASES {
        let theirs = mkfs(&directory.path().join("theirs"), case);
        let ours = ours(&directory.path().join("ours"), case.size);
        let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for name in names {
            let values = [&theirs, &ours].map(|fields| fields.get(name).map_or(ABSENT, String::as_str).to_owned());
            if values[0] != values[1] {
                found.entry(name.clone()).or_default().insert(case.name, values);
            }
        }
    }
    Some(found)
}

/// What is wrong in a table.
fn faults(table: &str, found: &Differences) -> Vec<String> {
    let table = rows(table);
    let mut faults: Vec<String> =
        found.iter().filter_map(|(name, cases)| fault(table.get(name), name, cases)).collect();
    faults.extend(table.keys().filter(|name| !found.contains_key(*name)).map(|name| format!("{name} differs nowhere")));
    faults
}

/// What the table has to say differently about a field that differs in these cases.
fn fault(row: Option<&Row>, name: &str, cases: &BTreeMap<&'static str, [String; 2]>) -> Option<String> {
    let differing: BTreeSet<&str> = cases.keys().copied().collect();
    let (_, last) = CASES.iter().rev().find_map(|case| cases.get_key_value(case.name))?;
    let is_right = row.is_some_and(|row| {
        let is_told = |(told, value): (&String, &String)| told == value || is_words(told);
        row.cases == differing && row.values.iter().zip(last).all(is_told)
    });
    (!is_right).then(|| format!("{name}, which differs at {differing:?}, in the end by {last:?}"))
}

/// Whether a cell describes values that change from run to run.
fn is_words(cell: &str) -> bool {
    cell.len() > 2 && cell.starts_with('*') && cell.ends_with('*')
}

/// What dumpe2fs says of an empty file system of mkfs.ext4.
fn mkfs(image: &Path, case: &Case) -> Fields {
    File::create(image).unwrap().set_len(case.size).unwrap();
    let mut mkfs = Command::new("mkfs.ext4");
    assert!(mkfs.args(["-q", "-F"]).args(case.arguments).arg(image).status().unwrap().success());
    dumpe2fs(image)
}

/// What dumpe2fs says of an empty file system of ours.
fn ours(image: &Path, size: u64) -> Fields {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(image).unwrap();
    let writer = Writer::new(file, &Layout { size_limit: Some(size), ..Layout::default() }).unwrap();
    let options = Options { label: [0; 16], ..support::options(Size::Exact(size)) };
    writer.finish(&Tree::new(support::metadata(0o755)), &options).unwrap();
    dumpe2fs(image)
}

/// The rows of the table: `| field | cases | mkfs.ext4 | nex | why |`.
fn rows(table: &str) -> BTreeMap<String, Row> {
    let lines = table.lines().filter_map(|line| line.strip_prefix("| `"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let [name, cases, theirs, ours, why] = cells[..] else { panic!("not a row of five cells: {line}") };
            assert!(why.len() > " |".len(), "{name} is listed without a reason");
            let cases = match cases {
                "all" => CASES.iter().map(|case| case.name).collect(),
                listed => listed.split(' ').map(|name| case_named(name).name).collect(),
            };
            let row = Row { cases, values: [theirs, ours].map(str::to_owned) };
            (name.trim_end_matches('`').to_owned(), row)
        })
        .collect()
}

fn case_named(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("the table names an unknown case: {name}"))
}
