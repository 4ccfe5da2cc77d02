//! A script that fails, and images in which none can run.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use nex_testkit::nex::loud;
use nex_testkit::nex::script::{World, as_user, messages};
use nex_testkit::{Result, command};

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
fn the_tree_of_a_failed_script_can_be_kept() -> Result<()> {
    let world = World::new()?;
    let kept = world.path("kept");
    let script = "set -e; echo half > /etc/new; chmod 4000 /etc/new; chown 12 /etc/new; mkfifo /fifo; ln -s / /etc/up
        truncate -s 1M /sparse; echo end >> /sparse; ln /sparse /linked; rm /old/link; false\n";
    let mut run = world.command("image", script)?;
    run.arg("--keep-failed").arg(&kept);
    world.fails(&mut run, "image", &["exit code 1", "what it left is in", "kept"])?;
    assert_eq!(fs::read_to_string(kept.join("etc/new"))?, "half\n");
    let metadata = kept.join("etc/new").metadata()?;
    assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (0o600, kept.metadata()?.uid()));
    assert_eq!((kept.join("linked").metadata()?.nlink(), kept.join("linked").metadata()?.len()), (2, (1 << 20) + 4));
    assert!(!kept.join("old/link").exists() && kept.join("bin/sh").exists());
    // Only what is not there yet is written to.
    world.fails(&mut run, "image", &["--keep-failed", "is there already"])?;
    let Some(mut user) = as_user(&world.command("image", "false\n")?, &world, Some("700000:65536"))? else {
        return Ok(());
    };
    fs::remove_dir_all(world.path("work"))?;
    world.fails(user.arg("--keep-failed").arg(world.path("of-user")), "image", &["what it left is in"])?;
    assert_eq!(world.path("of-user/etc/text").metadata()?.uid(), 65534);
    Ok(())
}

#[test]
fn output_streams_with_a_prefix_and_cannot_steer_the_terminal() -> Result<()> {
    let world = World::new()?;
    let mut quiet = world.command("image", "printf 'one\\033[2J\\n'; echo two >&2; printf three\n")?;
    let said = messages(&command::output(&mut loud(&quiet))?);
    for line in ["script: one\\u{1b}[2J\n", "script: two\n", "script: three\n"] {
        assert!(said.contains(line), "{line:?} is not in {said:?}");
    }
    let quiet = command::output(&mut quiet)?;
    assert_eq!(messages(&quiet), "");
    // The last lines of one that fails are shown in the same way.
    let last = ["its last lines were:\n  one\\u{1b}[31m\ttwo\n"];
    world.fails(&mut world.command("other", "printf 'one\\033[31m\\ttwo\\n'; exit 3\n")?, "other", &last)
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
    nex_testkit::nex::failed(&result, &["does not fit"])?;
    assert!(!messages(&result).contains("ran"));
    Ok(())
}
