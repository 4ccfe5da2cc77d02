//! The flags' environment variables, which follow from the flags' names and so cannot be forgotten.
//!
//! `nex rootfs boot --timeout` has `NEX_ROOTFS_BOOT_TIMEOUT`: a flag of one command says nothing to another. What means the same
//! wherever it is, such as `--kernel`, has one variable for all commands: [`names::SHARED`].
//!
//! A variable is a wish for all runs to come, and a flag one for this run. So a variable gives way: to its own flag, to flags
//! that its flag cannot be used with, and where its flag means nothing without another that is not there. A flag that would be
//! refused is a slip; a variable is not. What is left of the variables becomes flags, in front of the others.
//!
//! Its value is another matter: a wrong one is refused wherever the flag itself is not given, also where the variable gives way. It
//! would be wrong in every other run, too.

pub mod environ;
pub mod names;
mod unread;
mod yes_or_no;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, ColorChoice, Command, CommandFactory, FromArgMatches, value_parser};

use environ::Environ;
use names::{earlier_names, name, old_name};

use super::Cli;
use super::documentation::{Form, documented};
use super::given::is_given;
use super::unused;

/// A flag that means something for one value of another alone, which clap has no word for.
const ONLY_FOR: (&str, &str, &str) = ("free", "size", "auto");

/// What the arguments and the environment ask for.
pub struct Asked {
    /// The arguments.
    pub cli: Cli,
    /// Variables that are set, and flags that were typed, and that say nothing.
    pub warnings: Vec<String>,
}

/// Arguments that are refused, or that only ask for help.
#[derive(Debug)]
pub struct Refusal {
    /// What the library says.
    pub error: clap::Error,
    /// The variable whose value is refused, where it is a variable's and was not typed.
    pub variable: Option<String>,
    /// Variables of old names that are set: what is missing may stand in one of them.
    pub outdated: Vec<String>,
}

impl From<clap::Error> for Refusal {
    fn from(error: clap::Error) -> Self {
        Self { error, variable: None, outdated: Vec::new() }
    }
}

/// Reads the arguments, with the environment's variables where they have no flag.
///
/// # Errors
/// When the arguments or the value of a variable make no sense, or when the arguments ask for help.
pub fn parse(arguments: &[OsString], environ: &Environ) -> Result<Asked, Refusal> {
    let mut command = Cli::command();
    command.build();
    // What is wrong is refused below, with the variables in their places.
    let matches = match Cli::command().ignore_errors(true).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        // It is help that was asked for.
        Err(error) => return Err(well_told(error, arguments).into()),
    };
    let (path, leaf, matches) = leaf(&command, &matches);
    let environment = Environment { path: &path, environ };
    let wishes = environment.wishes(leaf, matches);
    let refused = environment.refused(leaf, matches);
    let outdated = environment.outdated(leaf, matches);
    let mut warnings = [outdated.clone(), unread::warnings(&command, environ)].concat();
    let (words, rest) = arguments.split_at(arguments.len().min(path.len() + 1));
    let added = wishes.iter().flat_map(|wish| wish.arguments.iter().cloned());
    let all: Vec<_> = words.iter().cloned().chain(added).chain(rest.iter().cloned()).collect();
    let asked = command.clone().try_get_matches_from(all).map_err(|error| {
        let refusal = blame(error, &wishes);
        Refusal { error: well_told(refusal.error, arguments), outdated, ..refusal }
    })?;
    if let Some(refusal) = refused {
        return Err(refusal);
    }
    let cli = Cli::from_arg_matches(&asked).map_err(|error| error.format(&mut command.clone()))?;
    warnings.extend(unused::warnings(&cli, leaf, matches));
    Ok(Asked { cli, warnings })
}

/// Warnings of variables that look like nex's own, and that no command reads.
pub fn unread(environ: &Environ) -> Vec<String> {
    let mut command = Cli::command();
    command.build();
    unread::warnings(&command, environ)
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
fn leaf<'c, 'm>(command: &'c Command, matches: &'m ArgMatches) -> (Vec<&'c str>, &'c Command, &'m ArgMatches) {
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
            let (path, leaf, _) = leaf(command, &matches);
            (path, leaf)
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
    environ: &'a Environ,
}

impl Environment<'_> {
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

    /// The first of a flag's variables that is set, and its value.
    fn set(&self, flag: &Arg) -> Option<(String, OsString)> {
        let names = name(self.path, flag).into_iter().chain(earlier_names(self.path, flag));
        names.filter_map(|name| self.environ.value(&name).map(|value| (name, value))).next()
    }

    fn wish<'a>(&self, flag: &'a Arg) -> Option<Wish<'a>> {
        let (name, value) = self.set(flag)?;
        let long = flag.get_long()?;
        let with = |value: &[u8]| OsString::from_vec([b"--", long.as_bytes(), b"=", value].concat());
        let arguments = match flag.get_action() {
            ArgAction::SetTrue if !yes_or_no::is_yes(&value) => return None,
            ArgAction::SetTrue => vec![format!("--{long}").into()],
            ArgAction::Count => vec![format!("--{long}").into(); yes_or_no::times(&value)],
            // One a line.
            ArgAction::Append => {
                value.as_bytes().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(with).collect()
            }
            _ => vec![with(value.as_bytes())],
        };
        Some(Wish { flag, name, value, arguments })
    }

    /// The first variable with a value that its flag does not take, whether the flag would count here or not.
    fn refused(&self, leaf: &Command, matches: &ArgMatches) -> Option<Refusal> {
        leaf.get_arguments().filter(|flag| !is_given(flag, matches)).find_map(|flag| {
            let (name, value) = self.set(flag)?;
            let error = match flag.get_action() {
                ArgAction::SetTrue | ArgAction::Count => yes_or_no::refusal(leaf, flag, &value)?,
                _ => {
                    let words = std::iter::once("nex".into()).chain(self.wish(flag)?.arguments);
                    leaf.clone().try_get_matches_from(words).err().filter(is_of_a_value)?
                }
            };
            Some(blamed(error, &name))
        })
    }

    /// Says which variables had another name earlier, and are set to no effect.
    fn outdated(&self, leaf: &Command, matches: &ArgMatches) -> Vec<String> {
        let warning = |flag: &Arg| {
            let (old, new) = (old_name(self.path, flag)?, name(self.path, flag)?);
            let is_lost =
                !is_given(flag, matches) && self.environ.value(&old).is_some() && self.environ.value(&new).is_none();
            let (long, words) = (flag.get_long()?, self.path.join(" "));
            is_lost.then(|| format!("{old} is not read any more; the variable of 'nex {words} --{long}' is {new}"))
        };
        leaf.get_arguments().filter_map(warning).collect()
    }
}

/// Whether it is a flag's value that was refused, and not the flag beside others, or without them.
fn is_of_a_value(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidUtf8)
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

/// Says where a value came from that the user may not have before their eyes.
fn blame(error: clap::Error, wishes: &[Wish]) -> Refusal {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => wishes.iter().find(|wish| wish.flag.to_string() == *flag),
        _ => None,
    };
    match named {
        Some(wish) => blamed(error, &wish.name),
        None => error.into(),
    }
}

/// The refusal of a value that is a variable's.
fn blamed(mut error: clap::Error, name: &str) -> Refusal {
    let tip = format!("the value is that of {name} in the environment");
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    Refusal { error, variable: Some(name.to_owned()), outdated: Vec::new() }
}

#[cfg(test)]
mod tests;
