//! Manual pages and completion scripts: groff has nothing to object to, what they refer to is there, and shells load them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use nex_testkit::{Failure, Result, command, nex};

fn nex(arguments: &[&str]) -> Command {
    let mut nex = Command::new(nex::program());
    nex.env_clear().args(arguments);
    nex
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether there is such a program to ask.
fn has(program: &str, what: &str) -> bool {
    let is_there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !is_there {
        eprintln!("LEFT OUT: {what}: there is no {program}");
    }
    is_there
}

/// A page as a terminal shows it, and what groff objects to.
fn shown(page: &Path, columns: &str) -> Result<(String, String)> {
    let width = [format!("-rLL={columns}n"), format!("-rLT={columns}n")];
    let mut groff = Command::new("groff");
    groff.args(["-man", "-ww", "-Tascii", "-P-c", "-P-b", "-P-u", "-P-o"]).args(width).arg(page);
    let result = command::output(&mut groff)?;
    Ok((text(&result.stdout), text(&result.stderr)))
}

/// What stands in front of `(1)` in a text: the pages that it refers to.
fn references(text: &str) -> Vec<String> {
    let word = |before: &str| {
        let start =
            before.rfind(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-')).map_or(0, |at| at + 1);
        before[start..].to_owned()
    };
    text.match_indices("(1)").map(|(at, _)| word(&text[..at])).filter(|name| name.starts_with("nex")).collect()
}

#[test]
fn every_page_is_whole_and_refers_to_pages_that_are_there() -> Result<()> {
    let place = tempfile::tempdir()?;
    let man1 = place.path().join("share/man/man1");
    let listed = text(&command::run(nex(&["manual", "--dir"]).arg(&man1))?);
    let mut names = BTreeSet::new();
    for line in listed.lines() {
        let page = Path::new(line);
        assert!(page.starts_with(&man1) && page.exists(), "{line}");
        names.insert(page.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    }
    let there: BTreeSet<String> = fs::read_dir(&man1)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    assert_eq!(there, names.iter().map(|name| format!("{name}.1")).collect(), "nothing else is there");
    for name in ["nex", "nex-rootfs", "nex-rootfs-set-agent", "nex-cache-gc", "nex-run", "nex-manual"] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    if !has("groff", "what groff says about manual pages") {
        return Ok(());
    }
    for name in &names {
        let page = man1.join(format!("{name}.1"));
        let (shown, objections) = shown(&page, "78")?;
        assert_eq!(objections, "", "{name}");
        let unknown: Vec<String> = references(&shown).into_iter().filter(|other| !names.contains(other)).collect();
        assert!(unknown.is_empty(), "{name} refers to {unknown:?}");
        assert!(shown.contains(&format!("{}(1)", name.to_uppercase())) && shown.contains("User Commands"), "{name}");
        let codes = shown.split("EXIT STATUS").nth(1).unwrap_or_default();
        let is_programs = ["nex-attach", "nex-exec", "nex-run", "nex-shell"].contains(&name.as_str());
        let wrong_usage = if is_programs { "125" } else { "2  " };
        assert!(
            codes.contains(wrong_usage) && codes.contains("129, 130, 143") && codes.contains("141"),
            "{name}: {codes}"
        );
        let words = name.strip_prefix("nex-").unwrap_or_default();
        let arguments = if words.is_empty() { vec!["manual"] } else { vec!["manual", words] };
        assert_eq!(command::run(&mut nex(&arguments))?, fs::read(&page)?, "{name}");
    }
    // groff is seen objecting.
    let damaged = place.path().join("damaged.1");
    fs::write(&damaged, text(&fs::read(man1.join("nex.1"))?) + ".nonsense\n")?;
    assert!(shown(&damaged, "78")?.1.contains("nonsense"));
    Ok(())
}

/// Who has nex for the first time learns what it does, and how much of its help there is.
#[test]
fn nex_alone_shows_what_it_does_and_the_short_help_is_short() -> Result<()> {
    let alone = command::output(&mut nex(&[]))?;
    let overview = text(&alone.stdout);
    assert_eq!((alone.status.code(), text(&alone.stderr)), (Some(2), String::new()));
    for words in ["What do you want to do?", "nex rootfs --image", "nex run --rootfs", "nex COMMAND --help"] {
        assert!(overview.contains(words), "{words}: {overview}");
    }
    let full = command::output(nex(&[]).stdout(File::options().write(true).open("/dev/full")?))?;
    assert_eq!(full.status.code(), Some(1), "{}", text(&full.stderr));
    for (words, most) in [(&[][..], 45), (&["rootfs"], 70), (&["run"], 70), (&["rootfs", "boot"], 70)] {
        let help = |flag| Ok::<_, Failure>(text(&command::run(&mut nex(&[words, &[flag]].concat()))?));
        let (short, long) = (help("-h")?, help("--help")?);
        assert!(short.lines().count() <= most, "{words:?}: {}\n{short}", short.lines().count());
        assert!(short.contains("Examples:\n") && !short.contains("[env: "), "{short}");
        assert!(long.contains("Examples:\n") && long.contains("Exit codes:\n"), "{long}");
        assert!(words.is_empty() || (long.contains("[env: NEX_") && long.lines().count() > most), "{long}");
    }
    let long = text(&command::run(&mut nex(&["rootfs", "--help"]))?);
    for heading in ["Image:", "Output:", "Guest:", "Agent:", "Registry:", "Cache:", "Setup scripts:", "Limits:"] {
        assert!(long.lines().any(|line| line == heading), "{heading}");
    }
    Ok(())
}

/// A redirection of the help, of the manual or of a script for the shell is whole, or nex says that it is not.
#[test]
fn what_standard_output_does_not_take_is_an_error() -> Result<()> {
    let place = nex_testkit::nex::directory()?;
    // A cache that others could write to is refused.
    let own = tempfile::tempdir()?;
    let cache = format!("--cache-dir={}", own.path().display());
    let calls = [
        "--help",
        "-h",
        "help",
        "help rootfs",
        "--version",
        "rootfs --help",
        "rootfs boot -h",
        "run --help",
        "version",
        "version --format json",
        "completion bash",
        "manual",
        "manual rootfs-boot",
        "kernel ls --format json",
        "rootfs --clean=help",
    ];
    let in_cache = ["cache ls --format json", "cache du --format json", "cache verify", "cache gc"]
        .map(|call| format!("{call} {cache}"));
    for call in calls.into_iter().chain(in_cache.iter().map(String::as_str)) {
        let words: Vec<_> = call.split(' ').collect();
        let full = command::output(
            nex(&words).env("XDG_DATA_HOME", place.path()).stdout(File::options().write(true).open("/dev/full")?),
        )?;
        let said = text(&full.stderr);
        assert_eq!(full.status.code(), Some(if words[0] == "run" { 125 } else { 1 }), "{call}: {said}");
        assert!(said.starts_with("error: cannot write ") && said.contains("No space left"), "{call}: {said}");
        // Who has read enough hears nothing.
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let enough = command::output(nex(&words).env("XDG_DATA_HOME", place.path()).stdout(writer))?;
        assert_eq!((enough.status.code(), text(&enough.stderr)), (Some(141), String::new()), "{call}");
    }
    Ok(())
}

#[test]
fn colours_come_when_they_are_asked_for() -> Result<()> {
    let said = |flags: &[&str], no_color: &str| -> Result<String> {
        let mut nex = nex(&["rootfs", "check", "/no/such/file"]);
        Ok(text(&command::output(nex.args(flags).env("NO_COLOR", no_color))?.stderr))
    };
    // Nobody sees colours in a file, and who asks for them gets them.
    for (flags, is_coloured) in
        [(&[][..], false), (&["--color=auto"], false), (&["--color=never"], false), (&["--color", "always"], true)]
    {
        for no_color in ["", "1"] {
            let said = said(flags, no_color)?;
            assert_eq!(said.starts_with("\x1b[1;31merror:\x1b[0m cannot"), is_coloured, "{flags:?}: {said}");
            assert_eq!(said.contains('\x1b'), is_coloured, "{flags:?}: {said}");
        }
    }
    let help = |flag| Ok::<_, Failure>(text(&command::run(&mut nex(&["rootfs", "-h", flag]))?));
    assert!(help("--color=always")?.contains('\x1b') && !help("--color=never")?.contains('\x1b'));
    Ok(())
}

#[test]
fn pages_and_scripts_have_reports_for_programs() -> Result<()> {
    let report = |words: &[&str]| -> Result<serde_json::Value> {
        Ok(serde_json::from_slice(&command::run(nex(words).args(["--format", "json"]))?)?)
    };
    let page = report(&["manual", "rootfs-boot"])?;
    assert_eq!((&page["schemaVersion"], &page["name"]), (&1.into(), &"nex-rootfs-boot".into()));
    assert_eq!(page["page"], text(&command::run(&mut nex(&["manual", "rootfs-boot"]))?));
    let script = report(&["completion", "bash"])?;
    assert_eq!(script["script"], text(&command::run(&mut nex(&["completion", "bash"]))?));
    let home = tempfile::tempdir()?;
    let installed =
        command::run(nex(&["completion", "fish", "--install", "--format", "json"]).env("HOME", home.path()))?;
    let installed: serde_json::Value = serde_json::from_slice(&installed)?;
    assert!(Path::new(installed["file"].as_str().unwrap_or_default()).exists(), "{installed}");
    Ok(())
}

/// A command that is wrapped is another one when it is copied.
#[test]
fn no_example_is_wrapped_on_a_narrow_screen() -> Result<()> {
    if !has("groff", "what groff makes of examples") {
        return Ok(());
    }
    let place = tempfile::tempdir()?;
    command::run(nex(&["manual", "--dir"]).arg(place.path()))?;
    for (page, words) in
        [("nex-rootfs", &["rootfs"][..]), ("nex-run", &["run"]), ("nex-rootfs-check", &["rootfs", "check"])]
    {
        let help = text(&command::run(&mut nex(&[words, &["--help"]].concat()))?);
        let examples = help.split("Examples:\n").nth(1).unwrap_or_default();
        let examples: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        assert!(examples.len() > 2 && examples.iter().any(|line| line.len() > 50), "{examples:?}");
        let (shown, _) = shown(&place.path().join(format!("{page}.1")), "50")?;
        for example in examples {
            assert!(shown.lines().any(|line| line.trim() == example), "{page}: {example}\n{shown}");
        }
    }
    Ok(())
}

#[test]
fn pages_that_cannot_be_written_leave_nothing() -> Result<()> {
    let place = tempfile::tempdir()?;
    let file = place.path().join("file");
    File::create(&file)?;
    let result = command::output(nex(&["manual", "--dir"]).arg(&file))?;
    let said = text(&result.stderr);
    assert!(
        result.status.code() == Some(1) && said.contains("cannot write the page") && said.contains("nex.1"),
        "{said}"
    );
    // A page of this name cannot be replaced.
    let taken = place.path().join("taken");
    fs::create_dir_all(taken.join("nex.1/full"))?;
    let result = command::output(nex(&["manual", "--dir"]).arg(&taken))?;
    assert_eq!((result.status.code(), fs::read_dir(&taken)?.count()), (Some(1), 1), "{}", text(&result.stderr));
    let result = command::output(nex(&["manual", "run", "--dir"]).arg(&taken))?;
    assert_eq!(result.status.code(), Some(2), "one page is not all pages");
    Ok(())
}

/// The words that bash offers behind these.
const BASH: &str = r#"
    COMP_WORDS=(nex rootfs set-) COMP_CWORD=2 COMP_LINE='nex rootfs set-' COMP_POINT=15
    source "$1"
    entry=$(complete -p nex) || exit 1
    function=${entry#*-F }
    "${function%% *}" nex set- rootfs
    echo "${COMPREPLY[@]}"
"#;

#[test]
fn bash_loads_what_is_installed() -> Result<()> {
    let home = tempfile::tempdir()?;
    let installed = text(&command::run(nex(&["completion", "bash", "--install"]).env("HOME", home.path()))?);
    let path = home.path().join(".local/share/bash-completion/completions/nex");
    assert!(
        installed.starts_with(&format!("{}\n", path.display())) && installed.contains("bash-completion"),
        "{installed}"
    );
    assert_eq!(fs::read(&path)?, command::run(&mut nex(&["completion", "bash"]))?);
    let offered = command::run(Command::new("bash").args(["--norc", "-c", BASH, "bash"]).arg(&path))?;
    assert_eq!(text(&offered).trim(), "set-agent");
    Ok(())
}

#[test]
fn zsh_and_fish_load_what_is_installed() -> Result<()> {
    let home = tempfile::tempdir()?;
    if has("zsh", "how zsh completes") {
        let installed = text(&command::run(nex(&["completion", "zsh", "--install"]).env("HOME", home.path()))?);
        // The line that it asks for is the one that does it.
        let line = installed.rsplit_once("'compinit': ").ok_or_else(|| Failure::new(installed.clone()))?.1;
        let script = format!(
            "{line}\nautoload -Uz compinit; compinit -u -d $HOME/dump; echo $_comps[nex]; autoload +X _nex && echo loaded"
        );
        let mut zsh = Command::new("zsh");
        let said = command::run(zsh.args(["-f", "-c", &script]).env("HOME", home.path()))?;
        assert_eq!(text(&said), "_nex\nloaded\n");
    }
    if has("fish", "how fish completes") {
        command::run(nex(&["completion", "fish", "--install"]).env("HOME", home.path()))?;
        // It loads the script of a command that is there.
        let directory = Path::new(nex::program()).parent().unwrap_or(Path::new("/"));
        let path = format!("{}:{}", std::env::var("PATH").unwrap_or_default(), directory.display());
        let mut fish = Command::new("fish");
        fish.args(["--private", "-c", "complete -C 'nex rootfs set-'"]).env("HOME", home.path()).env("PATH", path);
        let said = text(&command::run(fish.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME"))?);
        assert!(said.starts_with("set-agent"), "{said}");
    }
    Ok(())
}

#[test]
fn a_shell_without_a_place_and_a_user_without_a_home_are_told_what_to_do() -> Result<()> {
    for (shell, words) in [("powershell", "nex completion powershell"), ("bash", "HOME")] {
        let result = command::output(&mut nex(&["completion", shell, "--install"]))?;
        let said = text(&result.stderr);
        assert!(!result.status.success() && said.contains(words), "{said}");
    }
    let help = text(&command::run(&mut nex(&["completion", "--help"]))?);
    for words in ["--install", "/usr/share/bash-completion/completions/nex", "_nex", "vendor_completions.d/nex.fish"] {
        assert!(help.contains(words), "{words}: {help}");
    }
    Ok(())
}
