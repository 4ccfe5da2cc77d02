//! What the project's own scripts say and how they end, where that decides whether CI is green.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use nex_testkit::{Result, command, places, program};

/// Stands for cargo: its `deny fetch db` ends as `FETCH` says, and what else it is asked for is written down.
const CARGO: &str = "#!/bin/sh\nif [ \"$*\" = 'deny fetch db' ]; then exit \"$FETCH\"; fi\necho \"asked for $*\"\n";

const DAY: u64 = 24 * 60 * 60;

/// A directory with a cargo of our own, and a home for its databases.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Result<Self> {
        let world = Self(tempfile::tempdir()?);
        fs::create_dir_all(world.0.path().join("home/advisory-dbs"))?;
        program::write(world.0.path().join("cargo"), CARGO)?;
        Ok(world)
    }

    /// Makes a database whose last commit is so many days old; none means a repository without commits.
    fn database(&self, name: &str, days: Option<u64>) -> Result<()> {
        let path = self.0.path().join("home/advisory-dbs").join(name);
        command::run(Command::new("git").args(["init", "--quiet"]).arg(&path))?;
        if let Some(days) = days {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            let date = format!("@{} +0000", now - days * DAY);
            let mut commit = Command::new("git");
            commit.arg("-C").arg(&path).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
            commit.args(["commit", "--quiet", "--allow-empty", "--message=advisories"]);
            command::run(commit.envs([("GIT_COMMITTER_DATE", &date), ("GIT_AUTHOR_DATE", &date)]))?;
        }
        Ok(())
    }

    /// Runs the script. Gives whether it succeeded, what it said, and what is left for the end of `make test`.
    fn check(&self, fetch: &str) -> Result<(bool, String, String)> {
        let left_out = self.0.path().join("left-out");
        let path = [self.0.path(), Path::new("/usr/bin"), Path::new("/bin")];
        let mut check = Command::new(places::workspace().join("scripts/check-advisories"));
        check.env("PATH", std::env::join_paths(path)?).env("CARGO_HOME", self.0.path().join("home"));
        let result = command::output(check.env("FETCH", fetch).env("NEX_LEFT_OUT", &left_out))?;
        let said = [result.stdout, result.stderr].concat();
        let left_out = fs::read_to_string(left_out).unwrap_or_default();
        Ok((result.status.success(), String::from_utf8_lossy(&said).into_owned(), left_out))
    }
}

const CHECKED: &str = "asked for deny --offline check advisories\n";

#[test]
fn without_a_database_advisories_are_left_out_and_the_end_repeats_it() -> Result<()> {
    let world = World::new()?;
    world.database("broken-off", None)?;
    let (success, said, left_out) = world.check("1")?;
    assert!(success && said.starts_with("LEFT OUT: advisories: "), "{said}");
    assert_eq!(said, left_out);
    Ok(())
}

#[test]
fn a_fresh_database_is_asked_whether_it_can_be_renewed_or_not() -> Result<()> {
    let world = World::new()?;
    world.database("old", Some(400))?;
    world.database("fresh", Some(89))?;
    for fetch in ["0", "1"] {
        assert_eq!(world.check(fetch)?, (true, CHECKED.into(), String::new()));
    }
    Ok(())
}

#[test]
fn an_old_database_fails_whether_it_can_be_reached_or_not() -> Result<()> {
    let world = World::new()?;
    world.database("old", Some(91))?;
    for fetch in ["0", "1"] {
        let (success, said, left_out) = world.check(fetch)?;
        assert!(!success && said.contains("is 91 days old, and 90 are the most"), "{said}");
        assert_eq!((said.contains("cargo deny fetch db"), left_out.is_empty()), (fetch == "1", true), "{said}");
    }
    Ok(())
}
