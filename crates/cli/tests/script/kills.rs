//! `nex` killed in the middle: no process stays, and the next run removes what is left.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nex_testkit::{Failure, Result, command};

use crate::nex::failed;
use crate::world::{World, messages};

/// Long enough for every kill, with something going on all the time.
const SCRIPT: &str = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); mkdir -p /deep/$i/a/b/c; cp /bin/busybox /deep/$i; (sleep 100 &) ; done; sleep 100\n";

/// Waits until no process has anything of this world open as its directory or root.
fn wait_for_end(world: &World) -> Result<()> {
    let start = Instant::now();
    loop {
        let mut alive = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let process = entry?.path();
            for link in ["cwd", "root"] {
                let target = fs::read_link(process.join(link)).unwrap_or_default();
                if target.starts_with(world.path("work")) {
                    alive.push(fs::read_to_string(process.join("cmdline")).unwrap_or_default());
                }
            }
        }
        if alive.is_empty() {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(5) {
            return Err(Failure::new(format!("still alive: {alive:?}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill_many(times: u64) -> Result<()> {
    let world = World::new()?;
    let mut left_behind = 0;
    for number in 0..times {
        let mut command = world.command("image", SCRIPT)?;
        let mut nex = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // Over the whole of a run: starting, laying out, the script. Prime steps hit every part of it.
        std::thread::sleep(Duration::from_millis(number * 37 % 701));
        nex.kill()?;
        nex.wait()?;
        wait_for_end(&world)?;
        left_behind += u64::from(world.path("work").exists() && world.is_clean("work").is_err());
        assert!(!world.path("image").exists());
    }
    assert!(left_behind > 0, "no kill came when there was something to leave behind");
    command::run(&mut world.command("image", "true\n")?)?;
    world.has_no_mounts()?;
    world.is_clean("work")
}

#[test]
fn a_killed_run_leaves_nothing_that_the_next_does_not_remove() -> Result<()> {
    kill_many(8)
}

#[test]
#[ignore = "slow: kills 200 runs"]
fn two_hundred_killed_runs_leave_nothing_that_the_next_does_not_remove() -> Result<()> {
    kill_many(200)
}

#[test]
fn an_interrupt_ends_the_run_and_leaves_nothing() -> Result<()> {
    let world = World::new()?;
    let nex = world.command("image", "sleep 1000\n")?.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_millis(500));
    command::run(Command::new("kill").arg("-TERM").arg(nex.id().to_string()))?;
    let result = nex.wait_with_output()?;
    failed(&result, &["interrupted by SIGTERM"])?;
    assert_eq!(messages(&result).lines().count(), 1, "one error is enough: {}", messages(&result));
    wait_for_end(&world)?;
    world.is_clean("work")
}
