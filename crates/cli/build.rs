//! What a program cannot know about itself: what it was built for, and from which commit.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=NEX_COMMIT");
    println!("cargo:rustc-env=NEX_BUILD_TARGET={}", env::var("TARGET").unwrap_or_default());
    if let Some(commit) = commit() {
        println!("cargo:rustc-env=NEX_BUILD_COMMIT={commit}");
    }
}

/// The commit, by who makes a package, or else by Git. A debug build does not ask Git: each commit would compile all tests again.
fn commit() -> Option<String> {
    if let Ok(commit) = env::var("NEX_COMMIT")
        && !commit.is_empty()
    {
        return Some(commit);
    }
    if env::var("PROFILE").ok()? != "release" {
        return None;
    }
    // What changes with each commit. Where it is missing, Cargo would ask each time.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "HEAD"])
}

/// What Git says in one line; `None` where there is none, or the sources are in no repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
