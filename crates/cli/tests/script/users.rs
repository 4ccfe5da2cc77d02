//! Whoever runs a script: root, a user with subordinate ids, a user with none.

use std::fs;
use std::process::Command;

use nex_testkit::{Result, command};

use crate::nex::failed;
use crate::world::{World, as_user, messages, text};

const SCRIPT: &str =
    "set -e; id > /seen; echo x > /etc/new; chown 12:34 /etc/new; chmod 640 /etc/new; mkdir /d; chown 1000 /d
    su user -c 'id; echo mine > /tmp/mine' >> /seen; cp -a /old /copy; rm -r /old; ln /etc/new /linked\n";

#[test]
fn root_and_a_user_get_the_same_bytes() -> Result<()> {
    let world = World::new()?;
    let run = world.command("user", SCRIPT)?;
    let Some(mut user) = as_user(&run, &world, Some("700000:65536"))? else { return Ok(()) };
    command::run(&mut user)?;
    // Each user has a work directory of his own.
    command::run(&mut world.command_in("root", SCRIPT, "work-of-root")?)?;
    assert!(fs::read(world.path("root"))? == fs::read(world.path("user"))?, "the images differ");
    world.is_clean("work")?;
    world.is_clean("work-of-root")?;
    assert!(text(&world.path("user"), "/seen")?.contains("uid=1000(user)"));
    Ok(())
}

#[test]
fn a_user_with_one_id_can_do_all_but_give_away() -> Result<()> {
    let world = World::new()?;
    let run = world.command("image", "set -e; echo x > /new; rm /old/link; echo y >> /etc/text\n")?;
    let Some(mut user) = as_user(&run, &world, None)? else { return Ok(()) };
    let report = command::run(&mut user)?;
    assert!(String::from_utf8_lossy(&report).contains("belongs to root, as there is only one user id"));
    world.is_clean("work")?;
    Ok(())
}

#[test]
fn the_first_thing_that_needs_another_id_is_explained() -> Result<()> {
    let world = World::new()?;
    let why = ["as there is only one user id here", "/etc/subuid", "usermod --add-subuids"];
    for (script, refused) in [
        (
            "set -e; echo x > /new; chown 0:0 /new; chown 12:34 /new\n",
            "'chown' could not give '/new' to user 12 and group 34",
        ),
        (
            "cp /bin/busybox /tool; cd /etc; chown -h :5 text || chown 7 text; exit 3\n",
            "'chown' could not give 'text' to group 5",
        ),
        ("su user -c id\n", "'su' could not choose its groups"),
    ] {
        let Some(mut user) = as_user(&world.command("image", script)?, &world, None)? else { return Ok(()) };
        world.fails(&mut user, "image", &[&[refused], &why[..]].concat())?;
    }
    // What has nothing to do with it says nothing of it.
    let Some(mut user) = as_user(&world.command("image", "cat /missing\n")?, &world, None)? else { return Ok(()) };
    let said = messages(&command::output(&mut user)?);
    assert!(said.contains("exit code 1") && !said.contains("only one"), "{said}");
    Ok(())
}

#[test]
fn with_one_id_the_owners_of_the_image_stay() -> Result<()> {
    let world = World::new()?;
    if as_user(&world.command("x", "true\n")?, &world, None)?.is_none() {
        return Ok(());
    }
    let path = world.base().join("etc/text");
    std::os::unix::fs::lchown(&path, Some(12), Some(34))?;
    let run = world.command("image", "echo more >> /etc/text; mv /etc/text /etc/moved; chmod 600 /etc/moved\n")?;
    let Some(mut user) = as_user(&run, &world, None)? else { return Ok(()) };
    command::run(&mut user)?;
    let found = nex_testkit::image_tree::read(&world.path("image"))?;
    let moved = &found[b"etc/moved".as_slice()];
    assert_eq!((moved.uid, moved.gid, moved.mode), (12, 34, 0o600));
    Ok(())
}

/// The command in a user namespace of its own, after these commands of a shell, which set it up like another machine.
fn on_a_machine(run: &Command, commands: &str) -> Command {
    let mut machine = Command::new("unshare");
    machine.args(["--user", "--map-root-user", "--mount", "sh", "-ec", &format!("{commands}; exec \"$@\""), "sh"]);
    machine.arg(run.get_program()).args(run.get_args());
    machine
}

/// Settings of other distributions' kernels, mounted over those of this one.
const FOREIGN_SETTINGS: &str = "mount -t tmpfs settings /proc/sys/kernel; cd /proc/sys/kernel";

#[test]
fn closed_user_namespaces_are_named() -> Result<()> {
    let world = World::new()?;
    let run = world.command("image", "true\n")?;
    // A namespace that allows no more of them stands for a machine whose setting is 0.
    let none = "echo 0 > /proc/sys/user/max_user_namespaces";
    let debian = format!("{none}; {FOREIGN_SETTINGS}; echo 0 > unprivileged_userns_clone");
    // Ubuntu gives the namespace, and then allows nothing in it; what fails here is that something hides /proc.
    let ubuntu = format!("{FOREIGN_SETTINGS}; echo 1 > apparmor_restrict_unprivileged_userns");
    for (commands, words) in [
        (none, ["user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces="]),
        (&debian, ["kernel.unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1"]),
        (&ubuntu, ["AppArmor restricts it", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"]),
    ] {
        let result = command::output(&mut on_a_machine(&run, commands))?;
        failed(&result, &words)?;
    }
    Ok(())
}
