//! Devices that scripts make: the kernel gives them none, and the image has them.

use std::fs;
use std::process::Command;

use nex_testkit::manifest::Kind;
use nex_testkit::nex::script::{World, as_user, messages, text};
use nex_testkit::{Result, command, fsck, image_tree};

/// In every way that a path can be said, and with what can become of a name.
const SCRIPT: &str = "set -e
    mknod /plain c 1 3; mknod -m 640 /etc/block b 259 1048575
    mkdir /sub; cd /sub; mknod ../above c 4 64; mknod rel c 1 5; cd /; ln -s /sub /way; mknod /way/linked c 4 65
    umask 077; mknod /masked c 1 8; umask 022
    mv /plain /sub/moved; ln /sub/moved /twice; rm /sub/rel; mknod /sub/rel c 1 7; chown 12:34 /etc/block
    mknod /gone c 1 3; rm /gone; echo a file > /gone
    mkdir -p /jail/etc; cp /bin/busybox /jail; chroot /jail /busybox mknod /etc/inside b 7 0
    ! mknod /twice c 1 3 2> /seen; ! mknod /none/x c 1 3 2>> /seen; ! mknod /etc/ c 1 3 2>> /seen
    ! mknod /dev/new c 1 3 2>> /seen; ! mknod /input/new c 1 3 2>> /seen; ! su user -c 'mknod /tmp/x c 1 3' 2>> /seen\n";

/// Makes a device below directories that are none.
const NOWHERE: &str = "#include <errno.h>\n#include <fcntl.h>\n#include <stdio.h>\n#include <sys/stat.h>
    #include <sys/sysmacros.h>\n#include <unistd.h>\n#include <sys/syscall.h>
    int main(void) {
        int directories[] = {-1, -5, 0x80000000, 77};
        for (int i = 0; i < 4; i++)
            printf(\"%d\\n\", syscall(SYS_mknodat, directories[i], \"x\", S_IFCHR | 0600, makedev(1, 3)) ? errno : 0);
    }\n";

#[test]
fn a_directory_that_is_none_is_the_callers_mistake() -> Result<()> {
    let world = World::new()?;
    let source = world.write("nowhere.c", NOWHERE)?;
    command::run(Command::new("cc").args(["-static", "-w", "-o"]).arg(world.base().join("bin/nowhere")).arg(source))?;
    world.run("image", "nowhere > /seen\n")?;
    let bad_descriptor = "9\n";
    assert_eq!(text(&world.path("image"), "/seen")?, bad_descriptor.repeat(4));
    Ok(())
}

/// Makes devices by the directories that a thread has open: its process's, and its own, which has a number that is another's there.
const THREAD: &str =
    "#define _GNU_SOURCE\n#include <fcntl.h>\n#include <sched.h>\n#include <stdio.h>\n#include <sys/stat.h>
    #include <sys/syscall.h>\n#include <sys/sysmacros.h>\n#include <unistd.h>
    static char stack[1 << 16];
    static volatile int done[2];
    static int make(void *own) {
        if (own) { syscall(SYS_close, 3); syscall(SYS_openat, AT_FDCWD, \"/sub\", O_RDONLY | O_DIRECTORY); }
        syscall(SYS_mknodat, 3, own ? \"own\" : \"shared\", S_IFCHR | 0600, makedev(1, 3));
        done[!!own] = 1;
        for (;;) syscall(SYS_pause);
    }
    int main(void) {
        int flags = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD;
        if (open(\"/etc\", O_RDONLY | O_DIRECTORY) != 3) return 1;
        clone(make, stack + sizeof stack / 2, flags | CLONE_FILES, 0);
        clone(make, stack + sizeof stack, flags, stack);
        while (!done[0] || !done[1]) usleep(1000);
        return 0;
    }\n";

#[test]
fn a_thread_makes_devices_too() -> Result<()> {
    let world = World::new()?;
    let source = world.write("thread.c", THREAD)?;
    command::run(Command::new("cc").args(["-static", "-w", "-o"]).arg(world.base().join("bin/thread")).arg(source))?;
    let found = world.run("image", "mkdir /sub; thread\n")?;
    for path in ["sub/own", "etc/shared"] {
        let kind = found.get(path.as_bytes()).map(|entry| &entry.kind);
        assert_eq!(kind, Some(&Kind::CharacterDevice(1, 3)), "{path}");
    }
    Ok(())
}

#[test]
fn devices_that_a_script_makes_are_in_the_image() -> Result<()> {
    let world = World::new()?;
    let input = world.path("input");
    fs::create_dir(&input)?;
    fs::set_permissions(&input, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    let mut command = world.command("image", SCRIPT)?;
    command::run(command.arg("--mount").arg(format!("{}:/input", input.display())))?;
    world.is_clean("work")?;
    fsck::judge(&world.path("image"))?;
    let found = image_tree::read(&world.path("image"))?;
    let expected = [
        ("sub/moved", Kind::CharacterDevice(1, 3), 0o644),
        ("twice", Kind::CharacterDevice(1, 3), 0o644),
        ("etc/block", Kind::BlockDevice(259, 1_048_575), 0o640),
        ("above", Kind::CharacterDevice(4, 64), 0o644),
        ("sub/linked", Kind::CharacterDevice(4, 65), 0o644),
        ("sub/rel", Kind::CharacterDevice(1, 7), 0o644),
        ("masked", Kind::CharacterDevice(1, 8), 0o600),
        ("jail/etc/inside", Kind::BlockDevice(7, 0), 0o644),
    ];
    for (path, kind, mode) in expected {
        let entry = found.get(path.as_bytes()).ok_or_else(|| nex_testkit::Failure::new(format!("no /{path}")))?;
        assert_eq!((&entry.kind, entry.mode), (&kind, mode), "{path}");
    }
    let block = &found[b"etc/block".as_slice()];
    assert_eq!((block.uid, block.gid), (12, 34));
    assert_eq!(text(&world.path("image"), "/gone")?, "a file\n");
    let seen = text(&world.path("image"), "/seen")?;
    let said: Vec<_> = seen.lines().filter_map(|line| line.rsplit(": ").next()).collect();
    let not_permitted = "Operation not permitted";
    assert_eq!(said.len(), 6, "{seen}");
    assert_eq!(said[0], "File exists");
    assert_eq!(said[1], "No such file or directory");
    assert_eq!(said[3..], [not_permitted; 3], "{seen}");
    assert!(fs::read_dir(&input)?.next().is_none(), "nothing is made on the host");
    Ok(())
}

#[test]
fn a_user_makes_devices_too() -> Result<()> {
    let world = World::new()?;
    for (output, ids) in [("many", Some("700000:65536")), ("one", None)] {
        let run = world.command(output, "set -e; mkdir /d; mknod /d/x b 8 1; mv /d/x /x\n")?;
        let Some(mut user) = as_user(&run, &world, ids)? else { return Ok(()) };
        let result = command::output(&mut user)?;
        assert!(result.status.success(), "{}", messages(&result));
        assert_eq!(image_tree::read(&world.path(output))?[b"x".as_slice()].kind, Kind::BlockDevice(8, 1));
    }
    Ok(())
}
