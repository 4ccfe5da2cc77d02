//! A script that fails, and images in which none can run.

use std::fs;
use std::os::unix::fs::symlink;

use nex_testkit::{Result, command};

use crate::world::{World, messages};

#[test]
fn a_script_that_fails_leaves_nothing_but_its_last_words() -> Result<()> {
    let world = World::new()?;
    let script =
        "#!/bin/sh -e\nfor i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; done\ncat /missing\ntouch /late\n";
    let mut command = world.command("image", script)?;
    world.fails(&mut command, "image", &["image.sh", "exit code 1", "line 12", "/missing", "No such file"])?;
    let said = messages(&command::output(&mut command)?);
    assert!(!said.contains("line 1\n"), "only the last lines: {said}");
    world.fails(&mut world.command("image", "kill -9 $$\n")?, "image", &["image.sh", "signal 9"])?;
    world.fails(&mut world.command("image", "exit 42\n")?, "image", &["exit code 42"])
}

#[test]
fn output_streams_with_a_prefix_and_cannot_steer_the_terminal() -> Result<()> {
    let world = World::new()?;
    let mut loud = world.command("image", "printf 'one\\033[2J\\n'; echo two >&2; printf three\n")?;
    let arguments: Vec<_> = loud.get_args().filter(|argument| *argument != "--quiet").map(ToOwned::to_owned).collect();
    let mut command = std::process::Command::new(loud.get_program());
    command.env_clear().args(arguments);
    let said = messages(&command::output(&mut command)?);
    for line in ["script: one\\u{1b}[2J\n", "script: two\n", "script: three\n"] {
        assert!(said.contains(line), "{line:?} is not in {said:?}");
    }
    let quiet = command::output(&mut loud)?;
    assert_eq!(messages(&quiet), "");
    Ok(())
}

#[test]
fn what_an_image_lacks_is_named() -> Result<()> {
    let world = World::new()?;
    let python = "#!/usr/bin/python3 -u\nprint(1)\n";
    world.fails(&mut world.command("image", python)?, "image", &["'/usr/bin/python3'", "interpreter"])?;
    fs::remove_file(world.base().join("bin/sh"))?;
    world.fails(&mut world.command("image", "true\n")?, "image", &["a shell, /bin/sh"])?;
    let proc = world.base().join("proc");
    fs::remove_dir(&proc)?;
    symlink("/etc", &proc)?;
    world.fails(&mut world.command("image", "true\n")?, "image", &["/proc of the image is no directory"])
}

#[test]
fn content_that_does_not_fit_is_told_before_a_script_runs() -> Result<()> {
    let world = World::new()?;
    let mut command = world.command("image", "echo ran >&2\n")?;
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = std::process::Command::new(command.get_program());
    let small = arguments.iter().map(|argument| match argument.to_str() {
        Some("auto") => "1MiB".into(),
        _ => argument.clone(),
    });
    let small: Vec<_> = small.filter(|argument| argument != "--free").collect();
    // What --free was given stands alone now.
    let free = small.iter().rposition(|argument| argument == "1MiB").unwrap_or(0);
    command.env_clear().args(&small[..free]).args(&small[free + 1..]);
    let result = command::output(&mut command)?;
    crate::nex::failed(&result, &["does not fit"])?;
    assert!(!messages(&result).contains("ran"));
    Ok(())
}
