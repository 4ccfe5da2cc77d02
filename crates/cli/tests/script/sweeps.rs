//! Commands that run no script remove what killed builds have left: builds that find their script's changes in the cache, builds
//! without a script, and `nex cache gc`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nex_testkit::nex::script::{World, messages};
use nex_testkit::{Failure, Result, command, nex};
use rustix::fs::{FlockOperation, flock};

use crate::callers::Caller;
use crate::kills::wait_for_end;

/// What the cache has the changes of.
const CACHED: &str = "for i in 1 2 3 4 5 6 7 8; do mkdir -p /d/$i; cat /bin/busybox > /d/$i/f; done\n";

/// Lasts for ever, and makes more all the time.
const KILLED: &str = "i=0; while true; do i=$((i+1)); mkdir -p /deep/$i/a/b/c; cp /bin/busybox /deep/$i/a; done\n";

/// How often a build is killed: while it starts, lays out, and runs.
const KILLS: u32 = 8;

/// A caller with a work directory and a cache of its own.
struct Place<'a> {
    world: &'a World,
    caller: Caller,
}

impl Place<'_> {
    fn work_dir(&self) -> PathBuf {
        self.world.path(&self.caller.work_dir())
    }

    /// A build of this caller; `None` where there is no way to be one.
    fn build(&self, output: &str, script: &str) -> Result<Option<Command>> {
        let output = format!("{output}-{:?}", self.caller);
        let mut build = self.world.command_in(&output, script, &self.caller.work_dir())?;
        build.env("NEX_CACHE_DIR", self.world.path(&format!("cache-{:?}", self.caller))).args(["--format", "json"]);
        self.caller.command(&build, self.world)
    }

    /// A command of nex of this caller that takes a work directory.
    fn nex(&self, arguments: &[&str]) -> Result<Output> {
        let mut nex = Command::new(nex::program());
        nex.env_clear().args(arguments).arg("--work-dir").arg(self.work_dir());
        nex.arg("--cache-dir").arg(self.world.path(&format!("cache-{:?}", self.caller)));
        let mut nex = self.caller.command(&nex, self.world)?.ok_or_else(|| Failure::new("no way to be the caller"))?;
        command::output(&mut nex)
    }

    /// Kills a build after this time; whether it has left something.
    fn kill_after(&self, time: Duration) -> Result<bool> {
        let mut build = self.build("killed", KILLED)?.ok_or_else(|| Failure::new("no way to be the caller"))?;
        let mut build = build.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(time);
        build.kill()?;
        build.wait()?;
        wait_for_end(&self.work_dir())?;
        self.wait_for_locks()?;
        Ok(self.work_dir().exists() && self.is_clean().is_err())
    }

    /// Waits until nobody has the lock of a run: the kernel closes files behind all that shows where a process was.
    fn wait_for_locks(&self) -> Result<()> {
        let start = Instant::now();
        for run in nex::names(&self.work_dir()).unwrap_or_default() {
            let run = File::open(self.work_dir().join(run))?;
            while flock(&run, FlockOperation::NonBlockingLockShared).is_err() {
                assert!(start.elapsed() < Duration::from_secs(60), "{:?}: a run is still locked", self.caller);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    /// Kills a build that has laid out its tree.
    fn leave_a_tree(&self, whole: Duration) -> Result<()> {
        for attempt in 1..=KILLS {
            if self.kill_after(whole * attempt)? {
                return Ok(());
            }
        }
        Err(Failure::new("no killed build left a tree"))
    }

    fn is_clean(&self) -> Result<()> {
        self.world.is_clean(&self.caller.work_dir())
    }
}

fn says(result: &Output, words: &str) -> bool {
    result.status.success() && String::from_utf8_lossy(&result.stdout).contains(words)
}

#[test]
fn commands_without_a_script_to_run_remove_what_killed_builds_left() -> Result<()> {
    let world = World::new()?;
    for caller in [Caller::Root, Caller::Subordinate, Caller::OneId] {
        let place = Place { world: &world, caller };
        let start = Instant::now();
        let Some(mut first) = place.build("cached", CACHED)? else { return Ok(()) };
        command::run(&mut first)?;
        let whole = start.elapsed();
        let mut left = 0;
        for number in 0..KILLS {
            left += u32::from(place.kill_after(whole * 2 * number / KILLS)?);
            let mut again = place.build("cached", CACHED)?.ok_or_else(|| Failure::new("no way to be the caller"))?;
            let again = command::output(&mut again)?;
            assert!(says(&again, r#""cached":true,"created""#), "{caller:?}: {}", messages(&again));
            assert!(!says(&again, "earlier setup script"), "{caller:?}: {again:?}");
            place.is_clean()?;
        }
        assert!(left > 0, "{caller:?}: no kill came when there was something to leave behind");

        place.leave_a_tree(whole)?;
        let output = world.path(&format!("bare-{caller:?}"));
        let agent = nex::agent()?.display().to_string();
        let bare = ["rootfs", "--image", "scratch", "--agent", &agent, "-o", &output.display().to_string()];
        assert!(says(&place.nex(&bare)?, ""), "{caller:?}");
        place.is_clean()?;

        place.leave_a_tree(whole)?;
        let collected = place.nex(&["cache", "gc", "--format", "json"])?;
        assert!(says(&collected, r#""removedTrees":1,"notes":[]"#), "{caller:?}: {collected:?}");
        place.is_clean()?;
        world.has_no_mounts()?;
    }
    Ok(())
}

/// A build that lives keeps its tree, whoever looks for the trees of others that were killed.
#[test]
fn a_living_build_keeps_its_tree() -> Result<()> {
    let world = World::new()?;
    let place = Place { world: &world, caller: Caller::Root };
    let Some(mut living) = place.build("living", "echo begun; sleep 3; echo end > /end\n")? else { return Ok(()) };
    let living = living.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let start = Instant::now();
    while !place.work_dir().exists() || place.is_clean().is_ok() {
        assert!(start.elapsed() < Duration::from_secs(60), "no tree is laid out");
        std::thread::sleep(Duration::from_millis(5));
    }
    let collected = place.nex(&["cache", "gc", "--format", "json"])?;
    assert!(says(&collected, r#""removedTrees":0,"notes":[]"#), "{collected:?}");
    assert!(place.is_clean().is_err(), "its tree is gone");
    let living = living.wait_with_output()?;
    assert!(living.status.success(), "{}", messages(&living));
    place.is_clean()
}

/// Waits until the script of a build has made this file, and gives the run's directory.
fn run_with(work_dir: &Path, file: &str) -> Result<PathBuf> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        for run in nex::names(work_dir).unwrap_or_default() {
            let run = work_dir.join(run);
            if run.join("box/root").join(file).exists() {
                return Ok(run);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(Failure::new("no script has begun"))
}

/// As another machine sees a directory that both share: by a file system of its own, which passes no locks of directories on.
#[test]
fn a_build_keeps_its_tree_from_who_does_not_see_its_lock() -> Result<()> {
    let world = World::new()?;
    let place = Place { world: &world, caller: Caller::Root };
    let Some(mut living) = place.build("living", "touch /begun; sleep 4; echo end > /end\n")? else { return Ok(()) };
    let living = living.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let work_dir = place.work_dir();
    run_with(&work_dir, "begun")?;
    for name in ["lower", "overlay"] {
        fs::create_dir(world.path(name))?;
    }
    let mounted =
        "mount -t overlay shared -o lowerdir=$0/lower,upperdir=$1,workdir=$0/overlay $1 || exit 77; shift; exec \"$@\"";
    let mut elsewhere = Command::new("unshare");
    elsewhere.args(["--mount", "sh", "-c", mounted]).arg(world.path(".")).arg(&work_dir).arg(nex::program());
    elsewhere.args(["cache", "gc", "--format", "json", "--work-dir"]).arg(&work_dir);
    elsewhere.arg("--cache-dir").arg(world.path("another-cache"));
    let collected = command::output(&mut elsewhere)?;
    if collected.status.code() == Some(77) {
        eprintln!("LEFT OUT: there is no overlay over this file system: {}", messages(&collected));
    } else {
        assert!(says(&collected, r#""removedTrees":0,"notes":[]"#), "{collected:?}");
        run_with(&work_dir, "bin/sh")?;
    }
    let living = living.wait_with_output()?;
    assert!(living.status.success(), "{}", messages(&living));
    place.is_clean()
}

#[test]
fn a_tree_that_was_removed_meanwhile_gets_into_no_image_and_no_cache() -> Result<()> {
    let world = World::new()?;
    let place = Place { world: &world, caller: Caller::Root };
    let script = "touch /begun; sleep 3; echo end > /end\n";
    // As another machine's sweep begins, and by hand.
    let takes: [fn(&Path) -> std::io::Result<()>; 2] =
        [|run| fs::rename(run, run.with_file_name("taken")), |run| fs::remove_dir_all(run)];
    for take in takes {
        let Some(mut build) = place.build("taken", script)? else { return Ok(()) };
        let build = build.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        take(&run_with(&place.work_dir(), "begun")?)?;
        let build = build.wait_with_output()?;
        assert_eq!(build.status.code(), Some(1), "{}", messages(&build));
        assert!(messages(&build).contains("was removed while it was in use"), "{}", messages(&build));
        fs::remove_dir_all(place.work_dir())?;
    }
    let mut again = place.build("taken", script)?.ok_or_else(|| Failure::new("no way to be the caller"))?;
    let again = command::output(&mut again)?;
    assert!(says(&again, r#""cached":false"#), "{again:?}");
    place.is_clean()
}

#[test]
fn more_leftovers_than_open_files_are_removed() -> Result<()> {
    let place = nex::directory()?;
    let work_dir = place.path().join("work");
    fs::create_dir(&work_dir)?;
    fs::set_permissions(&work_dir, Permissions::from_mode(0o700))?;
    let long_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 60 * 60);
    for number in 0..120 {
        let run = work_dir.join(format!("run-1-{number}"));
        fs::create_dir(&run)?;
        File::open(run)?.set_modified(long_ago)?;
    }
    let mut collect = Command::new("sh");
    collect.args(["-c", "ulimit -n 60; exec \"$@\"", "sh"]).arg(nex::program());
    collect.args(["cache", "gc", "--format", "json", "--work-dir"]).arg(&work_dir);
    let collected = command::output(collect.arg("--cache-dir").arg(place.path().join("cache")))?;
    assert!(says(&collected, r#""removedTrees":120,"notes":[]"#), "{collected:?}");
    Ok(())
}

/// What belongs to another user stays as it is, for root too.
#[test]
fn nobody_removes_what_is_another_users() -> Result<()> {
    let world = World::new()?;
    let place = Place { world: &world, caller: Caller::Subordinate };
    let start = Instant::now();
    let Some(mut first) = place.build("first", CACHED)? else { return Ok(()) };
    command::run(&mut first)?;
    place.leave_a_tree(start.elapsed())?;
    let before = nex::names(&place.work_dir())?;
    let mut collect = Command::new(nex::program());
    collect.env_clear().args(["cache", "gc", "--work-dir"]).arg(place.work_dir()).arg("--cache-dir");
    let collected = command::output(collect.arg(world.path("cache-of-root")))?;
    assert!(says(&collected, "cannot use the work directory"), "{collected:?}");
    assert_eq!(nex::names(&place.work_dir())?, before);
    fs::remove_dir_all(place.work_dir())?;
    Ok(())
}
