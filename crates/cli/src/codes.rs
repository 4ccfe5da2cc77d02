//! The codes of what the command line itself refuses.

use nex_fault::Code;

nex_fault::codes! {
    /// The arguments make no sense, or exclude each other.
    USAGE = "usage";
    /// An environment variable has a value that nex does not understand.
    ENVIRONMENT = "environment";
    /// A file that a flag names cannot be read, or is not of the kind that the flag takes.
    INPUT = "input";
    /// A report or a file beside the output cannot be written.
    OUTPUT = "output";
    /// The agent that comes with nex is missing, and no flag names another one.
    NO_AGENT = "no-agent";
    /// A flag needs a terminal, and nex has no terminal.
    NO_TERMINAL = "no-terminal";
    /// A setup script could leave its sandbox by the machine's network.
    SCRIPT_NETWORK = "script-open-network";
    /// A kernel cannot be built here: a package is missing, or the build fails.
    KERNEL_BUILD = "kernel-not-built";
    /// A signal has ended the command.
    INTERRUPTED = "interrupted";
    /// The system refuses a resource that every program needs: a thread, a signal, a pipe.
    SYSTEM = "system";
}

/// Codes that mean wrong usage, in any crate and at any time: an argument or a variable is wrong by itself, or arguments do not go together,
/// whatever the files, the machine and the network are.
pub const OF_USAGE: [Code; 10] = [
    USAGE,
    ENVIRONMENT,
    nex_contract::codes::WORD,
    nex_guest::codes::OTHER_VMM,
    nex_image::codes::BAD_PLATFORM,
    nex_image::codes::BAD_REFERENCE,
    nex_registry::codes::BAD_REFERENCE,
    nex_registry::codes::PROXY,
    nex_rootfs::codes::OUTPUT_FORM,
    nex_vmm::codes::JAIL_USER,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use nex_fault::Code;

    /// Every crate's codes, in the order of the documentation, and what they begin with: the areas that the crate is about. The command
    /// line has words for all of them.
    const CRATES: &[(&str, &[&str], &[Code])] = &[
        ("cli", &[""], super::ALL),
        ("cancel", &["work-"], nex_cancel::codes::ALL),
        ("registry", &["registry-", "network-"], nex_registry::codes::ALL),
        ("image", &["image-"], nex_image::codes::ALL),
        ("tar", &["tar-"], nex_tar::codes::ALL),
        ("tree", &["copy-"], nex_tree::codes::ALL),
        ("copy", &["cp-"], nex_copy::codes::ALL),
        ("ext4", &["ext4-"], nex_ext4::codes::ALL),
        ("cache", &["cache-"], nex_cache::codes::ALL),
        ("file", &["file-"], nex_file::codes::ALL),
        ("contract", &["workload-"], nex_contract::codes::ALL),
        ("channel", &["channel-"], nex_channel::codes::ALL),
        ("program", &["program-"], nex_program::codes::ALL),
        ("rootfs", &["build-", "agent-", "script-", "output-", "change-"], nex_rootfs::codes::ALL),
        ("sandbox", &["script-"], nex_sandbox::codes::ALL),
        ("inspect", &["root-"], nex_inspect::codes::ALL),
        ("diagnose", &["check-", "run-contract"], nex_diagnose::codes::ALL),
        ("verity", &["verity-"], nex_verity::codes::ALL),
        ("kernel", &["kernel-"], nex_kernel::codes::ALL),
        ("vmm", &["vmm-"], nex_vmm::codes::ALL),
        ("guest", &["guest-", "verity-"], nex_guest::codes::ALL),
        ("boot", &["boot-"], nex_boot::codes::ALL),
        ("run", &["run-"], nex_run::codes::ALL),
        ("supervise", &["record-"], nex_supervise::codes::ALL),
        ("supervise", &["supervisor-"], nex_supervise::api::codes::ALL),
        ("client", &["client-"], nex_client::codes::ALL),
    ];

    fn project() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    /// The documentation has what programs compare, whole.
    #[test]
    fn the_page_lists_every_code() {
        let rows = CRATES.iter().flat_map(|(_, _, codes)| codes.iter());
        let rows: Vec<_> = rows.map(|code| format!("| `{}` | {} |", code.id(), code.meaning())).collect();
        let page = fs::read_to_string(project().join("docs/errors.md")).unwrap_or_default();
        let table = page.split_once("## Codes").map_or("", |(_, table)| table);
        let listed: Vec<_> = table.lines().filter(|line| line.starts_with("| `")).collect();
        let rows_text = rows.join("\n");
        assert!(listed == rows, "the table of docs/errors.md differs from the codes, which are:\n{rows_text}");
    }

    #[test]
    fn every_code_is_used_once() {
        let codes = CRATES.iter().flat_map(|(_, _, codes)| codes.iter());
        let mut seen = BTreeSet::new();
        for code in codes {
            assert!(seen.insert(code.id()), "{code} stands twice");
        }
    }

    #[test]
    fn every_code_begins_with_an_area_of_its_crate() {
        for (name, areas, codes) in CRATES {
            let strange = codes.iter().find(|code| !areas.iter().any(|area| code.id().starts_with(area)));
            assert_eq!(strange, None, "{name}");
        }
    }

    #[test]
    fn no_crate_with_codes_is_left_out() {
        let crates = fs::read_dir(project().join("crates")).expect("the crates are there");
        let with_codes: BTreeSet<String> = crates
            .flatten()
            .filter(|directory| directory.path().join("src/codes.rs").exists())
            .map(|directory| directory.file_name().to_string_lossy().into_owned())
            .collect();
        let listed: BTreeSet<String> = CRATES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(listed, with_codes);
    }
}
