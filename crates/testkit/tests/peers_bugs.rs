//! `docs/peers-bugs.md` lists every bug of the check list, and names only tests that exist.

use std::collections::BTreeSet;
use std::fs;

use nex_testkit::failure::Context;
use nex_testkit::{Failure, Result, places};

/// The numbers of the list: 1 to this, and those with a letter.
const LAST: u32 = 65;
const LETTERED: [&str; 11] = ["25b", "30b", "30c", "44b", "44c", "44d", "44e", "59b", "59c", "59d", "59e"];

/// The rows of the tables: number, and what stands in the column of tests.
fn rows() -> Result<Vec<(String, String)>> {
    let path = places::workspace().join("docs/peers-bugs.md");
    let text = fs::read_to_string(&path).context(path.display())?;
    let cells = |line: &str| line.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>();
    let rows =
        text.lines().map(cells).filter(|cells| cells.len() == 6 && cells[1].starts_with(|c: char| c.is_ascii_digit()));
    Ok(rows.map(|cells| (cells[1].clone(), cells[4].clone())).collect())
}

/// The tests that a cell names, each as file and function.
fn named_tests(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    cell.split('`').filter_map(|word| word.split_once(".rs::"))
}

fn exists(file: &str, function: &str) -> Result<bool> {
    let path = places::workspace().join(format!("crates/{file}.rs"));
    let text = fs::read_to_string(&path).context(path.display())?;
    let (_, rest) = match text.split_once(&format!("fn {function}(")) {
        None => return Ok(false),
        Some(halves) => halves,
    };
    let before = &text[..text.len() - rest.len()];
    let attributes = before.rsplit("\n\n").next().unwrap_or_default();
    Ok(attributes.contains("#[test]"))
}

#[test]
fn every_bug_of_the_list_has_a_test_that_exists() -> Result<()> {
    for (number, cell) in rows()? {
        let mut count = 0;
        for (file, function) in named_tests(&cell) {
            if !exists(file, function).context(&number)? {
                return Err(Failure::new(format!("{number}: there is no test {function} in crates/{file}.rs")));
            }
            count += 1;
        }
        assert!(count > 0, "{number} names no test");
    }
    Ok(())
}

#[test]
fn the_list_is_whole() -> Result<()> {
    let listed: BTreeSet<String> = rows()?.into_iter().map(|(number, _)| number).collect();
    let wanted = (1..=LAST).map(|number| number.to_string()).chain(LETTERED.map(str::to_owned));
    assert_eq!(listed, wanted.collect());
    Ok(())
}
