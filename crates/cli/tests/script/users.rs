//! Whoever runs a script: root, a user with subordinate ids, a user with none.

use std::fs;
use std::process::Command;

use nex_testkit::nex::script::{REFUSED, World, as_user, as_user_with, messages, text};
use nex_testkit::nex::{failed, loud};
use nex_testkit::{Result, command};

use crate::callers::{Caller, ROOT_ALONE, ROOTLESS};

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
    let run = loud(&world.command("image", "set -e; echo x > /new; rm /old/link; echo y >> /etc/text\n")?);
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

/// Uses ids from all over what there is, `nobody` among them.
const MANY_IDS: &str =
    "set -e; echo x > /new; chown 65534:65534 /new; mkdir /d; chown 1500:39000 /d; su user -c id > /seen
    [ $(stat -c %u:%g /new) = 65534:65534 ]\n";

#[test]
fn several_lines_of_subordinate_ids_are_one_set() -> Result<()> {
    let world = World::new()?;
    let one = ["700000:65536"];
    let cases: [(&str, &[&str], &[&str]); 7] = [
        ("adjoining", &["700000:1000", "701000:64536"], &one),
        ("crossing", &["700000:40000", "720000:60000"], &["700000:40000", "720000:60000"]),
        ("out of order", &["800000:30000", "700000:40000"], &one),
        ("twice the same", &["700000:65536", "700000:65536"], &["700000:65536", "700000:65536"]),
        ("of another shape", &one, &["700000:10", "700010:200", "900000:65326"]),
        ("with the machine's own", &["0:2000", "700000:50000"], &["0:2000", "700000:50000"]),
        ("short", &["700000:1000", "701000:700"], &["700000:39000", "800000:2"]),
    ];
    for (case, users, groups) in cases {
        let run = world.command("image", MANY_IDS)?;
        let Some(mut user) = as_user_with(&run, &world, users, groups)? else { return Ok(()) };
        let result = command::output(&mut user)?;
        assert!(result.status.success(), "{case}: {}", messages(&result));
        let found = nex_testkit::image_tree::read(&world.path("image"))?;
        let owner = |path: &[u8]| (found[path].uid, found[path].gid);
        assert_eq!((owner(b"new"), owner(b"d")), ((65534, 65534), (1500, 39000)), "{case}");
        fs::remove_file(world.path("image"))?;
    }
    world.is_clean("work")?;
    // What cannot be given is told with what can.
    let run = world.command("image", MANY_IDS)?;
    std::os::unix::fs::lchown(world.base().join("etc/text"), Some(77), Some(0))?;
    let Some(mut user) = as_user_with(&run, &world, &["700000:50"], &one)? else { return Ok(()) };
    world.fails(&mut user, "image", &["belongs to user 77 and group 0", "users 0 to 48 and 65534", "/etc/subuid"])
}

#[test]
fn root_of_a_container_gives_ids_that_are_nobodys_there() -> Result<()> {
    let world = World::new()?;
    // Of root there, of a service, and of nobody: users of the host.
    fs::create_dir(world.path("input"))?;
    for (name, owner) in [("root", 65534), ("service", 700_098), ("nobody", 765_533), ("other", 12)] {
        let path = world.path("input").join(name);
        fs::write(&path, "secret\n")?;
        command::run(Command::new("chmod").arg("0600").arg(&path))?;
        std::os::unix::fs::lchown(&path, Some(owner), Some(owner))?;
    }
    let several = "0 65534 1\n1 700000 1000\n1001 701000 40000\n41001 741000 24535\n65536 900000 5\n";
    for map in [ROOTLESS, several] {
        let read = "for name in root service nobody other; do refused cat /input/$name; done";
        let script = format!("{REFUSED}{read}\n{MANY_IDS}");
        let mut run = world.command("image", &script)?;
        run.arg("--mount").arg(format!("{}:/input", world.path("input").display()));
        let Some(result) = Caller::Container(map).run(&run, &world)? else { return Ok(()) };
        assert!(result.status.success(), "{}", messages(&result));
        assert!(text(&world.path("image"), "/seen")?.contains("uid=1000(user)"));
        world.is_clean("work")?;
        fs::remove_file(world.path("image"))?;
    }
    Ok(())
}

#[test]
fn root_with_no_other_id_is_a_user_with_one() -> Result<()> {
    let world = World::new()?;
    let container = Caller::Container(ROOT_ALONE);
    let run = loud(&world.command("image", "echo x > /new; rm /old/link\n")?);
    let Some(built) = container.run(&run, &world)? else {
        return Ok(());
    };
    assert!(built.status.success(), "{}", messages(&built));
    let report = String::from_utf8_lossy(&built.stdout);
    let words = ["as there is only one user id", "no ids but root's", "give the container more ids"];
    assert!(words.iter().all(|word| report.contains(word)), "{report}");
    let refused = container.run(&world.command("other", "chown 12:34 /etc/text\n")?, &world)?.unwrap();
    failed(&refused, &["could not give '/etc/text' to user 12 and group 34", words[1], words[2]])?;
    world.is_clean("work")
}
