//! Memory that is in no process: it counts all the same, or cannot be had.

use nex_testkit::nex::failed;
use nex_testkit::nex::script::{World, compile, messages, text};
use nex_testkit::{Result, command};

use crate::callers::Caller;

/// A world with the program that takes memory.
fn world() -> Result<World> {
    let world = World::new()?;
    compile("memory.c", &world.base().join("bin/memory"))?;
    Ok(world)
}

/// Whether this machine bounds memory by cgroups of version 2.
pub fn has_memory_groups() -> bool {
    let controllers = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    controllers.contains("memory")
}

#[test]
fn files_in_memory_count_wherever_they_are() -> Result<()> {
    let world = world()?;
    for caller in Caller::ALL {
        for way in ["memfd", "hidden"] {
            let mut run = world.command_in("image", &format!("memory {way} 400\n"), &caller.work_dir())?;
            let Some(result) = caller.run(run.args(["--script-memory", "64MiB"]), &world)? else { return Ok(()) };
            assert!(!result.status.success(), "{caller:?}, {way}");
            failed(&result, &["took more than 67108864 bytes of memory", "--script-memory"])?;
            world.is_clean(&caller.work_dir())?;
        }
        // What is given back does not count, and all else is as it was.
        let mut run = world.command_in("image", "memory usual 160 > /seen\n", &caller.work_dir())?;
        let result = caller.run(run.args(["--script-memory", "64MiB"]), &world)?.unwrap();
        assert!(result.status.success(), "{caller:?}: {}", messages(&result));
        assert_eq!(text(&world.path("image"), "/seen")?, "has 160 MiB\n");
        // Where there is a cgroup, the report says so.
        assert!(!String::from_utf8_lossy(&result.stdout).contains("cgroup") || has_memory_groups());
        std::fs::remove_file(world.path("image"))?;
    }
    Ok(())
}

#[test]
fn what_waits_in_pipes_and_sockets_counts() -> Result<()> {
    let world = world()?;
    for way in ["pipes", "sockets"] {
        let mut run = world.command("image", &format!("memory {way} 60\n"))?;
        run.args(["--script-memory", "32MiB"]);
        world.fails(&mut run, "image", &["took more than 33554432 bytes of memory"])?;
        // With room for it, it is had.
        let mut run = world.command("image", &format!("memory {way} 30 > /seen\n"))?;
        command::run(run.args(["--script-memory", "256MiB"]))?;
        assert_eq!(text(&world.path("image"), "/seen")?, "has 30 MiB\n", "{way}");
        std::fs::remove_file(world.path("image"))?;
    }
    Ok(())
}

#[test]
fn system_v_ipc_is_bounded() -> Result<()> {
    let world = world()?;
    let script = "memory shm 8 > /some; for way in shm msg sem; do memory $way 800; done > /seen; true\n";
    for caller in Caller::ALL {
        let mut run = world.command_in("image", script, &caller.work_dir())?;
        let Some(result) = caller.run(run.args(["--script-memory", "128MiB"]), &world)? else { return Ok(()) };
        assert!(result.status.success(), "{caller:?}: {}", messages(&result));
        let seen = text(&world.path("image"), "/seen")?;
        let taken =
            |line: &str| line.split_ascii_whitespace().rev().nth(1).and_then(|number| number.parse::<u64>().ok());
        let taken: Vec<_> = seen.lines().filter_map(taken).collect();
        // In mebibytes. Where the namespace has no such bounds, there is none of it.
        let most = [64, 32, 2];
        assert!(taken.len() == 3 && taken.iter().zip(most).all(|(taken, most)| *taken <= most), "{caller:?}: {seen}");
        std::fs::remove_file(world.path("image"))?;
    }
    Ok(())
}

#[test]
fn shared_mappings_that_are_given_up_are_bounded() -> Result<()> {
    let world = world()?;
    for caller in Caller::ALL {
        let mut run = world.command_in("image", "memory mappings 800\n", &caller.work_dir())?;
        let Some(result) = caller.run(run.args(["--script-memory", "128MiB"]), &world)? else { return Ok(()) };
        // The kernel ends the script in a cgroup; elsewhere there are no more.
        let is_held = messages(&result).contains("took more than 134217728 bytes of memory");
        let said = "mmap: Cannot allocate memory after 128 MiB";
        failed(&result, &[if is_held { "--script-memory" } else { said }])?;
    }
    Ok(())
}

#[test]
fn devices_are_made_up_to_a_number() -> Result<()> {
    let world = world()?;
    let mut command = world.command("image", "memory devices 1\n")?;
    command.args(["--script-timeout", "300s"]);
    world.fails(&mut command, "image", &["made more than 16384 device nodes", "and was ended"])
}
