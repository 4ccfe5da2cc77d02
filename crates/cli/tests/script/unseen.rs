//! Memory that nobody would see: it counts all the same, or cannot be had. Where a cgroup holds it, the kernel does.

use nex_testkit::Result;

use crate::callers::Caller;
use crate::memory::has_memory_groups;
use crate::world::{World, compile, messages, text};

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
    std::fs::remove_file(world.path("image"))?;
    Ok(Some(seen))
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
