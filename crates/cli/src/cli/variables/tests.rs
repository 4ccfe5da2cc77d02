//! The whole command line is walked: what holds for its flags holds for those to come.

use std::collections::BTreeMap;
use std::fmt::Write;

use names::SHARED;

use super::*;
use crate::cli::Action;
use crate::commands::rootfs::args::RootfsArgs;

/// The page that lists them all.
const PAGE: &str = include_str!("../../../../../docs/environment.md");

/// A command that does something itself, by the words that call it.
struct Leaf {
    path: Vec<String>,
    command: Command,
}

impl Leaf {
    fn flags(&self) -> impl Iterator<Item = &Arg> {
        let is_own = |flag: &&Arg| flag.get_long().is_some_and(|long| !["help", "version"].contains(&long));
        self.command.get_arguments().filter(is_own)
    }

    /// A call with what the command cannot do without, but for the flags of which one is given.
    fn call(&self, but: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = std::iter::once("nex".to_owned()).chain(self.path.iter().cloned()).collect();
        for flag in self.flags().filter(|flag| flag.is_required_set() && !but.contains(&flag.get_id().as_str())) {
            words.push(given(flag));
        }
        let positional = self.command.get_arguments().filter(|flag| flag.is_positional() && flag.is_required_set());
        words.extend(positional.map(|flag| if flag.get_id() == "size" { "1G" } else { "bash" }.to_owned()));
        words
    }
}

/// Every command that is called.
fn leaves() -> Vec<Leaf> {
    let nex = documented(Cli::command(), Form::Long);
    let mut leaves = Vec::new();
    below(&nex, &[], &mut leaves);
    leaves
}

fn below(command: &Command, path: &[String], leaves: &mut Vec<Leaf>) {
    if !path.is_empty() && !command.is_subcommand_required_set() {
        leaves.push(Leaf { path: path.to_vec(), command: command.clone() });
    }
    for next in command.get_subcommands().filter(|next| next.get_name() != "help") {
        below(next, &[path, &[next.get_name().to_owned()]].concat(), leaves);
    }
}

/// A value that a flag takes.
fn sample(flag: &Arg) -> String {
    if let Some(value) = flag.get_possible_values().first().filter(|_| !matches!(flag.get_action(), ArgAction::SetTrue))
    {
        return value.get_name().into();
    }
    let values = [
        ("NUMBER", "2"),
        ("SIZE", "64MiB"),
        ("BYTES", "4096"),
        ("TIME", "5m"),
        ("SIZE/TIME", "1MiB/1s"),
        ("UUID", "01234567-89ab-4def-8123-456789abcdef"),
        ("NAME=VALUE", "A=b"),
        ("SOURCE:TARGET[:ro]", "a:/b"),
        ("id=NAME,src=FILE", "id=a,src=b"),
        ("UID:GID", "1500:1500"),
        ("LIMIT", "memory.max=1G"),
        ("[OS/]ARCH", "arm64"),
        ("POLICY", "always"),
        ("SIGNAL", "TERM"),
        ("PATH", "/opt/agent"),
        ("HEX", "3c9ecbc4736d547b0e2532ffe936c3715a5ae122084d072fc0aa24f0677faac1"),
        ("true|false|NAME,...|help", "false"),
    ];
    let name = flag.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
    values.iter().find(|(known, _)| *known == name).map_or("text", |(_, value)| value).into()
}

/// A flag as it is typed.
fn given(flag: &Arg) -> String {
    match (flag.get_long().unwrap_or_default(), flag.get_action()) {
        (long, ArgAction::SetTrue | ArgAction::Count) => format!("--{long}"),
        (long, _) => format!("--{long}={}", sample(flag)),
    }
}

/// A flag's variable, and a value for it.
fn set(flag: &Arg) -> (String, String) {
    let name = flag.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let value =
        if matches!(flag.get_action(), ArgAction::SetTrue | ArgAction::Count) { "1".into() } else { sample(flag) };
    (name, value)
}

fn asked(call: &[String], variables: &[(String, String)]) -> Result<Asked, Refusal> {
    let words: Vec<OsString> = call.iter().map(OsString::from).collect();
    parse(&words, &variables.iter().cloned().collect())
}

/// The same, for a call and variables as a shell has them.
fn called(call: &str, variables: &[(&str, &str)]) -> Result<Asked, Refusal> {
    let call: Vec<String> = call.split(' ').map(str::to_owned).collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    asked(&call, &variables)
}

fn build(call: &str, variables: &[(&str, &str)]) -> RootfsArgs {
    match called(call, variables).unwrap().cli.command {
        crate::cli::Command::Rootfs(rootfs) if rootfs.action.is_none() => rootfs.build,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_flag_of_every_command_has_a_variable() {
    let mut owners: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for leaf in leaves() {
        for flag in leaf.flags() {
            let (name, long) = (set(flag).0, flag.get_long().unwrap());
            let path = leaf.path.join("_");
            let expected = if SHARED.contains(&long) { long.to_owned() } else { format!("{path}_{long}") };
            assert_eq!(name, format!("NEX_{}", expected.to_uppercase().replace('-', "_")));
            assert!(flag.is_hide_env_values_set(), "the help shows the value of {name}");
            owners.entry(name).or_default().push((path, flag.to_string()));
        }
    }
    assert!(owners.len() > 80, "{}", owners.len());
    for (name, owners) in &owners {
        // Two flags that mean different things never have one variable.
        assert!(owners.iter().all(|(_, flag)| *flag == owners[0].1), "{name}: {owners:?}");
        assert!(owners.len() == 1 || SHARED.iter().any(|long| owners[0].1.starts_with(&format!("--{long}"))), "{name}");
    }
    for (name, owner) in [
        ("NEX_ROOTFS_IMAGE", "rootfs"),
        ("NEX_ROOTFS_BOOT_TIMEOUT", "rootfs_boot"),
        ("NEX_ROOTFS_CHECK_QUIET", "rootfs_check"),
        ("NEX_RUN_ENV", "run"),
        ("NEX_CACHE_GC_ALL", "cache_gc"),
    ] {
        assert_eq!(owners[name].iter().map(|(path, _)| &**path).collect::<Vec<_>>(), [owner], "{name}");
    }
}

/// A variable breaks no command, alone or beside any flag: it is a wish for all runs, and gives way.
#[test]
fn no_variable_refuses_what_the_arguments_ask_for() {
    for leaf in leaves() {
        for typed in std::iter::once(None).chain(leaf.flags().map(Some)) {
            let id = typed.map_or("", |flag| flag.get_id().as_str());
            let call: Vec<String> = leaf.call(&[id]).into_iter().chain(typed.map(given)).collect();
            if let Err(error) = asked(&call, &[]) {
                assert_eq!(error.error.kind(), ErrorKind::MissingRequiredArgument, "{call:?}: {}", error.error);
                continue;
            }
            for flag in leaf.flags() {
                let result = asked(&call, &[set(flag)]);
                assert!(result.is_ok(), "{call:?} with {:?}: {}", set(flag), result.err().unwrap().error);
            }
        }
    }
}

/// What a command cannot do without may come from the environment.
#[test]
fn a_variable_stands_for_its_flag() {
    let mut needed = 0;
    for leaf in leaves() {
        for flag in leaf.flags().filter(|flag| flag.is_required_set()) {
            let call = leaf.call(&[flag.get_id().as_str()]);
            assert!(asked(&call, &[]).is_err() && asked(&call, &[set(flag)]).is_ok(), "{call:?}");
            needed += 1;
        }
    }
    assert_eq!(needed, 1, "a run has to have its root filesystem");
    let build = |call, variables: &[(&str, &str)]| build(call, variables);
    let variables = [("NEX_ROOTFS_OUTPUT", "from.ext4"), ("NEX_ROOTFS_SHA256", "yes"), ("NEX_ROOTFS_VERITY", "off")];
    let args = build("nex rootfs", &variables);
    assert!(args.output == "from.ext4" && args.sha256 && !args.verity);
    let args = build("nex fs -o given.ext4", &[("NEX_ROOTFS_OUTPUT", "from.ext4"), ("NEX_ROOTFS_LABEL", "")]);
    assert!(args.output == "given.ext4", "a flag counts more");
}

#[test]
fn what_only_scripts_need_says_nothing_without_one() {
    let variables = [("NEX_ROOTFS_ENV", "A=1"), ("NEX_ROOTFS_SECRET", "id=a,src=b"), ("NEX_ROOTFS_SNAPSHOT", "/x")];
    let args = build("nex rootfs", &variables);
    assert!(args.script.env.is_empty() && args.script.secret.is_empty() && args.script.snapshot.is_none());
    let args = build("nex rootfs --script a.sh", &variables);
    assert!(args.script.env.len() == 1 && args.script.secret.len() == 1 && args.script.snapshot.is_some());
    // The script may be a variable's, too.
    let args = build("nex rootfs", &[&variables[..], &[("NEX_ROOTFS_SCRIPT", "a.sh")]].concat());
    assert!(args.script.scripts.len() == 1 && args.script.env.len() == 1 && args.script.snapshot.is_some());
    // Typed, it is a slip.
    assert!(called("nex rootfs --env A=1", &[]).is_err());
    let free = |call| build(call, &[("NEX_ROOTFS_FREE", "1GiB")]).free;
    assert_eq!(
        (free("nex rootfs"), free("nex rootfs --size 2G"), free("nex rootfs --size auto")),
        (None, None, Some(1 << 30))
    );
    assert_eq!(build("nex rootfs", &[("NEX_ROOTFS_FREE", "1GiB"), ("NEX_ROOTFS_SIZE", "auto")]).free, Some(1 << 30));
}

#[test]
fn what_is_repeated_stands_in_lines() {
    let args = build("nex rootfs --script a.sh", &[("NEX_ROOTFS_ENV", "A=1 2\n\nB=3\n")]);
    assert_eq!(args.script.env, [("A".into(), "1 2".into()), ("B".into(), "3".into())]);
    // A shell may well give a flag a value of several lines.
    let call: Vec<String> = ["nex", "rootfs", "--script", "a\nb", "--env", "KEY=1\n2"].map(str::to_owned).into();
    match asked(&call, &[("NEX_ROOTFS_ENV".into(), "B=3".into())]).unwrap().cli.command {
        crate::cli::Command::Rootfs(rootfs) => {
            assert_eq!(rootfs.build.script.env, [("KEY".into(), "1\n2".into())]);
            assert_eq!(rootfs.build.script.scripts, [std::path::PathBuf::from("a\nb")]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_variable_of_one_command_says_nothing_to_another() {
    let quiet = [("NEX_ROOTFS_QUIET", "1"), ("NEX_ROOTFS_BOOT_QUIET", "1")];
    let is_quiet = |call: &str| match called(call, &quiet).unwrap().cli.command {
        crate::cli::Command::Rootfs(rootfs) => match rootfs.action {
            Some(Action::Boot(args)) => args.quiet,
            Some(Action::Check(args)) => args.quiet,
            _ => called(call, &quiet).unwrap().cli.common.quiet,
        },
        other => panic!("{other:?}"),
    };
    assert!(is_quiet("nex rootfs") && is_quiet("nex rootfs boot f --kernel k") && !is_quiet("nex rootfs check f"));
    // Who is asked to show the console is not kept from it.
    assert!(!is_quiet("nex rootfs boot f --kernel k --interactive"));
}

#[test]
fn a_wrong_value_is_traced_to_its_variable() {
    let Refusal { error, variable, .. } = called("nex rootfs", &[("NEX_ROOTFS_SIZE", "huge")]).err().unwrap();
    let wrong = error.to_string();
    assert!(wrong.contains("huge") && wrong.contains("NEX_ROOTFS_SIZE"), "{wrong}");
    assert_eq!(variable.as_deref(), Some("NEX_ROOTFS_SIZE"));
    let Refusal { error, variable, .. } = called("nex rootfs --size huge", &[("NEX_ROOTFS_SIZE", "1G")]).err().unwrap();
    let typed = error.to_string();
    assert!(typed.contains("huge") && !typed.contains("NEX_ROOTFS_SIZE"), "{typed}");
    assert_eq!(variable, None);
    // One that gives way would be as wrong in another run.
    let idle = [
        ("nex rootfs", "NEX_ROOTFS_FREE", "bogus"),
        ("nex rootfs", "NEX_ROOTFS_ENV", "=1"),
        ("nex rootfs --verity", "NEX_ROOTFS_SHA256", "flase"),
        ("nex rootfs boot f", "NEX_ROOTFS_BOOT_VERBOSE", "much"),
        ("nex rootfs boot f --ready-after 5s", "NEX_ROOTFS_BOOT_READY", "("),
        ("nex version", "NEX_FORMAT", "yaml"),
    ];
    for (call, name, value) in idle {
        let refusal = called(call, &[(name, value)]).err().unwrap_or_else(|| panic!("{call}: {name}"));
        let Refusal { error: wrong, variable, .. } = refusal;
        assert!(wrong.to_string().contains(&format!("'{value}'")) && wrong.to_string().contains(name), "{wrong}");
        assert_eq!((variable.as_deref(), wrong.exit_code()), (Some(name), 2), "{wrong}");
    }
    // Nobody looks at it where its flag is given.
    assert!(called("nex rootfs --size auto --free 1G", &[("NEX_ROOTFS_FREE", "bogus")]).is_ok());
    // Of two variables that cannot be together neither is right.
    let both = [("NEX_ROOTFS_VERITY", "1"), ("NEX_ROOTFS_VERITY_FILE", "f")];
    assert_eq!(called("nex rootfs", &both).err().unwrap().error.kind(), ErrorKind::ArgumentConflict);
}

#[test]
fn a_flag_without_a_value_is_given_by_yes_or_no() {
    for (value, is_given) in [("1", true), ("TRUE", true), ("yes", true), ("on", true), ("0", false), ("Off", false)] {
        assert_eq!(build("nex rootfs", &[("NEX_ROOTFS_OFFLINE", value)]).offline, is_given, "{value}");
    }
    for (value, times) in [("2", 2), ("0", 0), ("yes", 1), ("no", 0), ("99", 9)] {
        let asked = called("nex rootfs", &[("NEX_ROOTFS_VERBOSE", value)]).unwrap();
        assert_eq!(asked.cli.common.verbose, times, "{value}");
    }
}

#[test]
fn an_old_name_is_warned_of() {
    let warnings = |call, variables: &[(&str, &str)]| called(call, variables).unwrap().warnings;
    let old = [("NEX_SIZE", "1G"), ("NEX_QUIET", "1"), ("NEX_KERNEL", "k"), ("NEX_BOOT_AGENT", "a")];
    assert_eq!(
        warnings("nex rootfs -q", &old),
        ["NEX_SIZE is not read any more; the variable of 'nex rootfs --size' is NEX_ROOTFS_SIZE"]
    );
    assert_eq!(
        warnings("nex rootfs boot f", &old),
        [
            "NEX_QUIET is not read any more; the variable of 'nex rootfs boot --quiet' is NEX_ROOTFS_BOOT_QUIET",
            "NEX_BOOT_AGENT is not read any more; the variable of 'nex rootfs boot --agent' is NEX_ROOTFS_BOOT_AGENT"
        ]
    );
    assert_eq!(warnings("nex cache ls", &old), [""; 0]);
    assert_eq!(warnings("nex rootfs --size 1G", &[("NEX_SIZE", "2G")]), [""; 0]);
    assert_eq!(warnings("nex rootfs", &[("NEX_SIZE", "2G"), ("NEX_ROOTFS_SIZE", "1G")]), [""; 0]);
    // What is missing is what it had.
    let refusal = called("nex run -- x", &[("NEX_ROOTFS", "a.ext4")]).err().unwrap();
    assert_eq!(
        refusal.outdated,
        ["NEX_ROOTFS is not read any more; the variable of 'nex run --rootfs' is NEX_RUN_ROOTFS"]
    );
}

#[test]
fn a_flag_of_registries_without_a_registry_is_warned_of() {
    let warnings = |call: &str, variables: &[(&str, &str)]| called(call, variables).unwrap().warnings;
    for image in ["tar:a.tar", "oci:a", "scratch", "rootfs:a", "docker-archive:a"] {
        let warned = warnings(&format!("nex rootfs --image {image} --creds a:b --plain-http --cert-dir d"), &[]);
        let [warning] = &*warned else { panic!("{image}: {warned:?}") };
        let flags: std::collections::BTreeSet<_> =
            warning.split([' ', ',']).filter(|word| word.starts_with("--")).collect();
        assert!(flags.iter().eq(&["--cert-dir", "--creds", "--plain-http"]) && warning.contains(image), "{warning}");
    }
    assert_eq!(warnings("nex rootfs --image alpine --offline --registry-timeout 5m", &[]), [""; 0]);
    assert_eq!(warnings("nex rootfs --image alpine --creds a:b --min-throughput 0", &[]), [""; 0]);
    assert_eq!(warnings("nex rootfs --image scratch --offline --platform arm64", &[]), [""; 0]);
    // A variable is meant for other runs, too.
    assert_eq!(warnings("nex rootfs --image scratch", &[("NEX_ROOTFS_CREDS", "a:b")]), [""; 0]);
}

#[test]
fn help_names_the_variables() {
    let help = called("nex rootfs boot --help", &[("NEX_ROOTFS_BOOT_TIMEOUT", "soon")]).err().unwrap().error;
    assert_eq!(help.kind(), ErrorKind::DisplayHelp);
    assert!(help.to_string().contains("[env: NEX_ROOTFS_BOOT_TIMEOUT]"), "{help}");
}

/// The part of the page that follows from the command line.
fn listed() -> String {
    let (mut shared, mut own) = (BTreeMap::<String, (String, Vec<String>)>::new(), String::new());
    for leaf in leaves() {
        let command = format!("`nex {}`", leaf.path.join(" "));
        let mut rows = String::new();
        for flag in leaf.flags() {
            let (name, shown) = (set(flag).0, flag.to_string().replace('|', "\\|"));
            if SHARED.contains(&flag.get_long().unwrap()) {
                shared.entry(name).or_insert((shown, Vec::new())).1.push(command.clone());
            } else {
                writeln!(rows, "| `{name}` | `{shown}` |").unwrap();
            }
        }
        if !rows.is_empty() {
            write!(own, "\n## {command}\n\n| variable | flag |\n| --- | --- |\n{rows}").unwrap();
        }
    }
    let mut page =
        String::from("## For all commands that have the flag\n\n| variable | flag | of |\n| --- | --- | --- |\n");
    for (name, (flag, commands)) in shared {
        writeln!(page, "| `{name}` | `{flag}` | {} |", commands.join(", ")).unwrap();
    }
    page + &own
}

/// The variables without a flag stand on the page, and those that it names are known.
#[test]
fn the_page_lists_the_variables_without_a_flag() {
    let table = PAGE.split("## For all commands").next().unwrap_or_default();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `NEX_")?.split('`').next());
    let mut rows: Vec<_> = rows.map(|rest| format!("NEX_{rest}")).collect();
    rows.sort();
    assert_eq!(rows, names::OWN);
}

#[test]
fn the_page_lists_every_variable() {
    let listed = listed();
    if !PAGE.ends_with(&listed) {
        let path = std::env::temp_dir().join("nex-environment.md");
        std::fs::write(&path, &listed).unwrap();
        panic!("docs/environment.md has other variables than the command line; its tables are in {}", path.display());
    }
}
