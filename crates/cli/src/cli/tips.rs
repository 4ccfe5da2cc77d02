//! Tips on arguments that make no sense: what was probably meant. The library compares words, and knows no commands below others.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use nex_file::kind::Format;
use nex_text::shell_word;

/// The commands below `nex rootfs`.
const BELOW_ROOTFS: [&str; 6] = ["boot", "check", "config", "explain", "grow", "set-agent"];

/// The commands beside it.
const BESIDE_ROOTFS: [&str; 17] = [
    "attach",
    "cache",
    "completion",
    "cp",
    "exec",
    "inspect",
    "kernel",
    "kill",
    "logs",
    "manual",
    "ps",
    "rm",
    "run",
    "shell",
    "stop",
    "version",
    "wait",
];

/// What other tools call what `nex rootfs` does.
const ROOTFS: [&str; 6] = ["build", "create", "image", "make", "mkfs", "pull"];

/// The tip on arguments that were refused, in the place of the library's; `None` where that knows better.
pub fn tip(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    // One that quotes what steers a terminal, or has no end, helps nobody.
    meant(error, arguments).filter(|tip| nex_text::message(tip) == *tip)
}

fn meant(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let words: Vec<&OsStr> = arguments.iter().skip(1).map(OsString::as_os_str).collect();
    let command = *words.first()?;
    match error.kind() {
        ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument => {
            let wrong = refused(error)?;
            match command {
                _ if command == wrong.as_str() => in_place_of(&wrong),
                _ if command == "run" => behind_program(&wrong),
                // Only the first word behind 'nex rootfs' can be a command.
                _ => match below_rootfs(&words) {
                    Some(action) => flag_of_another(action, &wrong),
                    None => behind(command, &wrong),
                },
            }
        }
        ErrorKind::MissingRequiredArgument if command == "run" => {
            words.get(1).filter(|word| !word.as_bytes().starts_with(b"-")).and_then(|word| to_run(Path::new(word)))
        }
        _ => None,
    }
}

/// Whether the library advises to pass what looks like a flag as a value. Only a program that is to be run takes any.
pub fn is_misleading(error: &clap::Error, arguments: &[OsString]) -> bool {
    let is_run = arguments.get(1).is_some_and(|command| command == "run");
    let tips = match error.get(ContextKind::Suggested) {
        Some(ContextValue::StyledStrs(tips)) => tips.as_slice(),
        _ => &[],
    };
    !is_run && tips.iter().any(|tip| tip.to_string().contains("as a value"))
}

/// The command below `nex rootfs`.
fn below_rootfs<'a>(words: &[&'a OsStr]) -> Option<&'a str> {
    let is_rootfs = words.first().is_some_and(|word| *word == "rootfs" || *word == "fs");
    let action = words.iter().skip(1).filter(|_| is_rootfs).find_map(|word| word.to_str());
    action.filter(|action| BELOW_ROOTFS.contains(action))
}

/// `nex rootfs ACTION --WRONG`.
fn flag_of_another(action: &str, wrong: &str) -> Option<String> {
    match (action, wrong) {
        ("config", "--vmm") => Some("the flag is '--for qemu' or '--for firecracker'".into()),
        _ => None,
    }
}

/// The argument that was refused, as it stands.
fn refused(error: &clap::Error) -> Option<String> {
    let is_named = |kind| matches!(kind, ContextKind::InvalidSubcommand | ContextKind::InvalidArg);
    error.context().find_map(|(kind, value)| match value {
        ContextValue::String(text) if is_named(kind) => Some(text.clone()),
        _ => None,
    })
}

/// `nex WRONG`.
fn in_place_of(wrong: &str) -> Option<String> {
    if BELOW_ROOTFS.contains(&wrong) {
        return Some(format!("the command is 'nex rootfs {wrong}'"));
    }
    if ROOTFS.contains(&wrong) {
        return Some("the command is 'nex rootfs --image REF -o FILE'".into());
    }
    match kind_of(Path::new(wrong)) {
        Kind::Ext4 => Some(named_first(wrong)),
        Kind::Other | Kind::Missing if wrong.contains([':', '/', '.']) => Some(from_image(wrong)),
        Kind::Other | Kind::Missing => None,
    }
}

/// `nex COMMAND WRONG`.
fn behind(command: &OsStr, wrong: &str) -> Option<String> {
    if command != "rootfs" && command != "fs" || wrong.starts_with('-') {
        return None;
    }
    if BESIDE_ROOTFS.contains(&wrong) {
        return Some(format!("the command is 'nex {wrong}'"));
    }
    if ROOTFS.contains(&wrong) {
        return Some("the command is 'nex rootfs --image REF -o FILE'".into());
    }
    // A letter too many or too few: the library has found the command that was meant.
    let is_near = |name: &&str| name.len().abs_diff(wrong.len()) <= 2 && name.as_bytes()[..2] == *first_two(wrong);
    match kind_of(Path::new(wrong)) {
        Kind::Ext4 => Some(named_first(wrong)),
        Kind::Missing if BELOW_ROOTFS.iter().any(is_near) => None,
        Kind::Missing | Kind::Other => Some(from_image(wrong)),
    }
}

/// `nex run PROGRAM WRONG`. What looks like a flag has the library's own tip.
fn behind_program(wrong: &str) -> Option<String> {
    let tip = || {
        format!("the program's arguments stand behind '--': 'nex run ... PROGRAM -- {}'", shell_word(Path::new(wrong)))
    };
    (!wrong.starts_with('-')).then(tip)
}

fn first_two(text: &str) -> &[u8] {
    text.as_bytes().get(..2).unwrap_or_default()
}

/// `nex run WHAT` without a root filesystem.
fn to_run(what: &Path) -> Option<String> {
    match kind_of(what) {
        Kind::Ext4 => Some(format!("the command is 'nex run --rootfs {}'", shell_word(what))),
        Kind::Missing => Some(format!(
            "make a root filesystem of the image first: 'nex rootfs --image {} -o rootfs.ext4'; then 'nex run --rootfs rootfs.ext4'",
            shell_word(what)
        )),
        Kind::Other => None,
    }
}

fn named_first(file: &str) -> String {
    let file = shell_word(Path::new(file));
    format!("say first what to do with a file: 'nex rootfs check {file}', or boot, grow, set-agent")
}

fn from_image(name: &str) -> String {
    format!("name an image with --image: 'nex rootfs --image {}'", shell_word(Path::new(name)))
}

/// What a path leads to.
enum Kind {
    Missing,
    Ext4,
    Other,
}

fn kind_of(path: &Path) -> Kind {
    /// As many of the first bytes as tell it, with the superblock.
    const HEAD: u64 = 2048;
    if !path.exists() {
        return Kind::Missing;
    }
    let mut head = Vec::new();
    let read = nex_file::open_disk(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    if read.is_ok() && Format::Ext4.matches(&head) { Kind::Ext4 } else { Kind::Other }
}
