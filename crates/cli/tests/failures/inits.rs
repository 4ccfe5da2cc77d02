//! The kernel has its root, and its init does not start or ends.

use nex_testkit::Result;

use crate::world::{World, fails};

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_is_not_there() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    world.fails("init=/sbin/nothing", &["has no /sbin/nothing (init-missing)", "init=/usr/local/bin/agent"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_whose_interpreter_is_not_there() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let words = ["/faults/for-bash is there", "it needs /bin/bash (init-interpreter-missing)"];
    world.fails("init=/faults/for-bash", &words)
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_for_another_machine() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let words = ["a program for arm64, and the kernel for amd64 (init-wrong-format)", "--platform"];
    world.fails("init=/faults/for-arm64", &words)
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_is_no_program() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    world.fails("init=/faults/no-program", &["a text without '#!'", "(init-wrong-format)"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_may_not_be_executed() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    world.fails("init=/faults/private", &["its mode is 0644", "(init-not-executable)", "chmod 755 /faults/private"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_exits() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    world.fails("init=/bin/sh -- -c \"exit 3\"", &["/bin/sh ended with exit code 3 (init-exited)"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_crashes() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    world.fails("init=/faults/crashes", &["/faults/crashes was ended by signal 4 (SIGILL", "(init-exited)"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn no_init_at_all() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    for name in ["/sbin/init", "/bin/init", "/bin/sh"] {
        world.debugfs(&format!("rm {name}"))?;
    }
    world.fails("", &["none of /sbin/init", "(no-init)", "init=/usr/local/bin/agent"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_for_which_there_is_too_little_memory() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let mut boot = world.boot("init=/bin/sh -- -c \"x=a; while :; do x=$x$x; done\"");
    fails(boot.args(["--memory", "96MiB"]), &["no memory left", "(out-of-memory)", "--memory"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_asks_for_a_panic() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let script = "init=/bin/sh -- -c \"mount -t proc proc /proc; echo c > /proc/sysrq-trigger\"";
    world.fails(script, &["SysRq c", "(kernel-panic)"])
}

#[test]
#[ignore = "slow: boots a guest"]
fn an_init_that_powers_off() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    world.fails("init=/bin/sh -- -c \"poweroff -f\"", &["ended by itself", "the init was /bin/sh (guest-ended)"])
}
