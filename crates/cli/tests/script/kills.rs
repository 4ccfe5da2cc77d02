//! `nex` killed in the middle: no process stays, and the next run removes what is left.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nex_testkit::nex::script::{self, World, messages};
use nex_testkit::{Failure, Result, command, nex};

/// Long enough for every kill, with something going on all the time.
const SCRIPT: &str = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); mkdir -p /deep/$i/a/b/c; cp /bin/busybox /deep/$i; (sleep 100 &) ; done; sleep 100\n";

/// Comes to its end, with something to keep in the cache: kills hit its keeping too. Another number, another layer.
fn short_script(number: u64) -> String {
    format!("echo {number} > /number; for i in 1 2 3 4 5 6 7 8; do cat /bin/busybox /bin/busybox > /$i; done\n")
}

/// How long a busy machine may take to begin a script, or to end what was killed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a whole run takes on this machine, as busy as it is. Kills come within that, or 700 ms where it takes less.
fn length_of_a_run(world: &World) -> Result<Duration> {
    let start = Instant::now();
    command::run(&mut world.command("measured", &short_script(0))?)?;
    Ok(start.elapsed().max(Duration::from_millis(701)))
}

/// Waits until no process has anything of this work directory as its directory or root.
pub fn wait_for_end(work_dir: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        let mut alive = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let process = entry?.path();
            for link in ["cwd", "root"] {
                let target = fs::read_link(process.join(link)).unwrap_or_default();
                if target.starts_with(work_dir) {
                    alive.push(fs::read_to_string(process.join("cmdline")).unwrap_or_default());
                }
            }
        }
        if alive.is_empty() {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            return Err(Failure::new(format!("still alive: {alive:?}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill_many(times: u64) -> Result<()> {
    let world = World::new()?;
    let whole = length_of_a_run(&world)?;
    let mut left_behind = 0;
    for number in 0..times {
        // A few layers only, so that later runs find what the killed ones have left of them.
        let script = if number % 2 == 0 { SCRIPT.to_owned() } else { short_script(number % 5) };
        let mut command = world.command("image", &script)?;
        command.env("NEX_CACHE_DIR", world.path("cache"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // Over the whole of a run: starting, laying out, the script. Steps that share no factor with it hit every part.
        std::thread::sleep(whole.mul_f64((number * 37 % 701) as f64 / 701.0));
        child.kill()?;
        child.wait()?;
        wait_for_end(&world.path("work"))?;
        left_behind += u64::from(world.path("work").exists() && world.is_clean("work").is_err());
        // Some that end in time are there.
        assert!(number % 2 == 1 || !world.path("image").exists());
        drop(fs::remove_file(world.path("image")));
    }
    assert!(left_behind > 0, "no kill came when there was something to leave behind");
    command::run(&mut world.command("image", "true\n")?)?;
    world.has_no_mounts()?;
    world.is_clean("work")?;
    the_cache_is_sound(&world)
}

/// Whatever the killed runs have left in the cache: with it, the images are those that are made without.
fn the_cache_is_sound(world: &World) -> Result<()> {
    for number in 0..5 {
        let mut images = Vec::new();
        for arguments in [&[][..], &["--no-cache"]] {
            let mut command = world.command("image", &short_script(number))?;
            let report = command::run(command.args(arguments).env("NEX_CACHE_DIR", world.path("cache")))?;
            let report = String::from_utf8_lossy(&report).into_owned();
            assert!(!report.contains("damaged"), "{report}");
            images.push(fs::read(world.path("image"))?);
        }
        assert!(images[0] == images[1], "script {number}: the images differ");
    }
    let making = nex::names(&world.path("cache/v1/making"))?;
    if making.is_empty() { Ok(()) } else { Err(Failure::new(format!("left in the cache: {making:?}"))) }
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
    let outside = world.path("outside");
    fs::create_dir(&outside)?;
    // The script's root is another user outside.
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o777))?;
    let mut run = world.command("image", ": > /outside/begun; sleep 1000\n")?;
    run.arg("--mount").arg(format!("{}:/outside", outside.display()));
    let nex = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let start = Instant::now();
    while !outside.join("begun").exists() {
        assert!(start.elapsed() < PATIENCE, "the script does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    command::run(Command::new("kill").arg("-TERM").arg(nex.id().to_string()))?;
    let result = nex.wait_with_output()?;
    assert_eq!(result.status.signal(), Some(15));
    assert_eq!(messages(&result), "error: interrupted by SIGTERM; nothing was written\n");
    wait_for_end(&world.path("work"))?;
    world.is_clean("work")
}

/// Many daemons ignore SIGCHLD, and what they start inherits that.
#[test]
fn a_caller_that_ignores_its_children_has_scripts_run_all_the_same() -> Result<()> {
    let world = World::new()?;
    let run = world.command("image", "sh -c 'exit 7' || echo $? > /code\n")?;
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' CHLD; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
    ignoring.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command::run(&mut ignoring)?;
    assert_eq!(script::text(&world.path("image"), "/code")?, "7\n");
    world.is_clean("work")
}
