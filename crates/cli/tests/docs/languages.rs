//! A page in Chinese is in step with the English one: as many headings of each depth, and the same blocks.

use std::path::Path;

use nex_testkit::Result;

use crate::{blocks, pages};

/// The depths of a page's headings, in their order.
fn depths(page: &str) -> Vec<usize> {
    let mut is_block = false;
    let mut found = Vec::new();
    for line in page.lines() {
        is_block ^= line.starts_with("```");
        let depth = line.len() - line.trim_start_matches('#').len();
        if !is_block && depth > 0 && line[depth..].starts_with(' ') {
            found.push(depth);
        }
    }
    found
}

/// All that is the same in every language.
#[derive(Debug, PartialEq, Eq)]
struct Skeleton {
    /// The depths of the headings.
    headings: Vec<usize>,
    /// The language and the lines of each block.
    blocks: Vec<(String, Vec<String>)>,
    /// Commands that stand by themselves, without what is said about them.
    indented: Vec<String>,
}

fn skeleton(page: &str) -> Result<Skeleton> {
    let blocks = blocks::blocks(page)?.into_iter().map(|block| (block.language, block.text)).collect();
    let indented = page.lines().filter_map(|line| line.strip_prefix("    ")).filter_map(|line| line.split('#').next());
    let indented = indented.map(|line| line.trim().to_owned()).collect();
    Ok(Skeleton { headings: depths(page), blocks, indented })
}

#[test]
fn pages_in_chinese_are_in_step() -> Result<()> {
    let mut count = 0;
    for page in pages::all()? {
        let Some(english) = page.to_str().and_then(|name| name.strip_suffix(".zh-CN.md")) else { continue };
        let english = format!("{english}.md");
        let (theirs, ours) = (pages::read(&english)?, pages::read(&page)?);
        assert_eq!(skeleton(&ours)?, skeleton(&theirs)?, "{} is not in step with {english}", page.display());
        let links = |text: &str| {
            text.contains(Path::new(&english).file_name().and_then(|name| name.to_str()).unwrap_or_default())
        };
        assert!(links(&ours), "{} does not name {english}", page.display());
        count += 1;
    }
    assert!(count >= 2, "{count} pages in Chinese");
    Ok(())
}

#[test]
fn a_page_out_of_step_is_noticed() -> Result<()> {
    let page = "# A\n\n    make rootfs   # text\n\n## B\n```console\n$ a\nb\n```\n";
    assert_eq!(skeleton(page)?, skeleton("# 甲\n\n    make rootfs   # 字\n\n## 乙\n```console\n$ a\nb\n```\n")?);
    for (from, to) in [("## B", "### B"), ("$ a", "$ c"), ("b\n", "c\n"), ("make rootfs", "make"), ("## B\n", "")] {
        assert_ne!(skeleton(page)?, skeleton(&page.replacen(from, to, 1))?, "{from:?} became {to:?}");
    }
    Ok(())
}
