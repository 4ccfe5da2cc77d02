//! What all commands have in common is walked command by command: it holds for those to come, too.

use clap::{ArgAction, Command, CommandFactory, Parser};

use super::Cli;
use super::documentation::{Form, documented};
use crate::args::common::ColorArg;
use crate::args::format::Format;

/// Every command that does something itself, by the words that call it.
fn called() -> Vec<(Vec<String>, Command)> {
    fn below(command: &Command, path: &[String], found: &mut Vec<(Vec<String>, Command)>) {
        if !command.is_subcommand_required_set() {
            found.push((path.to_vec(), command.clone()));
        }
        for next in command.get_subcommands().filter(|next| next.get_name() != "help") {
            below(next, &[path, &[next.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    below(&documented(Cli::command(), Form::Long), &[], &mut found);
    found
}

/// A call with what the command cannot do without.
fn call(path: &[String], command: &Command) -> Vec<String> {
    let needed = command.get_arguments().filter(|argument| argument.is_required_set());
    let words = needed.map(|argument| match (argument.get_long(), argument.get_id().as_str()) {
        (Some(long), _) => format!("--{long}=x"),
        (None, "size") => "1G".into(),
        (None, _) => "bash".into(),
    });
    ["nex".to_owned()].into_iter().chain(path.iter().cloned()).chain(words).collect()
}

#[test]
fn every_command_takes_what_all_take() {
    let commands = called();
    assert!(commands.len() > 15, "{}", commands.len());
    for (path, command) in commands {
        let flag = |long: &str| command.get_arguments().find(|flag| flag.get_long() == Some(long)).cloned();
        for (long, short) in [("quiet", Some('q')), ("verbose", Some('v')), ("format", None), ("color", None)] {
            let has = flag(long).map(|flag| (flag.get_short(), flag.is_hide_set()));
            assert_eq!(has, Some((short, false)), "{path:?} --{long}");
        }
        let asked = |more: &[&str]| {
            // Behind the command's words: what a program is given is not for nex.
            let mut words = call(&path, &command);
            let behind = path.len() + 1;
            words.splice(behind..behind, more.iter().map(|word| (*word).to_owned()));
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{path:?} {more:?}: {error}")).common
        };
        assert!(asked(&["-q"]).quiet && !asked(&[]).quiet, "{path:?}");
        assert_eq!([asked(&[]).verbose, asked(&["-v"]).verbose, asked(&["-vv"]).verbose], [0, 1, 2], "{path:?}");
        assert_eq!(asked(&["--format", "json"]).format, Format::Json, "{path:?}");
        for (word, meaning) in [("auto", ColorArg::Auto), ("always", ColorArg::Always), ("never", ColorArg::Never)] {
            assert_eq!(asked(&["--color", word]).color, meaning, "{path:?}");
        }
        // They may stand in front of the command, too.
        let words = call(&path, &command);
        let before = [&words[..1], &["--format=json".into(), "-v".into()], &words[1..]].concat();
        let before = Cli::try_parse_from(before).map(|cli| (cli.common.format, cli.common.verbose));
        assert_eq!(before.ok(), Some((Format::Json, 1)), "{path:?}");
    }
}

#[test]
fn what_may_be_repeated_says_so_in_the_same_words() {
    let mut found = 0;
    for (path, command) in called() {
        for flag in command.get_arguments().filter(|flag| flag.get_long().is_some()) {
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            let is_repeated = matches!(flag.get_action(), ArgAction::Append | ArgAction::Count);
            assert_eq!(help.ends_with("may be given several times"), is_repeated, "{path:?} {flag}: {help}");
            found += usize::from(is_repeated);
        }
    }
    assert!(found > 10, "{found}");
}

/// What a command works on is its first word, but for a run, whose first word is the program.
#[test]
fn a_file_that_a_command_works_on_is_its_first_word() {
    let mut found = Vec::new();
    for (path, command) in called() {
        let first = command.get_positionals().next();
        let name = first.and_then(|first| first.get_value_names()?.first().map(ToString::to_string));
        if name.as_deref() == Some("FILE") {
            assert!(first.is_some_and(clap::Arg::is_required_set), "{path:?}");
            found.push(path.join(" "));
        }
    }
    found.sort();
    let working = ["boot", "check", "config", "grow", "set-agent"].map(|command| format!("rootfs {command}"));
    assert_eq!(found, [&["kernel add".to_owned(), "kernel check".to_owned()], &working[..]].concat());
    let run = called().into_iter().find(|(path, _)| *path == ["run"]).map(|(_, run)| run);
    let run = run.map(|run| run.get_positionals().map(|word| word.get_id().to_string()).collect::<Vec<_>>());
    assert_eq!(run, Some(vec!["binary".into(), "args".into()]));
}

#[test]
fn a_name_that_was_superseded_is_taken_and_not_shown() {
    for flag in ["--rootfs", "--image"] {
        let cli = Cli::try_parse_from(["nex", "rootfs", "explain", "console.log", flag, "a.ext4"]);
        let taken = cli.map(|cli| format!("{:?}", cli.command)).unwrap_or_else(|error| panic!("{error}"));
        assert!(taken.contains("rootfs: Some(\"a.ext4\")"), "{taken}");
    }
    let explain = called().into_iter().find(|(path, _)| *path == ["rootfs", "explain"]).map(|(_, command)| command);
    let help = explain.map(|mut explain| explain.render_long_help().to_string()).unwrap_or_default();
    assert!(help.contains("--rootfs") && !help.contains("--image"), "{help}");
}
