//! One root, many guests: nobody changes it, and each sees what it has changed itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use nex_testkit::{Result, command, fsck, places};
use serde_json::{Value, json};

use crate::place::Place;

fn printed(result: &Output) -> String {
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    String::from_utf8_lossy(&result.stdout).into_owned()
}

#[test]
fn guests_share_a_file_that_nobody_may_write() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let before = fs::read(place.root())?;
    fs::set_permissions(place.root(), fs::Permissions::from_mode(0o444))?;
    let script = |name: &str| {
        format!(
            "[ ! -e /mine ] && echo {name} > /mine && rm /bin/cat && sleep 3 && read name < /mine && echo $name $(ls /bin/cat 2>&1)"
        )
    };
    let mut guests = Vec::new();
    for name in ["one", "two", "three"] {
        let mut run = place.script(&[], &script(name))?;
        guests.push((name, run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?));
    }
    for (name, guest) in guests {
        let printed = printed(&guest.wait_with_output()?);
        assert_eq!(printed, format!("{name} ls: /bin/cat: No such file or directory\n"));
    }
    assert!(fs::read(place.root())? == before, "the root changed");
    fsck::check(&place.root())
}

#[test]
fn a_boot_leaves_a_shared_root_alone() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let before = fs::read(place.root())?;
    let mut boot = place.boot()?;
    boot.args(["--format", "json", "--overlay-drive"]).arg(place.path("state.ext4"));
    let report: Value = serde_json::from_slice(&command::output(&mut boot)?.stdout)?;
    assert_eq!((&report["ready"], &report["end"]), (&json!(true), &json!("powered-off")), "{report}");
    let words = report["kernel"]["commandLine"].as_str().unwrap_or_default();
    assert!(words.contains(" ro init=/usr/local/bin/agent nex.overlay=/dev/vdb "), "{words}");
    fsck::check(&place.path("state.ext4"))?;
    assert!(fs::read(place.root())? == before, "the root changed");
    Ok(())
}

#[test]
fn a_drive_keeps_what_guests_change() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let before = fs::read(place.root())?;
    let state = place.path("state.ext4");
    let flags = ["--overlay-drive", &state.display().to_string()];
    let run = |script: &str| command::output(&mut place.script(&flags, script)?);
    assert_eq!(
        printed(&run(
            "echo kept > /etc/kept; rm /bin/env; mkdir /new; df -m / | tail -n 1 | awk '{ print ($2 > 900) }'"
        )?),
        "1\n"
    );
    fsck::check(&state)?;
    assert_eq!(
        printed(&run("read kept < /etc/kept; echo $kept; ls -d /new; ls /bin/env 2>/dev/null; true")?),
        "kept\n/new\n"
    );
    fsck::check(&state)?;
    let result = command::output(&mut place.script(
        &["--overlay-drive", "256MiB"],
        "ls /etc/kept 2>/dev/null; df -m / | tail -n 1 | awk '{ print ($2 > 100 && $2 < 256) }'",
    )?)?;
    assert_eq!(printed(&result), "1\n");
    assert!(fs::read(place.root())? == before, "the root changed");
    assert!(place.is_clean()?);
    Ok(())
}

/// A disk without room is named by what could not be written there, with what helps.
#[test]
fn a_full_disk_is_named() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: mounting a small tmpfs is root's");
        return Ok(());
    }
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let (small, state) = (place.path("tmp"), place.path("tmp/state.ext4"));
    let unnamed = format!("cannot write a drive for the guest in '{}'", small.display());
    let named = format!("cannot write the drive '{}' for the guest", state.display());
    let (mut for_once, mut kept) = (place.boot()?, place.boot()?);
    for_once.args(["--overlay-drive", "256MiB"]);
    kept.arg("--overlay-drive").arg(&state);
    for (nex, code, words) in [
        (place.script(&[], "true")?, 125, [&*unnamed, "TMPDIR"]),
        (for_once, 1, [&*unnamed, "TMPDIR"]),
        (kept, 1, [&*named, "--overlay-drive"]),
    ] {
        let script = "mount -t tmpfs -o size=32k tmpfs \"$0\" && \"$@\"; code=$?; ls -A \"$0\"; exit $code";
        let mut bounded = Command::new("unshare");
        bounded.args(["--mount", "sh", "-c", script]).arg(&small).arg(nex.get_program()).args(nex.get_args());
        bounded.env("TMPDIR", &small);
        let result = command::output(&mut bounded)?;
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(result.status.code(), Some(code), "{said}");
        let words = words.iter().chain(&["No space left on device"]);
        assert!(words.clone().all(|word| said.contains(word)), "{said}");
        assert!(result.stdout.is_empty(), "left behind: {}", String::from_utf8_lossy(&result.stdout));
    }
    Ok(())
}
