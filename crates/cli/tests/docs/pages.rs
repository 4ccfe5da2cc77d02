//! Which pages there are.

use std::fs;
use std::path::{Path, PathBuf};

use nex_testkit::failure::Context;
use nex_testkit::{Result, places};

/// The pages of the project, by their paths from its root: those beside the README, and all below `docs`.
pub fn all() -> Result<Vec<PathBuf>> {
    let root = places::workspace();
    let mut found = Vec::new();
    for entry in fs::read_dir(&root)? {
        found.push(entry?.path());
    }
    let mut directories = vec![root.join("docs")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).context(directory.display())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { directories.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.sort();
    Ok(found.iter().map(|path| path.strip_prefix(&root).unwrap_or(path).to_owned()).collect())
}

/// What a page says.
pub fn read(page: impl AsRef<Path>) -> Result<String> {
    let path = places::workspace().join(page);
    fs::read_to_string(&path).context(path.display())
}

#[test]
fn the_pages_are_found() -> Result<()> {
    let all = all()?;
    for name in
        ["README.md", "README.zh-CN.md", "docs/README.md", "docs/guides/quick-start.md", "docs/decisions/README.md"]
    {
        assert!(all.iter().any(|page| page == Path::new(name)), "{name}");
    }
    Ok(())
}

/// Who comes for the first time reads all of it.
#[test]
fn what_is_read_first_is_short() -> Result<()> {
    for (page, most) in [("README.md", 150), ("README.zh-CN.md", 150)] {
        assert!(read(page)?.lines().count() <= most, "{page} has more than {most} lines");
    }
    for page in all()?.iter().filter(|page| page.starts_with("docs/guides")) {
        assert!(read(page)?.lines().count() < 120, "{} has 120 lines or more", page.display());
    }
    Ok(())
}

/// What a stranger types first stands where a stranger looks first.
#[test]
fn the_first_two_commands_are_at_the_top() -> Result<()> {
    for page in ["README.md", "README.zh-CN.md"] {
        let text = read(page)?;
        let top: Vec<&str> = text.lines().take(20).collect();
        for command in ["make rootfs", "make test"] {
            assert!(top.iter().any(|line| line.trim_start().starts_with(command)), "{page}: {command}");
        }
    }
    Ok(())
}
