//! Variables with the beginning of nex's own names that nex does not read: mistyped ones, and those of other programs.
//!
//! They are warned of and never refused: the original Nex sets `NEX_WORKLOAD_NATS_URL` and others for what it runs.

use std::collections::BTreeSet;

use clap::Command;

use super::environ::Environ;
use super::names::{OF_THE_PROJECT, OWN, earlier_names, name, old_name};

/// What the names of all our variables begin with.
const PREFIX: &str = "NEX_";

/// Warnings of the variables that are set and that no command of `nex` reads.
pub fn warnings(nex: &Command, environ: &Environ) -> Vec<String> {
    let mut unread =
        environ.names().filter_map(|name| name.to_str()).filter(|name| name.starts_with(PREFIX)).peekable();
    if unread.peek().is_none() {
        return Vec::new();
    }
    let known = Known::of(nex);
    let (mut warnings, mut foreign) = (Vec::new(), Vec::new());
    for name in unread.filter(|name| !known.has(name)) {
        let shown = nex_text::short_name(name);
        match known.nearest(name) {
            Some(near) => warnings.push(format!("nex does not read {shown}; did you mean {near}?")),
            None => foreign.push(shown),
        }
    }
    if !foreign.is_empty() {
        let names = foreign.join(", ");
        warnings.push(format!("nex does not read {names}; 'nex COMMAND --help' names the variables of a command"));
    }
    warnings
}

/// The names that mean something to nex.
struct Known {
    /// Those that are read.
    read: BTreeSet<String>,
    /// Those that are no slip, and that no warning proposes.
    other: BTreeSet<String>,
}

impl Known {
    fn of(command: &Command) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let mut known = Self { read: owned(&OWN), other: owned(&OF_THE_PROJECT) };
        known.add(command, &[]);
        known
    }

    /// Adds the flags' variables of a command, and of those below it.
    fn add(&mut self, command: &Command, path: &[&str]) {
        if !command.is_subcommand_required_set() {
            for flag in command.get_arguments() {
                self.read.extend(name(path, flag));
                self.other.extend(earlier_names(path, flag).into_iter().chain(old_name(path, flag)));
            }
        }
        for below in command.get_subcommands() {
            self.add(below, &[path, &[below.get_name()]].concat());
        }
    }

    fn has(&self, name: &str) -> bool {
        self.read.contains(name) || self.other.contains(name)
    }

    /// The name that was probably meant: one with few other letters, or one with all words of the other and more.
    fn nearest(&self, wrong: &str) -> Option<&str> {
        /// As many letters are a slip.
        const SLIP: usize = 2;
        let all = || self.read.iter().map(|name| (strsim::osa_distance(name, wrong), &**name));
        let slip = all().filter(|(distance, _)| *distance <= SLIP).min();
        let worded = || all().filter(|(_, name)| has_words(name, wrong) || has_words(wrong, name)).min();
        slip.or_else(worded).map(|(_, name)| name)
    }
}

/// Whether a name has the words of another, in their order, the last one last: `NEX_ROOTFS_BOOT_TIMEOUT` those of `NEX_BOOT_TIMEOUT`.
fn has_words(long: &str, short: &str) -> bool {
    let mut words = long.split('_');
    let (last, wanted) = (long.rsplit('_').next(), short.rsplit('_').next());
    last == wanted && short.split('_').count() > 1 && short.split('_').all(|word| words.any(|other| other == word))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn nex() -> Command {
        let mut nex = Cli::command();
        nex.build();
        nex
    }

    fn warned(variables: &[(&str, &str)]) -> Vec<String> {
        warnings(&nex(), &variables.iter().copied().collect())
    }

    #[test]
    fn a_mistyped_name_is_told_with_the_right_one() {
        for (wrong, right) in [
            ("NEX_ROOTFS_IMGE", "NEX_ROOTFS_IMAGE"),
            ("NEX_CACHE_DIRR", "NEX_CACHE_DIR"),
            ("NEX_ROOTFS_BOOT_TIEMOUT", "NEX_ROOTFS_BOOT_TIMEOUT"),
            ("NEX_LGO", "NEX_LOG"),
            ("NEX_FIRECRAKER", "NEX_FIRECRACKER"),
            // The words of another command, or too few.
            ("NEX_ROOTFS_BOOT_KERNEL", "NEX_KERNEL"),
            ("NEX_RUN_MEMORY", "NEX_MEMORY"),
            ("NEX_CHECK_INIT", "NEX_ROOTFS_CHECK_INIT"),
        ] {
            assert_eq!(warned(&[(wrong, "x")]), [format!("nex does not read {wrong}; did you mean {right}?")]);
        }
    }

    #[test]
    fn what_is_read_or_was_read_is_no_slip() {
        let own = [("NEX_AGENT", "x"), ("NEX_LOG", "x"), ("NEX_KERNEL_SOURCE", "x"), ("NEX_TEST_CORPUS", "x")];
        assert_eq!(warned(&own), [""; 0]);
        assert_eq!(warned(&[("NEX_ROOTFS_IMAGE", "x"), ("NEX_KERNEL", "x"), ("NEX_SIZE", "1G")]), [""; 0]);
        assert_eq!(
            warned(&[("NEX_ROOTFS_EXPLAIN_IMAGE", "x"), ("NEX_ROOTFS_IMGE", ""), ("NEXT_ROOTFS", "x")]),
            [""; 0]
        );
    }

    #[test]
    fn the_variables_of_another_program_are_one_warning() {
        let original = [("NEX_WORKLOAD_NATS_URL", "x"), ("NEX_SANDBOX", "false"), ("NEX_\u{1b}[31m", "x")];
        let warnings = warned(&original);
        let [warning] = &*warnings else { panic!("{warnings:?}") };
        assert!(warning.contains("NEX_SANDBOX, NEX_WORKLOAD_NATS_URL") && warning.contains("--help"), "{warning}");
        assert!(!warning.contains('\u{1b}') && !warning.contains("did you mean"), "{warning}");
    }

    /// Whatever reads a variable of the project's own gives it a name that nobody is warned of.
    #[test]
    fn the_list_of_the_projects_own_variables_is_whole() {
        let (known, mut unknown) = (Known::of(&nex()), BTreeSet::new());
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let mut open: Vec<_> = ["crates", "scripts", "benches", "fuzz", "Makefile"].map(|part| root.join(part)).into();
        while let Some(path) = open.pop() {
            if path.ends_with("target") || path.ends_with("unread.rs") {
                continue;
            }
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().flatten().map(|entry| entry.path()));
            } else if let Ok(text) = fs::read_to_string(&path) {
                unknown.extend(names(&text).filter(|name| !known.has(name)));
            }
        }
        // One is asked for and not there, and one is mistyped.
        assert_eq!(unknown, BTreeSet::from(["NEX_NO_SUCH_VARIABLE", "NEX_RUN_ROOTF"].map(str::to_owned)));
    }

    /// The variables that a text names. What ends with a line is a family of them, as in `NEX_ROOTFS_*`.
    fn names(text: &str) -> impl Iterator<Item = String> {
        let is_part = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
        let name = move |start| text[start..].chars().take_while(|letter| is_part(*letter)).collect::<String>();
        text.match_indices(PREFIX).map(move |(start, _)| name(start)).filter(|name| !name.ends_with('_'))
    }
}
