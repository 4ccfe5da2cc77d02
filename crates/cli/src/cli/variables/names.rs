//! The names of the flags' environment variables.

use clap::{Arg, Command};

/// Flags with one variable for all commands: the form of reports, the cache, and what a guest is made of.
pub const SHARED: [&str; 19] = [
    "accel",
    "append",
    "bus",
    "cache-dir",
    "cache-limit",
    "format",
    "initrd",
    "jail-base",
    "jail-cgroup",
    "jail-user",
    "jailer",
    "kernel",
    "max-kernel",
    "memory",
    "modules",
    "overlay",
    "overlay-drive",
    "vcpus",
    "vmm",
];

/// The variable of a flag of the command that these words call; `None` for what is no flag.
pub fn name(path: &[&str], flag: &Arg) -> Option<String> {
    let long = flag.get_long().filter(|long| !matches!(*long, "help" | "version"))?;
    let words = if SHARED.contains(&long) { &[] } else { path };
    let words: Vec<&str> = words.iter().copied().chain([long]).collect();
    Some(format!("NEX_{}", words.join("_").replace('-', "_").to_ascii_uppercase()))
}

/// What an earlier state of nex called it, where that was something else.
pub fn old_name(path: &[&str], flag: &Arg) -> Option<String> {
    let long = flag.get_long()?;
    let old = match (path, long) {
        (["rootfs", "boot"] | ["run"], "agent") => "NEX_BOOT_AGENT".into(),
        // NEX_AGENT means something again: where nex's own agent is (`own_agent.rs`), which is what the flag has without it.
        (["rootfs"], "agent") => return None,
        // It came later.
        (["rootfs", "config"], _) => return None,
        _ => format!("NEX_{}", long.replace('-', "_").to_ascii_uppercase()),
    };
    name(path, flag).filter(|name| *name != old).map(|_| old)
}

/// Tells the variables of a command, and of those below it, in their help.
pub fn named(command: Command, path: &[&str]) -> Command {
    let flagged = command.mut_args(|flag| match name(path, &flag) {
        Some(name) => flag.env(name).hide_env_values(true),
        None => flag,
    });
    flagged.mut_subcommands(|below| {
        let word = below.get_name().to_owned();
        named(below, &[path, &[&*word]].concat())
    })
}
