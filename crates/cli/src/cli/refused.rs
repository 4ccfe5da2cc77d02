//! Arguments that were refused, for programs that read JSON: what is wrong with them, and where that is read.
//!
//! The library stops at the first argument that it does not take, and what comes behind it has no meaning yet. So the few flags that
//! decide the form of the answer are looked for in the words themselves.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory};

use super::Cli;
use super::variables::environ::Environ;
use super::variables::names::name;
use super::variables::{Refusal, called};
use crate::args::format::Stream;
use crate::codes::{ENVIRONMENT, USAGE};
use crate::diagnostic::Diagnostic;

/// Where a program that asked for JSON looks for the report; `None` when nobody has asked for it.
pub fn stream(arguments: &[OsString], environ: &Environ) -> Option<Stream> {
    let mut command = Cli::command();
    command.build();
    let (path, leaf) = called(&command, arguments);
    let words = Words { own: arguments.iter().skip(1).map(OsString::as_os_str).take_while(|word| *word != "--") };
    let value = |flag: &str| {
        let known = leaf.get_arguments().find(|known| known.get_long() == Some(flag));
        let given = words.clone().value(leaf, flag, known.and_then(Arg::get_short));
        given.or_else(|| environ.value(&name(&path, known?)?))
    };
    // A command that is not whole, or that nobody knows, has no flags of its own. The variable is meant for all.
    let is_unfinished = leaf.has_subcommands() && leaf.get_arguments().all(|flag| flag.get_long() != Some("format"));
    let shared = || is_unfinished.then(|| environ.value("NEX_FORMAT")).flatten();
    if value("format").or_else(shared)? != "json" {
        return None;
    }
    let to_error = match *path {
        // Standard output is a program's.
        ["attach" | "exec" | "logs" | "run" | "shell"] => true,
        ["rootfs"] => value("output").is_some_and(|output| output == "-"),
        _ => false,
    };
    Some(if to_error { Stream::Error } else { Stream::Output })
}

/// What is wrong with the arguments, in the form of all errors; `None` when they only asked for help.
pub fn diagnostic(refusal: &Refusal) -> Option<Diagnostic> {
    let Refusal { error, variable, .. } = refusal;
    if !error.use_stderr() {
        return None;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Some(Diagnostic::usage("the command is not whole").hinting("name what to do; see --help"));
    }
    let text = error.render().to_string();
    // What is wrong stands in front, then tips, the usage, and where there is help.
    let mut paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = paragraphs.next().unwrap_or_default();
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    let code = if variable.is_some() { ENVIRONMENT } else { USAGE };
    let tip = match error.get(ContextKind::Suggested) {
        Some(ContextValue::StyledStrs(tips)) => tips.first().map(ToString::to_string),
        _ => None,
    };
    Some(Diagnostic::new(code, message).hinting(tip.unwrap_or_else(|| "see --help".into())))
}

/// The words of a call that are nex's own.
#[derive(Clone)]
struct Words<I> {
    own: I,
}

impl<'a, I: Iterator<Item = &'a OsStr>> Words<I> {
    /// The value of a flag: `--long=VALUE`, `--long VALUE`, and with a short name `-sVALUE`, `-s=VALUE`, `-s VALUE`, also behind
    /// short flags that have no value.
    fn value(mut self, leaf: &Command, long: &str, short: Option<char>) -> Option<OsString> {
        while let Some(word) = self.own.next() {
            let bytes = word.as_bytes();
            let found = if let Some(given) = bytes.strip_prefix(b"--") {
                let (name, value) = split(given);
                let is_other = name != long.as_bytes();
                if is_other && value.is_none() && takes_any_word(leaf, name) {
                    self.own.next();
                }
                if is_other { None } else { Some(value) }
            } else {
                short.and_then(|short| short_value(leaf, bytes.strip_prefix(b"-")?, short))
            };
            match found {
                Some(Some(value)) => return Some(OsStr::from_bytes(value).into()),
                Some(None) => return self.own.next().map(OsString::from),
                None => {}
            }
        }
        None
    }
}

/// The name of a flag, and what stands behind it in the same word.
fn split(given: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = given.splitn(2, |byte| *byte == b'=');
    (parts.next().unwrap_or_default(), parts.next())
}

/// Whether the next word is this flag's, whatever it looks like.
fn takes_any_word(leaf: &Command, long: &[u8]) -> bool {
    let named = |flag: &&Arg| flag.get_long().is_some_and(|name| name.as_bytes() == long);
    leaf.get_arguments().find(named).is_some_and(Arg::is_allow_hyphen_values_set)
}

/// The value of a short flag in a word of such; `Some(None)` when it is the next word.
fn short_value<'a>(leaf: &Command, flags: &'a [u8], short: char) -> Option<Option<&'a [u8]>> {
    for (at, flag) in flags.iter().enumerate() {
        let letter = char::from(*flag);
        if letter == short {
            let value = flags.get(at + 1..).unwrap_or_default();
            return Some(Some(value.strip_prefix(b"=").unwrap_or(value)).filter(|value| !value.is_empty()));
        }
        let known = leaf.get_arguments().find(|known| known.get_short() == Some(letter));
        if known.is_some_and(|known| known.get_action().takes_values()) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(call: &str, variables: &[(&str, &str)]) -> Option<Stream> {
        let words: Vec<OsString> = call.split(' ').map(OsString::from).collect();
        stream(&words, &variables.iter().copied().collect())
    }

    #[test]
    fn the_form_is_found_wherever_it_stands() {
        for call in [
            "nex rootfs --image scratch --size=xx --format json",
            "nex rootfs --format=json --bogus",
            "nex fs --bogus --format json",
            "nex rootfs check --format json",
            "nex rootfs check a b --format=json",
            "nex cache --format json",
            "nex cache ls --bogus --format json",
            "nex zzz --format json",
            "nex --format json",
            "nex rootfs --hostname --format json",
            "nex rootfs --bogus -o a- --format json",
        ] {
            assert_eq!(asked(call, &[]), Some(Stream::Output), "{call}");
            assert_eq!(asked(&call.replace("json", "text"), &[]), None, "{call}");
        }
        for call in [
            "nex run --format json",
            "nex run --bogus --format=json -- x",
            "nex rootfs --bogus -o - --format json",
            "nex rootfs --bogus -qo- --format json",
            "nex rootfs --bogus -o=- --format json",
            "nex rootfs --bogus --output - --format json",
            "nex rootfs --format json --bogus --output=-",
        ] {
            assert_eq!(asked(call, &[]), Some(Stream::Error), "{call}");
        }
        for call in [
            "nex run --bogus -- --format json",
            "nex run -- x --format=json",
            "nex run --append --format json",
            "nex rootfs --bogus --label=--format=json",
            "nex rootfs --bogus --format JSON",
            "nex rootfs --bogus --formatx=json",
            "nex rootfs --bogus json --format",
            "nex rootfs --bogus",
        ] {
            assert_eq!(asked(call, &[]), None, "{call}");
        }
    }

    #[test]
    fn a_variable_asks_where_no_flag_does() {
        let json = ("NEX_FORMAT", "json");
        assert_eq!(asked("nex rootfs --bogus", &[json]), Some(Stream::Output));
        assert_eq!(asked("nex rootfs --bogus", &[json, ("NEX_ROOTFS_OUTPUT", "-")]), Some(Stream::Error));
        assert_eq!(asked("nex rootfs --bogus -o x", &[json, ("NEX_ROOTFS_OUTPUT", "-")]), Some(Stream::Output));
        assert_eq!(asked("nex run", &[json]), Some(Stream::Error));
        let unfinished = ["nex zzz", "nex cache", "nex kernel bogus", "nex rootfs check"];
        for call in unfinished.into_iter().chain(["nex completion bogus", "nex manual --bogus"]) {
            assert_eq!(asked(call, &[json]), Some(Stream::Output), "{call}");
        }
        assert_eq!(asked("nex rootfs --bogus --format text", &[json]), None);
        assert_eq!(asked("nex rootfs --bogus", &[("NEX_FORMAT", "")]), None);
    }
}
