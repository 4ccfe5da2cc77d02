//! Which flags the help puts together, and which of them `-h` shows: the usual ones, where `--help` shows all.

use clap::Command;

/// Flags of a command that the help shows together, under a heading.
struct Group {
    path: &'static [&'static str],
    heading: &'static str,
    flags: &'static [&'static str],
}

/// Groups beside those that several commands have, which stand where their flags are (`args`).
const GROUPS: &[Group] = &[
    Group { path: ROOTFS, heading: "Image", flags: &["image", "platform", "offline"] },
    Group { path: ROOTFS, heading: "Output", flags: &["size", "free", "output", "sha256", "verity", "verity-file"] },
    Group { path: ROOTFS, heading: "Agent", flags: &["agent"] },
    Group { path: ROOTFS, heading: "Guest", flags: &["hostname", "resolv-conf", "root-password-file", "boot-script"] },
    Group {
        path: RUN,
        heading: "Program",
        flags: &["env", "user", "workdir", "open-files", "restart", "interactive", "tty"],
    },
    Group { path: RUN, heading: "Times", flags: &["timeout", "boot-timeout", "stop-timeout"] },
    Group { path: RUN, heading: "Root", flags: &["rootfs", "overlay-drive", "verity", "root-hash", "no-check"] },
    Group { path: BOOT, heading: "Root", flags: &["overlay", "overlay-drive", "verity", "root-hash", "no-check"] },
    Group { path: BOOT, heading: "When it is ready", flags: &["ready", "ready-after", "timeout", "interactive"] },
];

const ROOTFS: &[&str] = &["rootfs"];
const RUN: &[&str] = &["run"];
const BOOT: &[&str] = &["rootfs", "boot"];

/// The flags that `-h` shows, for the commands that have many.
const USUAL: &[(&[&str], &[&str])] = &[
    (
        ROOTFS,
        &[
            "image",
            "platform",
            "offline",
            "size",
            "free",
            "output",
            "verity",
            "agent",
            "hostname",
            "boot-script",
            "format",
            "quiet",
            "verbose",
            "color",
            "plain-http",
            "creds",
            "no-cache",
            "script",
            "env",
            "mount",
            "secret",
            "shell",
        ],
    ),
    (
        RUN,
        &[
            "rootfs",
            "env",
            "user",
            "workdir",
            "timeout",
            "overlay-drive",
            "console",
            "format",
            "quiet",
            "verbose",
            "color",
            "kernel",
            "vmm",
            "memory",
            "vcpus",
        ],
    ),
    (
        BOOT,
        &[
            "overlay",
            "overlay-drive",
            "ready",
            "timeout",
            "interactive",
            "format",
            "quiet",
            "verbose",
            "color",
            "kernel",
            "vmm",
            "memory",
            "vcpus",
        ],
    ),
];

/// Puts the flags of a command, and of those below it, into their groups.
pub fn grouped(command: Command, path: &[&str]) -> Command {
    let usual = USUAL.iter().find(|(of, _)| *of == path).map(|(_, usual)| *usual);
    let command = command.mut_args(|flag| {
        let Some(long) = flag.get_long().map(str::to_owned) else { return flag };
        let is_of = |group: &&Group| group.path == path && group.flags.contains(&&*long);
        let flag = match GROUPS.iter().find(is_of) {
            Some(group) => flag.help_heading(group.heading),
            None => flag,
        };
        let is_usual = usual.is_none_or(|usual| usual.contains(&&*long) || ["help", "version"].contains(&&*long));
        if is_usual { flag } else { flag.hide_short_help(true) }
    });
    command.mut_subcommands(|below| {
        let word = below.get_name().to_owned();
        grouped(below, &[path, &[&*word]].concat())
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;
    use crate::cli::documentation::{Form, documented};

    fn of<'a>(nex: &'a Command, path: &[&str]) -> &'a Command {
        path.iter().fold(nex, |command, word| command.find_subcommand(word).expect("a command"))
    }

    #[test]
    fn every_flag_that_is_named_is_there() {
        let mut nex = Cli::command();
        nex.build();
        let groups = GROUPS.iter().map(|group| (group.path, group.flags));
        for (path, flags) in groups.chain(USUAL.iter().copied()) {
            for flag in flags {
                let has = of(&nex, path).get_arguments().any(|argument| argument.get_long() == Some(flag));
                assert!(has, "{path:?} --{flag}");
            }
        }
    }

    /// Who asks for the short help wants to see it without paging.
    #[test]
    fn the_short_help_is_short() {
        for (path, most) in [(&[][..], 45), (ROOTFS, 70), (RUN, 70), (BOOT, 70)] {
            let nex = documented(Cli::command(), Form::Short);
            let help = of(&nex, path).clone().render_help().to_string();
            assert!(help.lines().count() <= most, "{path:?}: {}\n{help}", help.lines().count());
            let long = help.lines().find(|line| line.chars().count() > 120);
            assert!(long.is_none(), "{path:?}: {long:?}");
        }
    }

    /// A long list is one where nobody finds anything.
    #[test]
    fn no_command_has_many_flags_without_a_group() {
        fn look(command: &Command, path: &str) {
            let loose: Vec<_> =
                command.get_opts().filter(|flag| flag.get_help_heading().is_none()).map(ToString::to_string).collect();
            assert!(loose.len() <= 8, "{path}: {loose:?}");
            for below in command.get_subcommands() {
                look(below, &format!("{path} {}", below.get_name()));
            }
        }
        look(&documented(Cli::command(), Form::Long), "nex");
    }

    #[test]
    fn every_command_has_examples() {
        fn look(command: &Command, path: &str) {
            let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n"), "{path}");
            assert!(help.contains("Exit codes:\n"), "{path}");
            for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
                look(below, &format!("{path} {}", below.get_name()));
            }
        }
        look(&documented(Cli::command(), Form::Long), "nex");
    }
}
