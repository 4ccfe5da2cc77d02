//! Scripts that take too much.

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nex_testkit::failure::Context;
use nex_testkit::nex::failed;
use nex_testkit::nex::script::{World, compile, messages, text};
use nex_testkit::{Result, command};

use crate::callers::Caller;

#[test]
fn time_runs_out_even_for_a_script_that_ignores_signals() -> Result<()> {
    let world = World::new()?;
    let script = "trap '' TERM INT HUP; setsid sh -c 'trap \"\" TERM; sleep 1000' & while :; do sleep 1; done\n";
    let mut command = world.command("image", script)?;
    let start = Instant::now();
    world.fails(command.args(["--script-timeout", "1s"]), "image", &["still running after 1 s", "--script-timeout"])?;
    assert!(start.elapsed() < Duration::from_secs(20));
    Ok(())
}

#[test]
fn memory_is_bounded_for_one_process_and_for_all() -> Result<()> {
    let world = World::new()?;
    let one = "dd if=/dev/zero of=/dev/null bs=400M count=1\n";
    let mut command = world.command("image", one)?;
    world.fails(command.args(["--script-memory", "100MiB"]), "image", &["exit code 1", "out of memory"])?;
    // Each process is below the limit, all together are not.
    let many = "for i in 1 2 3 4 5 6; do head -c 60m /dev/zero | tail -c 60m | sleep 30 & done; wait\n";
    let mut command = world.command("image", many)?;
    world.fails(command.args(["--script-memory", "150MiB"]), "image", &["memory", "--script-memory"])
}

#[test]
fn a_fork_bomb_stays_small() -> Result<()> {
    let world = World::new()?;
    // Other scripts run at the same time: the bomb's processes have a name of their own.
    let bomb = "cp /bin/busybox /bin/busybox-bomb
        exec busybox-bomb sh -c 'b() { b | b & }; b 2>/dev/null; sleep 1000'\n";
    let mut command = world.command("image", bomb)?;
    command.args(["--script-processes", "50", "--script-timeout", "3s"]);
    let mut nex = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
    let mut most = 0;
    while nex.try_wait()?.is_none() {
        most = most.max(processes_of_the_bomb()?);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!((2..=60).contains(&most), "{most} processes at once");
    world.is_clean("work")
}

fn processes_of_the_bomb() -> Result<usize> {
    let listed = command::run(Command::new("ps").args(["-eo", "comm"])).context("ps")?;
    Ok(String::from_utf8_lossy(&listed).lines().filter(|name| *name == "busybox-bomb").count())
}

/// Runs a script whose work directory is on a disk with these options of tmpfs, which is mounted for this run alone. `None` where
/// nobody can mount it.
fn on_a_small_disk(script: &str, options: &str) -> Result<Option<Output>> {
    let world = World::new()?;
    compile("allocate.c", &world.base().join("bin/allocate"))?;
    let disk = world.path("disk");
    fs::create_dir(&disk)?;
    let mut run = world.command_in("image", script, "disk/work")?;
    let mount = format!("mount -t tmpfs -o mode=700,{options} tmpfs {}", disk.display());
    let after = format!("ls {}/work", disk.display());
    let result = Caller::Root.run_between(run.args(["--script-timeout", "60s"]), &world, &mount, &after)?;
    if let Some(result) = &result {
        assert!(result.stdout.is_empty(), "left behind: {}", String::from_utf8_lossy(&result.stdout));
    }
    Ok(result)
}

#[test]
fn room_for_files_is_left_too() -> Result<()> {
    let script = "i=0; while [ $i -lt 8000 ]; do i=$((i+1)); : > /file-$i; [ $((i % 100)) -ne 0 ] || sleep 0.1; done; sleep 1000\n";
    let Some(result) = on_a_small_disk(script, "size=256m,nr_inodes=4000")? else { return Ok(()) };
    failed(&result, &["fewer than 256 files can still be made", "--work-dir"])
}

#[test]
fn a_full_disk_ends_the_script_and_not_the_host() -> Result<()> {
    let Some(result) = on_a_small_disk("dd if=/dev/zero of=/fill bs=1M; sleep 1000\n", "size=64m")? else {
        return Ok(());
    };
    failed(&result, &["are left in", "--work-dir"])
}

/// The kernel takes all of it in one call, before anybody looks.
const AT_ONCE: &str = "allocate() { /bin/allocate $1 /fill-$1; }
    allocate 60 2> /dev/shm/refused && exit 1; grep -q 'No space left' /dev/shm/refused || exit 2
    rm /fill-60; allocate 30 || exit 3; rm /fill-30; allocate 1 || exit 4
    [ $(stat -c %s:%b /fill-1) = 1048576:2048 ] || exit 5
    /bin/allocate 60 /pieces 65536 2> /dev/shm/refused && exit 6; grep -q 'No space left' /dev/shm/refused || exit 7
    rm /pieces
    truncate -s 0 /fill-1; exit 42\n";

#[test]
fn room_that_is_taken_at_once_leaves_some_too() -> Result<()> {
    let Some(result) = on_a_small_disk(AT_ONCE, "size=64m")? else { return Ok(()) };
    failed(&result, &["exit code 42"])
}

/// What the machine gives one user.
fn most(setting: &str) -> Result<i64> {
    Ok(fs::read_to_string(format!("/proc/sys/{setting}"))?.trim().parse()?)
}

#[test]
fn a_script_leaves_its_caller_most_of_his_limits() -> Result<()> {
    let world = World::new()?;
    compile("shares.c", &world.base().join("bin/shares"))?;
    let watches = most("fs/inotify/max_user_instances")? / 4;
    let signals = rustix::process::getrlimit(rustix::process::Resource::Sigpending).maximum.unwrap_or(65_536) / 4;
    for caller in Caller::ALL {
        // Several users of the script's have no more than one.
        let another = if caller.has_ids() { "su user -c \"shares $what\" &" } else { "" };
        let script = format!(
            "for what in watches signals priority; do shares $what & shares $what & {another} done >> /seen; wait\n"
        );
        let run = world.command_in("image", &script, &caller.work_dir())?;
        let Some(result) = caller.run(&run, &world)? else { return Ok(()) };
        assert!(result.status.success(), "{caller:?}: {}", messages(&result));
        let seen = text(&world.path("image"), "/seen")?;
        let taken = |what: &str| -> i64 {
            let numbers =
                seen.lines().filter_map(|line| line.strip_prefix(what)?.strip_prefix(": ")?.parse::<i64>().ok());
            numbers.sum()
        };
        assert!((4..=watches + 1).contains(&taken("watches")), "{caller:?}: {seen}");
        assert!((64..=i64::try_from(signals)? + 64).contains(&taken("signals")), "{caller:?}: {seen}");
        assert!(seen.contains("priority: 0") && taken("priority") == 0, "{caller:?}: {seen}");
        fs::remove_file(world.path("image"))?;
    }
    Ok(())
}

#[test]
fn what_a_script_leaves_counts_as_what_layers_bring() -> Result<()> {
    let world = World::new()?;
    let names = "mkdir /new; i=0; while [ $i -lt 300 ]; do i=$((i+1)); : > /new/$i; done\n";
    let mut many = world.command("image", names)?;
    world.fails(many.args(["--max-entries", "200"]), "image", &["more than 200", "allow more with --max-entries"])?;
    let mut long = world.command("image", names)?;
    world.fails(
        long.args(["--max-metadata", "2000"]),
        "image",
        &["more than 2000 bytes", "allow more with --max-metadata"],
    )?;
    let mut large =
        world.command("image", "dd if=/dev/zero of=/zeros bs=1M count=9; truncate -s 1000000000000 /hole\n")?;
    world.fails(
        large.args(["--max-unpacked", "8MiB"]),
        "image",
        &["more than 8388608 bytes; allow more with --max-unpacked"],
    )?;
    // As much as there may be, and a hole is nothing.
    let mut enough =
        world.command("image", "dd if=/dev/zero of=/zeros bs=1M count=8; truncate -s 1000000000 /hole\n")?;
    command::run(enough.args(["--max-unpacked", "8MiB"])).map(drop)
}
