//! What `--mount` shows, with all that is mounted below it.

use std::process::Command;

use nex_testkit::nex::failed;
use nex_testkit::nex::script::{REFUSED, World, messages, text};
use nex_testkit::{Result, command, places};

use crate::callers::Caller;

/// A directory with another file system mounted in it, with a setuid program and a device there.
fn mounted_below(world: &World) -> String {
    format!(
        "mkdir -p {0}/below; mount -t tmpfs -o mode=777 below {0}/below
        cp /bin/busybox {0}/below/setuid; chmod 4755 {0}/below/setuid
        mknod {0}/below/null c 1 3; chmod 666 {0}/below/null",
        world.path("input").display()
    )
}

fn with_mounts<'a>(run: &'a mut Command, world: &World) -> &'a mut Command {
    let input = world.path("input");
    let mount = |target: &str| format!("{}:{target}", input.display());
    run.args(["--mount", &mount("/read:ro"), "--mount", &mount("/write")])
}

#[test]
fn restrictions_hold_for_what_is_mounted_below() -> Result<()> {
    let world = World::new()?;
    let script = "set -e
        refused touch /read/below/new; refused rm /read/below/setuid; touch /write/below/new
        refused sh -c 'echo x > /read/below/null'; refused sh -c 'echo x > /write/below/null'
        sed -n 's,.* \\(/[a-z]*/below\\) \\([a-z]*\\)\\,\\(nosuid\\)\\,\\(nodev\\).*,\\1 \\2 \\3 \\4,p' /proc/self/mountinfo > /seen\n";
    for caller in Caller::ALL {
        let mut run = world.command_in("image", &format!("{REFUSED}{script}"), &caller.work_dir())?;
        let after = format!("ls {}", world.path("input/below").display());
        let result = caller.run_between(with_mounts(&mut run, &world), &world, &mounted_below(&world), &after)?;
        let Some(result) = result else { return Ok(()) };
        assert!(result.status.success(), "{caller:?}: {}", messages(&result));
        let seen = text(&world.path("image"), "/seen")?;
        assert_eq!(seen, "/read/below ro nosuid nodev\n/write/below rw nosuid nodev\n", "{caller:?}");
        // What may be written was.
        assert!(String::from_utf8_lossy(&result.stdout).ends_with("new\nnull\nsetuid\n"), "{caller:?}");
        std::fs::remove_file(world.path("image"))?;
    }
    Ok(())
}

#[test]
fn a_kernel_that_cannot_restrict_them_shows_none() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: only root can mount something, and hide a system call");
        return Ok(());
    }
    let world = World::new()?;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/script/without.c");
    command::run(Command::new("cc").args(["-static", "-o"]).arg(world.path("without")).arg(source))?;
    let old = |run: &Command| {
        let mut old = Command::new(world.path("without"));
        // mount_setattr(2), which has the same number everywhere.
        old.arg("442")
            .arg(run.get_program())
            .args(run.get_args())
            .env_clear()
            .envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        old
    };
    let script = format!("{REFUSED}refused touch /read/new; ls -A /read /write > /seen\n");
    let mut run = world.command("image", &script)?;
    let run = old(with_mounts(&mut run, &world));
    let result = Caller::Root.run_between(&run, &world, &mounted_below(&world), ":")?.unwrap();
    let words = ["other file systems are mounted below it", "Linux 5.12", "nothing mounted below"];
    failed(&result, &words)?;
    // One alone is as before.
    command::run(&mut { run })?;
    assert!(text(&world.path("image"), "/seen")?.contains("below"));
    world.is_clean("work")
}
