//! The names of the flags' environment variables.

use clap::{Arg, Command};

/// Flags with one variable for all commands: the form of reports, the cache, and what a guest is made of.
pub const SHARED: [&str; 20] = [
    "accel",
    "append",
    "bus",
    "cache-dir",
    "cache-limit",
    "color",
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

/// Variables that nex reads and that no flag has.
pub const OWN: [&str; 5] = ["NEX_AGENT", "NEX_FIRECRACKER", "NEX_IMAGES", "NEX_KERNEL_SOURCE", "NEX_LOG"];

/// Variables that the project's build, tests, fuzzing and scripts read, and nex does not.
pub const OF_THE_PROJECT: [&str; 17] = [
    "NEX_BUILD_COMMIT",
    "NEX_BUILD_TARGET",
    "NEX_COMMIT",
    "NEX_DIFFERENTIAL_CASES",
    "NEX_DIFFERENTIAL_SEED",
    "NEX_FUZZ_DIRECTORY",
    "NEX_FUZZ_E2FSCK",
    "NEX_FUZZ_SEEDS",
    "NEX_LEFT_OUT",
    "NEX_RANDOM_SEED",
    "NEX_RANDOM_TREES",
    "NEX_TEST_CORPUS",
    "NEX_TEST_FORCED_END",
    "NEX_TEST_JAILS_OF_A_KILLED_RUN",
    "NEX_TEST_PLACE",
    "NEX_TEST_REGISTRY",
    "NEX_TEST_ROLE",
];

/// The variable of a flag of the command that these words call; `None` for what is no flag.
pub fn name(path: &[&str], flag: &Arg) -> Option<String> {
    let long = flag.get_long().filter(|long| !matches!(*long, "help" | "version"))?;
    named_as(path, long)
}

/// The variables of its names that were superseded, which mean the same.
pub fn earlier_names(path: &[&str], flag: &Arg) -> Vec<String> {
    let aliases = flag.get_all_aliases().unwrap_or_default();
    aliases.into_iter().filter_map(|alias| named_as(path, alias)).collect()
}

fn named_as(path: &[&str], long: &str) -> Option<String> {
    let words = if SHARED.contains(&long) { &[] } else { path };
    if words.is_empty() && !SHARED.contains(&long) {
        return None;
    }
    let words: Vec<&str> = words.iter().copied().chain([long]).collect();
    Some(format!("NEX_{}", words.join("_").replace('-', "_").to_ascii_uppercase()))
}

/// What an earlier state of nex called it, where that was something else.
pub fn old_name(path: &[&str], flag: &Arg) -> Option<String> {
    let long = flag.get_long()?;
    let old = match (path, long) {
        // They have come to these commands when variables had their names of today.
        (_, "color") => return None,
        (["rootfs"] | ["rootfs", "boot" | "check"], "quiet") | (["run"], "verbose") => {
            format!("NEX_{}", long.to_ascii_uppercase())
        }
        (_, "quiet" | "verbose") => return None,
        (["rootfs", "boot"] | ["run"], "agent") => "NEX_BOOT_AGENT".into(),
        // NEX_AGENT means something again: where nex's own agent is (`own_agent.rs`), which is what the flag has without it.
        (["rootfs"], "agent") => return None,
        // They came later.
        (["rootfs", "config"], _) | (["cache", "gc"], "work-dir") | (["rootfs", "boot"], "no-check") => return None,
        _ => format!("NEX_{}", long.replace('-', "_").to_ascii_uppercase()),
    };
    name(path, flag).filter(|name| *name != old).map(|_| old)
}

/// Tells the variables of a command, and of those below it, in their help.
pub fn named(command: Command, path: &[&str]) -> Command {
    // What is called with one of the words below it has nothing to read itself.
    let is_called = !command.is_subcommand_required_set();
    let flagged = command.mut_args(|flag| match name(path, &flag).filter(|_| is_called) {
        Some(name) => flag.env(name).hide_env_values(true),
        None => flag,
    });
    flagged.mut_subcommands(|below| {
        let word = below.get_name().to_owned();
        named(below, &[path, &[&*word]].concat())
    })
}
