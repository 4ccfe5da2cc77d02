//! What exit codes mean, for the help and the manual of every command.

use clap::Command;

/// A code, and what it says.
type Code = (&'static str, &'static str);

const WRONG: Code = ("2", "wrong usage");

const UNREAD: Code = ("141", "nobody reads standard output any more, as behind | head");

const SIGNALLED: Code = (
    "129, 130, 143",
    "ended by SIGHUP, SIGINT (Ctrl-C) or SIGTERM: nex dies of the signal, and a shell shows that code",
);

const USUAL: &[Code] = &[("0", "done"), ("1", "failed"), WRONG, UNREAD, SIGNALLED];

const BOOT: &[Code] =
    &[("0", "the guest was ready"), ("1", "it was not, or no guest started"), WRONG, UNREAD, SIGNALLED];

const CHECK: &[Code] = &[
    ("0", "nothing speaks against a boot"),
    ("1", "an error was found, or a file cannot be read"),
    WRONG,
    ("3", "nex could not check everything"),
    UNREAD,
    SIGNALLED,
];

const VERIFY: &[Code] =
    &[("0", "the cache is sound"), ("1", "damage was found and removed, or nex failed"), WRONG, UNREAD, SIGNALLED];

const KERNEL_CHECK: &[Code] = &[
    ("0", "a guest can start with the kernel"),
    ("1", "no guest can start with the kernel, or it cannot be read"),
    WRONG,
    ("3", "its configuration is not known"),
    UNREAD,
    SIGNALLED,
];

const RUN: &[Code] = &[
    ("any", "the program's own"),
    ("124", "the time of --timeout was over"),
    ("125", "nex or the guest failed, or the usage is wrong"),
    ("126", "the program cannot be executed"),
    ("127", "the program, its loader, a library or its interpreter is missing"),
    ("128+N", "signal N ended the program"),
    (
        "129, 130, 143",
        "nex was ended by SIGHUP or SIGTERM before the program had ended, or by SIGINT (Ctrl-C) at any time",
    ),
    UNREAD,
];

const EXEC: &[Code] = &[
    ("any", "the program's own"),
    ("125", "nex or the guest failed, or the usage is wrong"),
    ("126", "the program cannot be executed"),
    ("127", "the program is not there"),
    ("128+N", "signal N has ended the program"),
    ("129, 130, 143", "nex was ended by SIGHUP, SIGINT (Ctrl-C) or SIGTERM that was not passed on"),
    UNREAD,
];

const ATTACH: &[Code] = &[
    ("any", "the program's own"),
    ("0", "Ctrl-P Ctrl-Q was typed, or the program's own"),
    ("125", "nex or the guest failed, or the usage is wrong"),
    ("128+N", "signal N has ended the program"),
    ("129, 130, 143", "nex was ended by SIGHUP, SIGINT (Ctrl-C) or SIGTERM that was not passed on"),
    UNREAD,
];

const GUESTS: &[Code] = &[("0", "done with each guest"), ("1", "failed with one at least"), WRONG, UNREAD, SIGNALLED];

/// Those of the command that these words call.
fn of(path: &[&str]) -> &'static [Code] {
    match path {
        ["rootfs", "boot"] => BOOT,
        ["rootfs", "check"] => CHECK,
        ["cache", "verify"] => VERIFY,
        ["kernel", "check"] => KERNEL_CHECK,
        ["run"] => RUN,
        ["exec" | "shell"] => EXEC,
        ["attach"] => ATTACH,
        ["wait" | "stop" | "kill" | "rm" | "inspect"] => GUESTS,
        _ => USUAL,
    }
}

/// Tells them behind all that the help of a command, and of those below it, says.
pub fn told(command: Command, path: &[&str]) -> Command {
    let width = of(path).iter().map(|(code, _)| code.len()).max().unwrap_or_default();
    let codes: String = of(path).iter().map(|(code, meaning)| format!("\n  {code:<width$}  {meaning}")).collect();
    let before = command.get_after_help().map(|help| format!("{help}\n\n")).unwrap_or_default();
    let command = command.after_long_help(format!("{before}Exit codes:{codes}"));
    command.mut_subcommands(|below| {
        let word = below.get_name().to_owned();
        told(below, &[path, &[&*word]].concat())
    })
}
