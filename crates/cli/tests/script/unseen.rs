//! Memory that nobody would see: it counts all the same, or cannot be had. Where a cgroup holds it, the kernel does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::failure::Context;
use nex_testkit::nex::failed;
use nex_testkit::nex::script::{World, compile, messages, text};
use nex_testkit::{Result, command};

use crate::callers::Caller;
use crate::memory::has_memory_groups;

/// Each way in which what waits is nowhere to be seen.
const WAYS: [&str; 8] = ["tables", "closed", "sent", "pipes", "unaccepted", "finished", "drained", "orphans"];

/// Who runs scripts, with the network that they have.
const CALLERS: [(Caller, &str); 2] = [(Caller::Root, "none"), (Caller::OneId, "host")];

fn world() -> Result<World> {
    let world = World::new()?;
    compile("unseen.c", &world.base().join("bin/unseen"))?;
    Ok(world)
}

/// What a script says that must end well.
fn seen(world: &World, caller: Caller, script: &str, options: &[&str]) -> Result<Option<String>> {
    let mut run = world.command_in("image", script, &caller.work_dir())?;
    let Some(result) = caller.run(run.args(options), world)? else { return Ok(None) };
    assert!(result.status.success(), "{caller:?}: {}", messages(&result));
    let seen = text(&world.path("image"), "/seen")?;
    fs::remove_file(world.path("image"))?;
    Ok(Some(seen))
}

#[test]
fn processes_whose_first_threads_have_ended_count() -> Result<()> {
    let world = world()?;
    let script = "for i in 1 2 3; do unseen ended 40 30 & done; wait\n";
    for (caller, network) in CALLERS {
        let mut run = world.command_in("image", script, &caller.work_dir())?;
        run.args(["--script-memory", "64MiB", "--script-network", network]);
        let Some(result) = caller.run(&run, &world)? else { return Ok(()) };
        failed(&result, &["took more than 67108864 bytes of memory"])?;
    }
    Ok(())
}

#[test]
fn memory_that_is_lent_counts_once() -> Result<()> {
    let world = world()?;
    let Some(seen) = seen(&world, Caller::Root, "unseen lent 40 > /seen\n", &["--script-memory", "64MiB"])? else {
        return Ok(());
    };
    assert_eq!(seen, "has 40 MiB\n");
    Ok(())
}

#[test]
fn memory_that_processes_share_counts_once() -> Result<()> {
    let world = world()?;
    for caller in [Caller::Root, Caller::OneId] {
        let seen = seen(&world, caller, "unseen forked 40 1 > /seen\n", &["--script-memory", "64MiB"])?;
        assert_eq!(seen.unwrap_or("has 40 MiB\n".into()), "has 40 MiB\n");
    }
    // The control: four times as much, and nothing of it shared.
    let script = "for i in 1 2 3 4; do unseen forked 40 20 & done; wait\n";
    let mut run = world.command_in("image", script, &Caller::Root.work_dir())?;
    let Some(result) = Caller::Root.run(run.args(["--script-memory", "64MiB"]), &world)? else { return Ok(()) };
    failed(&result, &["took more than 67108864 bytes of memory"])
}

#[test]
fn no_memory_moves_from_process_to_process() -> Result<()> {
    if has_memory_groups() {
        eprintln!("LEFT OUT: the kernel itself counts it here");
        return Ok(());
    }
    let world = world()?;
    for caller in Caller::ALL {
        let Some(seen) = seen(&world, caller, "unseen moved 1 > /seen; true\n", &[])? else { return Ok(()) };
        assert_eq!(seen, "clone: Invalid argument after 0 MiB\n", "{caller:?}");
    }
    Ok(())
}

#[test]
fn names_in_memory_have_a_bound() -> Result<()> {
    let world = world()?;
    let script = "i=0; while true > /dev/shm/$i; do i=$((i+1)); done 2>/dev/null; echo $i > /seen\n";
    let Some(seen) = seen(&world, Caller::Root, script, &[])? else { return Ok(()) };
    let names: u64 = seen.trim().parse().context(&seen)?;
    assert!((16_000..17_000).contains(&names), "{names}");
    Ok(())
}

#[test]
fn what_waits_counts_wherever_it_is() -> Result<()> {
    let world = world()?;
    for (caller, network) in CALLERS {
        let options = |memory| ["--script-memory", memory, "--script-network", network];
        for way in WAYS {
            let mut run = world.command_in("image", &format!("unseen {way} 60 30\n"), &caller.work_dir())?;
            let Some(result) = caller.run(run.args(options("32MiB")), &world)? else { return Ok(()) };
            failed(&result, &["took more than 33554432 bytes of memory"]).context(way)?;
            world.is_clean(&caller.work_dir())?;
        }
        // With room for it, it is had.
        let script = format!("for way in {}; do unseen $way 8 >> /seen; done\n", WAYS.join(" "));
        let seen = seen(&world, caller, &script, &options("512MiB"))?;
        assert_eq!(seen.as_deref(), Some("has 8 MiB\n".repeat(WAYS.len()).as_str()), "{caller:?}");
    }
    Ok(())
}

#[test]
fn programs_that_may_not_be_read_count_too() -> Result<()> {
    let world = world()?;
    let shared = world.path("shared");
    fs::create_dir(&shared)?;
    fs::copy(world.base().join("bin/unseen"), shared.join("unseen"))?;
    for (path, mode) in [(&shared, 0o755), (&shared.join("unseen"), 0o711)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    for way in ["tables", "pipes", "closed"] {
        let mut run = world.command_in("image", &format!("/shared/unseen {way} 60 30\n"), &Caller::Root.work_dir())?;
        run.args(["--script-memory", "32MiB", "--mount"]).arg(format!("{}:/shared:ro", shared.display()));
        let Some(result) = Caller::Root.run(&run, &world)? else { return Ok(()) };
        failed(&result, &["took more than 33554432 bytes of memory"]).context(way)?;
    }
    Ok(())
}

#[test]
fn pages_are_not_passed_on_without_a_copy() -> Result<()> {
    if has_memory_groups() {
        eprintln!("LEFT OUT: the kernel itself counts them here");
        return Ok(());
    }
    let world = world()?;
    for caller in Caller::ALL {
        let script = "unseen calls 1 > /seen; unseen huge 400 1 >> /seen; true\n";
        let Some(seen) = seen(&world, caller, script, &["--script-memory", "64MiB"])? else { return Ok(()) };
        assert_eq!(seen, "vmsplice: Invalid argument after 0 MiB\n", "{caller:?}");
    }
    Ok(())
}

#[test]
fn files_on_their_way_keep_no_other_run_from_starting() -> Result<()> {
    let world = world()?;
    let shared = world.path("shared");
    fs::create_dir(&shared)?;
    fs::write(shared.join("until"), "")?;
    // As many as scripts of one user may pass on without asking for more, and more.
    let script = "touch /shared/begun; unseen passed 1500 /shared/until\n";
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777))?;
    let mut passing = world.command_in("passing", script, "work-passing")?;
    let mut passing = passing.arg("--mount").arg(format!("{}:/shared", shared.display())).spawn()?;
    let start = Instant::now();
    while !shared.join("begun").exists() && start.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(500));
    let other = command::output(&mut world.command("image", "true\n")?)?;
    fs::remove_file(shared.join("until"))?;
    assert!(passing.wait()?.success());
    assert!(other.status.success(), "{}", messages(&other));
    Ok(())
}

#[test]
fn very_many_mappings_hold_nobody_up() -> Result<()> {
    let world = world()?;
    let seen = seen(&world, Caller::Root, "unseen mappings 12 > /seen\n", &["--script-memory", "256MiB"])?;
    let Some(seen) = seen else { return Ok(()) };
    let numbers: Vec<u64> = seen.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
    // There may be no more than one at once, for all that is known of so many; milliseconds for all 20 attempts.
    assert!(numbers.len() == 2 && numbers[0] >= 1 && numbers[1] < 2000, "{seen}");
    Ok(())
}

#[test]
fn sockets_of_the_hosts_network_are_bounded() -> Result<()> {
    let world = world()?;
    let script = "unseen made 9000 > /seen; unseen made 3000 >> /seen\n";
    for caller in [Caller::Root, Caller::OneId] {
        let Some(seen) = seen(&world, caller, script, &["--script-network", "host"])? else { return Ok(()) };
        // Those that are closed do not count.
        assert_eq!(seen, "socket: Too many open files in system after 4096\nhas 3000\n", "{caller:?}");
    }
    Ok(())
}
