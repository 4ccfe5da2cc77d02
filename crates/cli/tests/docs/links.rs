//! Every relative link of a page leads to a file of the project, and every anchor to a heading.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use nex_testkit::{Result, places};

use crate::pages;

/// A link, and the line on which it stands.
type Link = (usize, String);

/// The text of a page outside of its blocks, line by line.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_block = false;
    page.lines().enumerate().filter_map(move |(number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        (!is_block && !is_fence && !line.starts_with("    ")).then_some((number + 1, line))
    })
}

/// What a page links to: `[text](target)` and `[text]: target`, the pictures too.
fn links(page: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (number, line) in prose(page) {
        for (at, _) in line.match_indices("](") {
            let target: String = line[at + 2..].chars().take_while(|letter| *letter != ')').collect();
            found.push((number, target));
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((number, target.trim().to_owned()));
        }
    }
    found
}

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (_, line) in prose(page) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let anchor = anchor(heading.trim());
        let seen = count.entry(anchor.clone()).or_default();
        found.insert(if *seen == 0 { anchor } else { format!("{anchor}-{seen}") });
        *seen += 1;
    }
    found
}

/// A heading in lower case, without its marks, with hyphens for spaces.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    heading
        .chars()
        .filter(kept)
        .flat_map(char::to_lowercase)
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// A path without `.` and `..`, as a link from a page has them.
fn resolved(page: &Path, target: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

/// The links of a page that lead nowhere.
fn dead(page: &Path, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, link) in links(text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (target, anchor) = link.split_once('#').map_or((&*link, None), |(target, anchor)| (target, Some(anchor)));
        let path = if target.is_empty() { page.to_owned() } else { resolved(page, target) };
        let is_there = places::workspace().join(&path).exists();
        let has_anchor = |anchor| {
            let there = if target.is_empty() { Ok(text.to_owned()) } else { pages::read(&path) };
            there.is_ok_and(|there| anchors(&there).contains(anchor))
        };
        if !is_there || !anchor.is_none_or(has_anchor) {
            faults.push(format!("{}:{number}: {link}", page.display()));
        }
    }
    faults
}

#[test]
fn every_link_leads_somewhere() -> Result<()> {
    let mut faults = Vec::new();
    for page in pages::all()? {
        faults.extend(dead(&page, &pages::read(&page)?));
    }
    assert!(faults.is_empty(), "these lead nowhere:\n{}", faults.join("\n"));
    Ok(())
}

/// A page that nothing leads to is read by nobody.
#[test]
fn every_page_is_in_the_index() -> Result<()> {
    let index = Path::new("docs/README.md");
    let listed: BTreeSet<PathBuf> = links(&pages::read(index)?)
        .iter()
        .map(|(_, link)| resolved(index, link.split('#').next().unwrap_or_default()))
        .collect();
    for page in pages::all()? {
        let is_beside = page.starts_with("docs/decisions") && page != Path::new("docs/decisions/README.md");
        if page.starts_with("docs") && page != index && !is_beside {
            assert!(listed.contains(&page), "{} does not stand in {}", page.display(), index.display());
        }
    }
    Ok(())
}

#[test]
fn a_dead_link_is_noticed() {
    let text = "# The head (of it)\n\n## `code`, twice\n## `code`, twice\n[a](#the-head-of-it) [b](#code-twice-1) [c](../Makefile)\n";
    let page = Path::new("docs/limits.md");
    assert_eq!(dead(page, text), [""; 0]);
    for link in ["#the-head", "#code-twice-2", "Makefile", "../docs/benchmarks.md#no-such-heading", "../README.md#none"]
    {
        assert_eq!(dead(page, &format!("{text}[d]({link})\n")).len(), 1, "{link}");
    }
    // What stands in a block is no link.
    assert_eq!(dead(page, "```\n[d](nowhere)\n```\n"), [""; 0]);
}
