//! The flags' environment variables, which follow from the flags' names and so cannot be forgotten.
//!
//! `nex rootfs boot --timeout` has `NEX_ROOTFS_BOOT_TIMEOUT`: a flag of one command says nothing to another. What means the same
//! wherever it is, such as `--kernel`, has one variable for all commands: [`names::SHARED`].
//!
//! A variable is a wish for all runs to come, and a flag one for this run. So a variable gives way: to its own flag, to flags
//! that its flag cannot be used with, and where its flag means nothing without another that is not there. A flag that would be
//! refused is a slip; a variable is not. What is left of the variables becomes flags, in front of the others.

pub mod names;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::builder::{FalseyValueParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, ColorChoice, Command, CommandFactory, FromArgMatches, value_parser};

use names::{earlier_names, name, old_name};

use super::Cli;
use super::documentation::{Form, documented};

/// A flag that means something for one value of another alone, which clap has no word for.
const ONLY_FOR: (&str, &str, &str) = ("free", "size", "auto");

/// What the arguments and the environment ask for.
pub struct Asked {
    /// The arguments.
    pub cli: Cli,
    /// Variables that are set and say nothing any more.
    pub warnings: Vec<String>,
}

/// Reads the arguments, with the environment's variables where they have no flag.
///
/// # Errors
/// When the arguments make no sense, or ask for help.
pub fn parse(arguments: &[OsString], variable: impl Fn(&str) -> Option<OsString>) -> Result<Asked, clap::Error> {
    let mut command = Cli::command();
    command.build();
    // What is wrong is refused below, with the variables in their places.
    let matches = match Cli::command().ignore_errors(true).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        // It is help that was asked for.
        Err(error) => return Err(well_told(error, arguments)),
    };
    let (path, leaf, matches) = leaf(&command, &matches);
    let environment = Environment { path: &path, variable: &variable };
    let wishes = environment.wishes(leaf, matches);
    let warnings = environment.outdated(leaf, matches);
    let (words, rest) = arguments.split_at(arguments.len().min(path.len() + 1));
    let added = wishes.iter().flat_map(|wish| wish.arguments.iter().cloned());
    let all: Vec<_> = words.iter().cloned().chain(added).chain(rest.iter().cloned()).collect();
    let matches =
        command.clone().try_get_matches_from(all).map_err(|error| well_told(blame(error, &wishes), arguments))?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    Ok(Asked { cli, warnings })
}

/// Help, with all that there is to know.
fn well_told(error: clap::Error, arguments: &[OsString]) -> clap::Error {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand};
    let is_help = matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand);
    let told = is_help
        .then(|| {
            documented(Cli::command().color(color(arguments)), form(arguments)).try_get_matches_from(arguments).err()
        })
        .flatten();
    told.unwrap_or(error)
}

/// Whether help has colours, which is shown before the arguments are read.
fn color(arguments: &[OsString]) -> ColorChoice {
    let own: Vec<&OsStr> = arguments.iter().skip(1).map(OsString::as_os_str).take_while(|word| *word != "--").collect();
    let value = own.iter().enumerate().rev().find_map(|(index, word)| match word.as_bytes().strip_prefix(b"--color") {
        Some(b"") => own.get(index + 1).map(|value| value.as_bytes()),
        Some(rest) => rest.strip_prefix(b"="),
        None => None,
    });
    let named = std::env::var_os("NEX_COLOR").unwrap_or_default();
    match value.unwrap_or(named.as_bytes()) {
        b"always" => ColorChoice::Always,
        b"never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

/// How much help is asked for: `-h` wants little, `--help` and `nex help` all.
fn form(arguments: &[OsString]) -> Form {
    let mut own = arguments.iter().skip(1).take_while(|word| *word != "--");
    let is_long = own.clone().any(|word| word == "--help") || own.next().is_some_and(|word| word == "help");
    if is_long { Form::Long } else { Form::Short }
}

/// The command that was called, by its words.
fn leaf<'a>(command: &'a Command, matches: &'a ArgMatches) -> (Vec<&'a str>, &'a Command, &'a ArgMatches) {
    let (mut path, mut leaf) = (Vec::new(), (command, matches));
    while let Some((word, below)) = leaf.1.subcommand()
        && let Some(found) = leaf.0.find_subcommand(word)
    {
        path.push(found.get_name());
        leaf = (found, below);
    }
    (path, leaf.0, leaf.1)
}

/// The command that arguments call which may make no sense.
pub fn called<'a>(command: &'a Command, arguments: &[OsString]) -> (Vec<&'a str>, &'a Command) {
    match command.clone().ignore_errors(true).try_get_matches_from(arguments) {
        Ok(matches) => {
            let mut found = (Vec::new(), command);
            let mut matches = &matches;
            while let Some((word, below)) = matches.subcommand()
                && let Some(leaf) = found.1.find_subcommand(word)
            {
                found.0.push(leaf.get_name());
                (found.1, matches) = (leaf, below);
            }
            found
        }
        Err(_) => (Vec::new(), command),
    }
}

/// A flag that a variable gives.
struct Wish<'a> {
    flag: &'a Arg,
    /// The variable, and its value.
    name: String,
    value: OsString,
    /// What to write for it.
    arguments: Vec<OsString>,
}

/// What the environment says to one command.
struct Environment<'a> {
    path: &'a [&'a str],
    variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Environment<'_> {
    /// An empty variable counts as unset.
    fn value(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// The flags that are not given, and that their variables ask for.
    fn wishes<'a>(&self, leaf: &'a Command, matches: &ArgMatches) -> Vec<Wish<'a>> {
        let given: Vec<&Arg> = leaf.get_arguments().filter(|flag| is_given(flag, matches)).collect();
        let beside_given = |wish: &Wish| trouble(leaf, &given, wish.flag);
        let open = leaf.get_arguments().filter(|flag| !is_given(flag, matches)).filter_map(|flag| self.wish(flag));
        let mut open: Vec<Wish> = open.filter(|wish| beside_given(wish) != Some(ErrorKind::ArgumentConflict)).collect();
        let mut taken: Vec<Wish> = Vec::new();
        // One may need another that comes behind it.
        loop {
            let flags: Vec<&Arg> = given.iter().copied().chain(taken.iter().map(|wish| wish.flag)).collect();
            let lacks = |wish: &Wish| trouble(leaf, &flags, wish.flag) == Some(ErrorKind::MissingRequiredArgument);
            let (lacking, complete): (Vec<_>, Vec<_>) = open.into_iter().partition(lacks);
            open = lacking;
            if complete.is_empty() {
                break;
            }
            taken.extend(complete);
        }
        let (idle, other, value) = ONLY_FOR;
        let named = taken.iter().find(|wish| wish.flag.get_long() == Some(other)).map(|wish| &*wish.value);
        if named.or_else(|| matches.try_get_raw(other).ok()??.next_back()) != Some(OsStr::new(value)) {
            taken.retain(|wish| wish.flag.get_long() != Some(idle));
        }
        taken
    }

    fn wish<'a>(&self, flag: &'a Arg) -> Option<Wish<'a>> {
        let names = name(self.path, flag).into_iter().chain(earlier_names(self.path, flag));
        let (name, value) = names.filter_map(|name| self.value(&name).map(|value| (name, value))).next()?;
        let long = flag.get_long()?;
        let with = |value: &[u8]| OsString::from_vec([b"--", long.as_bytes(), b"=", value].concat());
        let arguments = match flag.get_action() {
            ArgAction::SetTrue if !is_true(&value) => return None,
            ArgAction::SetTrue => vec![format!("--{long}").into()],
            ArgAction::Count => vec![format!("--{long}").into(); times(&value)].into_iter().collect(),
            // One a line.
            ArgAction::Append => {
                value.as_bytes().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(with).collect()
            }
            _ => vec![with(value.as_bytes())],
        };
        Some(Wish { flag, name, value, arguments })
    }

    /// Says which variables had another name earlier, and are set to no effect.
    fn outdated(&self, leaf: &Command, matches: &ArgMatches) -> Vec<String> {
        let warning = |flag: &Arg| {
            let (old, new) = (old_name(self.path, flag)?, name(self.path, flag)?);
            let is_lost = !is_given(flag, matches) && self.value(&old).is_some() && self.value(&new).is_none();
            let (long, words) = (flag.get_long()?, self.path.join(" "));
            is_lost.then(|| format!("{old} is not read any more; the variable of 'nex {words} --{long}' is {new}"))
        };
        leaf.get_arguments().filter_map(warning).collect()
    }
}

fn is_given(flag: &Arg, matches: &ArgMatches) -> bool {
    matches!(matches.value_source(flag.get_id().as_str()), Some(ValueSource::CommandLine))
}

/// As clap reads variables of flags without a value.
fn is_true(value: &OsStr) -> bool {
    FalseyValueParser::new().parse_ref(&Command::new("nex"), None, value).unwrap_or(true)
}

/// How often a flag is given that counts: a number, or once for yes.
fn times(value: &OsStr) -> usize {
    /// More says no more.
    const MOST: usize = 9;
    let number = value.to_str().and_then(|text| text.parse::<usize>().ok());
    number.unwrap_or_else(|| usize::from(is_true(value))).min(MOST)
}

/// What keeps a flag from being used beside others, whatever their values are. Flags that a command cannot do without may be
/// missing.
fn trouble(leaf: &Command, others: &[&Arg], flag: &Arg) -> Option<ErrorKind> {
    let command = leaf.clone().mut_args(|flag| match flag.get_action() {
        ArgAction::Set | ArgAction::Append => flag.required(false).value_parser(value_parser!(OsString)),
        _ => flag,
    });
    let arguments = others.iter().chain([&flag]).map(|flag| match (flag.get_long(), flag.get_action()) {
        (Some(long), ArgAction::SetTrue | ArgAction::Count) => format!("--{long}"),
        (Some(long), _) => format!("--{long}=x"),
        (None, _) => "x".into(),
    });
    let words = std::iter::once("nex".to_owned()).chain(arguments);
    command.try_get_matches_from(words).err().map(|error| error.kind())
}

/// How the tip ends which says that a value is a variable's.
const IN_ENVIRONMENT: &str = " in the environment";

/// Whether it is the value of a variable that was refused.
pub fn is_of_a_variable(error: &clap::Error) -> bool {
    let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) else { return false };
    tips.iter().any(|tip| tip.to_string().ends_with(IN_ENVIRONMENT))
}

/// Says where a value came from that the user may not have before their eyes.
fn blame(mut error: clap::Error, wishes: &[Wish]) -> clap::Error {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => wishes.iter().find(|wish| wish.flag.to_string() == *flag),
        _ => None,
    };
    if let Some(wish) = named {
        let tip = format!("the value is that of {}{IN_ENVIRONMENT}", wish.name);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests;
