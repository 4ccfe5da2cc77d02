//! The init runs, and the agent does not report.

use nex_testkit::Result;
use nex_testkit::layer::Entry;

use crate::world::{World, build, busybox, crashes, fails, for_arm64};

/// Lines of an inittab: the guest ends by itself when the agent has had its time.
const MOUNT_AND_END: &str = "::sysinit:/bin/mount -t devtmpfs dev /dev\n::once:/bin/sh -c \"sleep 4; poweroff -f\"\n";

/// An image whose init is busybox's, which starts the agent by its table.
fn with_inittab(agent: &[u8]) -> Result<Option<World>> {
    let Some(world) = World::new()? else { return Ok(None) };
    let table = format!("::sysinit:/bin/mount -t proc proc /proc\n{MOUNT_AND_END}");
    let init = [Entry::symlink("sbin/init", "/bin/busybox"), Entry::file("etc/inittab", table)];
    build(&world.path(""), &[busybox()?, init.to_vec()].concat(), agent)?;
    Ok(Some(world))
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_agent_that_crashes() -> Result<()> {
    let Some(world) = with_inittab(&crashes())? else { return Ok(()) };
    fails(&mut world.boot(""), &["the agent was ended by signal 4 (SIGILL", "(agent-crashed)"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_agent_for_another_machine() -> Result<()> {
    let Some(world) = with_inittab(&crashes())? else { return Ok(()) };
    let other = world.path("other");
    std::fs::write(&other, for_arm64())?;
    world.debugfs("rm /usr/local/bin/agent")?;
    world.debugfs(&format!("write {} /usr/local/bin/agent", other.display()))?;
    world.debugfs("sif /usr/local/bin/agent mode 0100755")?;
    let words = ["/usr/local/bin/agent", "a program for arm64, and the kernel for amd64"];
    fails(&mut world.boot(""), &words)
}

#[test]
#[ignore = "slow: boots a guest"]
fn a_table_that_names_what_is_not_there() -> Result<()> {
    let Some(world) = with_inittab(&crashes())? else { return Ok(()) };
    let table = world.path("inittab");
    std::fs::write(&table, format!("::sysinit:/sbin/openrc sysinit\n{MOUNT_AND_END}"))?;
    world.debugfs("rm /etc/inittab")?;
    world.debugfs(&format!("write {} /etc/inittab", table.display()))?;
    let words = ["/etc/inittab starts /sbin/openrc", "(program-missing)", "apk add openrc"];
    fails(&mut world.boot(""), &words)
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_does_not_start_the_agent() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let mut boot = world.boot("init=/bin/sh -- -c \"sleep 1000\"");
    fails(boot.args(["--timeout", "20s"]), &["the kernel has started /bin/sh", "(agent-silent)", "--timeout"])
}
