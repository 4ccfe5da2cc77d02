//! The commands of the README, the guides and the reference do what they show.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use nex_testkit::{Failure, Result};

use crate::blocks::Mark;
use crate::world::World;
use crate::{blocks, pages, session, shape};

/// Asks for an exit code, which is part of what a page says and no measure.
const EXIT_CODE: &str = "echo $?";

/// A test for each of these pages.
macro_rules! tests_of_pages {
    ($($name:ident: $page:literal),* $(,)?) => {
        const PAGES: &[&str] = &[$($page),*];
        $(#[test]
        fn $name() -> Result<()> {
            does_what_it_shows($page)
        })*
    };
}

tests_of_pages! {
    the_readme: "README.md",
    the_quick_start: "docs/guides/quick-start.md",
    the_guide_to_debian: "docs/guides/debian-systemd.md",
    the_guide_to_alpine: "docs/guides/alpine-openrc.md",
    the_guide_to_python: "docs/guides/python-app.md",
    the_guide_to_firecracker: "docs/guides/firecracker.md",
    the_guide_to_ci: "docs/guides/ci.md",
    the_guide_to_upgrades: "docs/guides/upgrading-agents.md",
    the_guide_to_verity: "docs/guides/verity.md",
    the_guide_to_the_library: "docs/guides/rust-library.md",
    the_reference_of_builds: "docs/rootfs.md",
    the_reference_of_changes: "docs/change.md",
    the_reference_of_checks: "docs/checks.md",
    the_reference_of_errors: "docs/exit-codes.md",
    the_reference_of_failed_boots: "docs/console.md",
    the_reference_of_guests: "docs/guests.md",
    the_reference_of_programs: "docs/run.md",
    the_reference_of_setup_scripts: "docs/setup-scripts.md",
    the_reference_of_verity: "docs/verity.md",
}

/// Pages in Chinese have the commands of the English ones (`languages.rs`), which run.
#[test]
fn every_page_with_commands_has_a_test() -> Result<()> {
    for page in pages::all()? {
        let sessions = blocks::blocks(&pages::read(&page)?)?.iter().filter(|block| block.is_session()).count();
        let is_listed = PAGES.iter().any(|listed| page == Path::new(listed));
        let is_translation = page.to_string_lossy().ends_with(".zh-CN.md");
        if sessions > 0 && !is_listed && !is_translation {
            return Err(Failure::new(format!("{} has commands, and is not in the list of pages", page.display())));
        }
    }
    Ok(())
}

/// Names the file in which `make test` collects what could not be looked at.
const LEFT_OUT: &str = "NEX_LEFT_OUT";

/// Most of what pages show is shown by tests, and the rest is counted where people look.
#[test]
fn blocks_that_nobody_runs_are_counted() -> Result<()> {
    let (mut count, mut not_run) = (0, Vec::new());
    for page in PAGES {
        for block in blocks::blocks(&pages::read(page)?)?.into_iter().filter(blocks::Block::is_session) {
            count += 1;
            if let Some(Mark::NotRun(reason)) = block.mark {
                assert!(reason.contains(' '), "{page}:{}: {reason:?} is no reason", block.line);
                not_run.push(format!("{page}:{}: {reason}", block.line));
            }
        }
    }
    let line = format!("NOT RUN: {} of {count} blocks of commands in the pages", not_run.len());
    eprintln!("{line}\n{}", not_run.join("\n"));
    if let Some(file) = std::env::var_os(LEFT_OUT) {
        let mut file = OpenOptions::new().create(true).append(true).open(file)?;
        writeln!(file, "{line}: cargo test -p nex --test docs counted -- --nocapture lists them")?;
    }
    assert!(not_run.len() * 2 < count, "{line}");
    Ok(())
}

#[test]
fn a_page_that_shows_something_else_is_noticed() -> Result<()> {
    let page = "```console\n$ printf 'a\\nb'\na\nb\n$ (exit 3)\n$ echo $?\n3\n```\n";
    assert_eq!(faults(page)?.0, "");
    for (from, to) in [("\nb\n", "\nc\n"), ("?\n3", "?\n4"), ("a\nb\n", "a\n")] {
        assert_ne!(faults(&page.replacen(from, to, 1))?.0, "", "{from:?} in place of {to:?}");
    }
    // Numbers are measures elsewhere.
    assert_eq!(faults("```console\n$ echo 12 KiB in 3 files\n1.5 MiB in 700 files\n```\n")?.0, "");
    // A session that ends in the middle has not shown the rest.
    assert!(faults("```console\n$ exit 1\n$ true\n```\n").is_err());
    assert_eq!(faults("<!-- not run: there is no such thing -->\n```console\n$ exit 1\n```\n")?.1, 1);
    Ok(())
}

fn does_what_it_shows(page: &str) -> Result<()> {
    let begin = Instant::now();
    let text = pages::read(page)?;
    let (faults, not_run) = faults_of(page, &text)?;
    eprintln!("{page}: {} s, {not_run} blocks not run", begin.elapsed().as_secs());
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(faults)) }
}

fn faults(text: &str) -> Result<(String, usize)> {
    faults_of("page", text)
}

/// What the commands of a page print otherwise than it shows, and how many blocks were not run.
fn faults_of(page: &str, text: &str) -> Result<(String, usize)> {
    let Some(world) = World::for_page(text)? else { return Ok((String::new(), 0)) };
    let (printed, not_run) = session::run(&world, &blocks::blocks(text)?)?;
    let mut faults = String::new();
    for printed in printed {
        let output = world.as_installed(&printed.output);
        let lines: Vec<&str> = output.lines().collect();
        let is_other = match printed.step.command.as_str() {
            EXIT_CODE => (lines != printed.step.expected).then(|| format!("the exit code is {}", output.trim())),
            _ => shape::difference(&printed.step.expected, &lines),
        };
        if let Some(difference) = is_other {
            let _ = writeln!(faults, "{page}:{}: $ {}\n{difference}", printed.step.line, printed.step.command);
        }
    }
    for block in &not_run {
        eprintln!("NOT RUN: {page}:{}: {}", block.line, block.reason);
    }
    Ok((faults, not_run.len()))
}
