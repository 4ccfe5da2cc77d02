//! Agents that are not nex's own: nobody waits for a report that does not come, and what shows that a guest is ready can be said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nex_testkit::layer::{self, Entry};
use nex_testkit::nex::boot::{Place, console};
use nex_testkit::nex::{self, failed, rootfs_with};
use nex_testkit::{Result, command, elf};
use serde_json::Value;

/// It says again and again what it was given, as the kernel writes between its words. The kernel starts it, as the image has no init.
const AGENT: &str = "#!/bin/sh\ngiven=given:\nfor word; do given=\"$given <$word>\"; done\n\
                     while :; do echo \"$given as $$ with [$A] and [$B_1]\"; /bin/busybox sleep 1; done\n";

/// A root filesystem of a shell and this agent, and what it was built with.
fn build(place: &Place, agent: &str, arguments: &[&str]) -> Result<PathBuf> {
    let (tar, program, output) = (place.path("shell.tar"), place.path("foreign"), place.path("foreign.ext4"));
    let busybox = Entry::file("bin/busybox", fs::read(&place.parts.busybox)?).mode(0o755);
    fs::write(&tar, layer::tar(&[busybox, Entry::symlink("bin/sh", "busybox")])?)?;
    fs::write(&program, agent)?;
    let mut build = rootfs_with(&program, &format!("tar:{}", tar.display()), &output);
    command::run(build.args(["--size", "64MiB"]).args(arguments))?;
    Ok(output)
}

/// The boot of another file than the place's own.
fn boot(place: &Place, file: &Path) -> Result<Command> {
    fs::copy(file, place.file())?;
    place.boot()
}

#[test]
fn what_cannot_come_is_not_waited_for() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let start = Instant::now();
    // The one for the initramfs.
    let mut other = Command::new(nex::program());
    other.args(["rootfs", "boot"]).arg(place.file()).arg("--kernel").arg(&place.parts.kernel).arg("--agent");
    failed(&command::output(other.arg(&place.parts.busybox))?, &["for the initramfs is not nex's own", "--initrd"])?;

    let file = build(&place, AGENT, &[])?;
    let words =
        ["error: nex would not learn when the guest of", "is not nex's own", "--ready REGEX", "--ready-after TIME"];
    failed(&command::output(&mut boot(&place, &file)?)?, &words)?;
    failed(
        &command::output(boot(&place, &file)?.arg("--overlay"))?,
        &["cannot lay an overlay over its root", "set-agent"],
    )?;
    failed(&command::output(boot(&place, &file)?.args(["--overlay", "--ready", "x"]))?, &["cannot lay an overlay"])?;

    // One of another protocol, by its mark.
    fs::write(place.path("newer"), elf::program(elf::X86_64, &[0x0f, 0x0b], &elf::mark(77)))?;
    command::run(&mut nex::change("set-agent", &file, place.path("newer")))?;
    let words = ["nex-agent 0.0.9", "version 77 of the protocol", "speaks version 1", "--ready"];
    failed(&command::output(&mut boot(&place, &file)?)?, &words)?;
    let debugfs = "rm /usr/local/bin/agent";
    command::run(Command::new("debugfs").args(["-w", "-R", debugfs]).arg(&file))?;
    failed(&command::output(&mut boot(&place, &file)?)?, &["/usr/local/bin/agent is not there", "make it anew"])?;

    assert!(start.elapsed() < Duration::from_secs(60), "somebody waited: {:?}", start.elapsed());
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn an_expression_and_a_time_are_looked_at_first() -> Result<()> {
    for (arguments, words) in [
        (&["--ready", "("][..], "no regular expression"),
        (&["--ready-after", "0"], "a time is a number of seconds"),
        (&["--ready", "x", "--ready-after", "5"], "cannot be used with"),
    ] {
        let mut boot = Command::new(nex::program());
        let result = command::output(boot.args(["rootfs", "boot", "file", "--kernel", "kernel"]).args(arguments))?;
        assert_eq!(result.status.code(), Some(2), "{arguments:?}");
        assert!(console(&result).contains(words), "{arguments:?}: {}", console(&result));
    }
    Ok(())
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_line_shows_that_a_guest_is_ready_whose_agent_has_arguments_as_the_init() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let arguments =
        ["--agent-arg=a b", "--agent-arg=it's $HOME", "--agent-env", "A=\"x\" %n", "--agent-env", "B_1=`id`"];
    let path = ["--agent-path", "/usr/bin/acme", "--format", "json"];
    let file = build(&place, AGENT, &[&arguments[..], &path].concat())?;
    let line = "given: <a b> <it's \\$HOME> as 1 with \\[\"x\" %n\\] and \\[`id`\\]";
    let mut boot = boot(&place, &file)?;
    let result = command::output(boot.args(["--quiet", "--format", "json", "--ready", &format!("^{line}$")]))?;
    assert!(result.status.success(), "{}", console(&result));
    let report: Value = serde_json::from_slice(&result.stdout)?;
    assert_eq!((&report["ready"], &report["readyBy"], &report["agent"]), (&true.into(), &"line".into(), &Value::Null));
    assert_eq!(report["readyLine"], line.replace('\\', ""));
    let stages: Vec<_> = report["stages"].as_array().into_iter().flatten().map(|stage| stage["name"].clone()).collect();
    assert_eq!(stages, ["kernel", "init", "ready"], "{report}");
    Ok(())
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_time_shows_it_for_any_agent() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let result = command::output(place.boot()?.args(["--quiet", "--ready-after", "20s"]))?;
    let said = String::from_utf8_lossy(&result.stdout).into_owned();
    assert!(result.status.success(), "{said}{}", console(&result));
    assert!(said.contains("ready       yes: it has run for the time of --ready-after\n"), "{said}");
    assert!(said.contains("agent at ") && said.contains("ready at 20.") && said.contains("powered off"), "{said}");
    Ok(())
}
