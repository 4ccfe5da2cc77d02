//! What a run has left and nobody can remove: a note in later runs, and nobody's error.

use std::fs::{self, File};
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime};

use nex_testkit::nex::loud;
use nex_testkit::nex::script::{World, messages};
use nex_testkit::{Failure, Result};

use crate::callers::{Caller, ROOT_ALONE};

/// So long ago that nobody works there any more, wherever it was made.
const LONG_AGO: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// A note on this run's directory, with what to do about it.
fn notes(text: &str, run: &Path) -> bool {
    let word = run.display().to_string();
    text.lines()
        .any(|line| line.contains(&format!("'{word}' cannot be removed")) && line.contains(&format!("rm -rf {word}")))
}

fn report(result: &Output) -> String {
    String::from_utf8_lossy(&result.stdout).into_owned()
}

#[test]
fn what_cannot_be_removed_stops_no_later_run() -> Result<()> {
    let world = World::new()?;
    for caller in Caller::ALL {
        let work_dir = caller.work_dir();
        // Nobody replaces another user's file in a directory that all may write to.
        drop(fs::remove_file(world.path("image")));
        let run = || Ok::<_, Failure>(loud(&world.command_in("image", "true\n", &work_dir)?));
        let Some(first) = caller.run(&run()?, &world)? else { return Ok(()) };
        assert!(first.status.success() && !report(&first).contains("cannot be removed"), "{}", messages(&first));
        // As a killed run leaves it, with a directory of somebody else in it, or another file system.
        // By a name of an earlier nex, and long ago. What is being removed has another name.
        let (killed, left) = (world.path(&work_dir).join("run-1-0"), world.path(&work_dir).join("removed-1-0"));
        let kept = killed.join("box/root/deep/kept");
        fs::create_dir_all(&kept)?;
        fs::write(kept.join("file"), "kept")?;
        fs::create_dir(killed.join("box/root/deep/empty"))?;
        File::open(&killed)?.set_modified(SystemTime::now() - LONG_AGO)?;
        let before = || match caller {
            Caller::Root => {
                let kept = if killed.exists() { &killed } else { &left }.join("box/root/deep/kept");
                format!("mount -t tmpfs other {0}; touch {0}/file", kept.display())
            }
            _ => ":".into(),
        };
        for _ in 0..2 {
            let before = before();
            let again = caller.run_between(&run()?, &world, &before, ":")?.unwrap();
            assert!(again.status.success(), "{caller:?}: {}", messages(&again));
            assert!(notes(&report(&again), &left), "{caller:?}: {}", report(&again));
        }
        // Where there is no report, it is told on the way; and what was wrong is told as ever.
        let fails = world.command_in("image", "exit 3\n", &work_dir)?;
        let fails = caller.run_between(&fails, &world, &before(), ":")?.unwrap();
        assert!(messages(&fails).contains("exit code 3"), "{caller:?}: {}", messages(&fails));
        assert!(!messages(&fails).contains("work directory"), "{caller:?}: {}", messages(&fails));
        // Once it can be removed, it is.
        fs::remove_dir_all(&left)?;
        let last = caller.run(&run()?, &world)?.unwrap();
        assert!(last.status.success() && !report(&last).contains("cannot be removed"), "{caller:?}: {}", report(&last));
        world.is_clean(&work_dir)?;
    }
    Ok(())
}

/// As a run with one id leaves it that is killed: all in it is the caller's.
#[test]
fn callers_with_one_id_remove_what_killed_runs_left() -> Result<()> {
    let world = World::new()?;
    for caller in [Caller::OneId, Caller::Container(ROOT_ALONE)] {
        let work_dir = caller.work_dir();
        drop(fs::remove_file(world.path("image")));
        let run = || Ok::<_, Failure>(loud(&world.command_in("image", "true\n", &work_dir)?));
        let Some(first) = caller.run(&run()?, &world)? else { return Ok(()) };
        assert!(first.status.success(), "{}", messages(&first));
        let left = world.path(&work_dir).join("run-1-0");
        let leave =
            format!("mkdir -p {0}/box/root/deep; touch -d '8 days ago' {0}; chown -R 65534:65534 {0}", left.display());
        let again = caller.run_between(&run()?, &world, &leave, ":")?.unwrap();
        assert!(again.status.success(), "{caller:?}: {}", messages(&again));
        assert!(!report(&again).contains("cannot be removed"), "{caller:?}: {}", report(&again));
        world.is_clean(&work_dir)?;
    }
    Ok(())
}
