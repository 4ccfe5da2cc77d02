//! `nex manual`: the manual pages of all commands, in roff, out of what the help says.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use nex_contract::Document;
use nex_file::whole;
use roff::{Roff, bold, roman};
use serde_json::json;

use super::args::ManualArgs;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::cli::Cli;
use crate::cli::documentation::{Form, documented};
use crate::codes::OUTPUT;
use crate::diagnostic::Diagnostic;
use crate::output;

/// The section of commands.
const SECTION: &str = "1";

/// That of the report.
const VERSION: u32 = Document::Manual.schema_version();

/// Prints a page, or writes them all.
///
/// # Errors
/// When there is no such command, or the pages cannot be written.
pub fn run(args: &ManualArgs, common: &CommonArgs) -> Result<(), Diagnostic> {
    // 'nex help' has no page: its help is what it says.
    let nex = documented(Cli::command().disable_help_subcommand(true), Form::Long);
    match (&args.dir, args.command.as_deref()) {
        (Some(directory), _) => write_all(&nex, directory, common.format),
        (None, None) => print(&nex, &nex, common.format),
        (None, Some(name)) => {
            let command = find(&nex, name).ok_or_else(|| {
                Diagnostic::usage(format!("there is no command '{}'; see nex --help", nex_text::short_name(name)))
            })?;
            print(&nex, command, common.format)
        }
    }
}

fn print(nex: &Command, command: &Command, format: Format) -> Result<(), Diagnostic> {
    let page = page(nex, command).map_err(Diagnostic::system)?;
    let (name, page) = (page_name(command), String::from_utf8_lossy(&page));
    let text = match format {
        Format::Text => page.into_owned(),
        Format::Json => output::in_json(&json!({ "schemaVersion": VERSION, "name": name, "page": page }))?,
    };
    output::print("the manual page", &text)
}

fn write_all(nex: &Command, directory: &Path, format: Format) -> Result<(), Diagnostic> {
    let mut names = Vec::new();
    for command in all(nex) {
        let path = directory.join(format!("{}.{SECTION}", page_name(command)));
        page(nex, command).and_then(|page| whole::write(&path, &page)).map_err(|error| {
            Diagnostic::new(OUTPUT, format!("cannot write the page '{}'", path.display())).caused(&error)
        })?;
        names.push(path.display().to_string());
    }
    let text = match format {
        Format::Text => names.iter().map(|name| format!("{name}\n")).collect(),
        Format::Json => output::in_json(&json!({ "schemaVersion": VERSION, "pages": names }))?,
    };
    output::print("the names of the pages", &text)
}

/// A command and all below it.
fn all(command: &Command) -> Vec<&Command> {
    std::iter::once(command).chain(command.get_subcommands().flat_map(all)).collect()
}

/// As `man` finds it: `nex-rootfs-boot`.
fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// The command of this name; `rootfs-set-agent` is the command `set-agent` of `rootfs`, as its page is called.
fn find<'a>(parent: &'a Command, name: &str) -> Option<&'a Command> {
    parent.find_subcommand(name).or_else(|| {
        parent.get_subcommands().find_map(|command| {
            let mut names = std::iter::once(command.get_name()).chain(command.get_all_aliases());
            let below = names.find_map(|own| name.strip_prefix(own)?.strip_prefix('-'))?;
            find(command, below)
        })
    })
}

fn page(nex: &Command, command: &Command) -> io::Result<Vec<u8>> {
    let name = page_name(command);
    let man = Man::new(command.clone()).section(SECTION);
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let parts: Vec<Part> = help.split("\n\n").filter(|text| !text.is_empty()).map(Part::of).collect();
    // The library leaves an empty date out, and what is behind it comes to stand in its place. A page has no date: the same
    // sources give the same bytes.
    let title = name.to_ascii_uppercase();
    let mut page =
        format!(".TH {title} {SECTION} \"\" \"nex {}\" \"User Commands\"\n", env!("CARGO_PKG_VERSION")).into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    prose(&parts).to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    sections(&parts).to_writer(&mut page)?;
    see_also(nex, command).to_writer(&mut page)?;
    Ok(page)
}

/// A paragraph of what the help says behind the flags.
enum Part<'a> {
    /// Text, whose lines are as long as a screen has it.
    Prose(&'a str),
    /// Lines to be copied.
    Examples(Vec<&'a str>),
    /// Words, and what they mean, in a section of this name.
    Words(&'static str, Vec<(&'a str, &'a str)>),
    /// The same, without a section of its own.
    Table(Vec<(&'a str, &'a str)>),
}

impl<'a> Part<'a> {
    fn of(text: &'a str) -> Self {
        let (title, rows) = text.split_once('\n').unwrap_or((text, ""));
        let words = |rows: &'a str| {
            let row = |line: &'a str| {
                let (word, meaning) = line.trim_start().split_once("  ")?;
                Some((word, meaning.trim_start()))
            };
            rows.lines().filter_map(row).collect()
        };
        match title {
            "Examples:" => Self::Examples(rows.lines().map(str::trim_start).collect()),
            "Environment:" => Self::Words("ENVIRONMENT", words(rows)),
            "Exit codes:" => Self::Words("EXIT STATUS", words(rows)),
            _ if text.lines().all(|line| line.starts_with("  ")) => Self::Table(words(text)),
            _ => Self::Prose(text),
        }
    }
}

/// What goes on with the description.
fn prose(parts: &[Part]) -> Roff {
    let mut roff = Roff::new();
    for part in parts {
        match part {
            Part::Prose(text) => {
                roff.control("PP", []);
                text.lines().for_each(|line| _ = roff.text([roman(line)]));
            }
            Part::Table(rows) => list(&mut roff, rows),
            Part::Examples(_) | Part::Words(..) => {}
        }
    }
    roff
}

fn sections(parts: &[Part]) -> Roff {
    let mut roff = Roff::new();
    for part in parts {
        match part {
            Part::Examples(lines) => {
                // No line of them is wrapped: they are there to be copied.
                roff.control("SH", ["EXAMPLES"]).control("EX", []);
                lines.iter().for_each(|line| _ = roff.text([roman(*line)]));
                roff.control("EE", []);
            }
            Part::Words(title, rows) => {
                roff.control("SH", [*title]);
                list(&mut roff, rows);
            }
            Part::Prose(_) | Part::Table(_) => {}
        }
    }
    roff
}

fn list(roff: &mut Roff, rows: &[(&str, &str)]) {
    for (word, meaning) in rows {
        roff.control("TP", []).text([bold(*word)]).text([roman(*meaning)]);
    }
}

/// The pages above this one, beside it and below it.
fn see_also(nex: &Command, command: &Command) -> Roff {
    let name = page_name(command);
    let above = |other: &&Command| name.starts_with(&format!("{}-", page_name(other)));
    let all = all(nex);
    let parent = all.iter().copied().filter(above).max_by_key(|other| page_name(other).len());
    let near = parent.into_iter().chain([command]).flat_map(Command::get_subcommands);
    let others = all.iter().copied().filter(above).chain(near).map(page_name).filter(|other| *other != name);
    let mut names: Vec<&str> = others.collect();
    names.sort_unstable();
    names.dedup();
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    for (index, other) in names.iter().enumerate() {
        let end = if index + 1 < names.len() { "," } else { "" };
        roff.text([bold(*other), roman(format!("({SECTION}){end}"))]);
    }
    roff
}
