//! `nex cp`: files into guests and out of them, by the agent's own program.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use nex_supervise::Reason;
use nex_testkit::Result;

use crate::world::World;

/// A path in the guest, which is this machine.
fn in_guest(directory: &Path, name: &str) -> String {
    format!("web:{}", directory.join(name).display())
}

#[test]
fn files_and_directories_go_in_and_come_out() -> Result<()> {
    let (world, place) = (World::new()?, tempfile::tempdir()?);
    let _web = world.guest("web")?;
    let path = |name: &str| place.path().join(name);
    fs::create_dir_all(path("here/d"))?;
    fs::create_dir(path("there"))?;
    fs::write(path("here/d/program"), vec![7; 300_000])?;
    fs::set_permissions(path("here/d/program"), fs::Permissions::from_mode(0o751))?;
    std::os::unix::fs::symlink("program", path("here/d/link"))?;
    let here = |name: &str| path("here").join(name).display().to_string();
    let there = |name: &str| in_guest(&path("there"), name);
    assert_eq!(world.text(&["cp", &here("d"), &there("")])?, "");
    assert_eq!(fs::metadata(path("there/d/program"))?.mode() & 0o7777, 0o751);
    world.text(&["cp", &here("d/program"), &there("d/renamed")])?;
    world.text(&["cp", &there("d/."), &here("back")])?;
    world.text(&["cp", "-L", &there("d/link"), &here("back/followed")])?;
    for name in ["program", "renamed", "followed"] {
        assert!(fs::read(path("here/back").join(name))? == vec![7; 300_000], "{name}");
    }
    assert_eq!(fs::read_link(path("here/back/link"))?, Path::new("program"));

    // What is left out is a warning, and the copy goes on.
    let _socket = std::os::unix::net::UnixListener::bind(path("there/d/socket"))?;
    let (code, out, err) = world.result(&["cp", &there("d"), &here("again")])?;
    assert_eq!((code, &*out, &*err), (Some(0), "", "warning: 'd/socket' is a socket and is left out\n"));
    Ok(())
}

#[test]
fn tars_go_through_standard_streams() -> Result<()> {
    let (world, place) = (World::new()?, tempfile::tempdir()?);
    let _web = world.guest("web")?;
    fs::create_dir(place.path().join("d"))?;
    fs::write(place.path().join("d/file"), "bytes")?;
    let tar = world.nex(&["cp", &in_guest(place.path(), "d"), "-"]).output()?;
    assert!(tar.status.success() && tar.stderr.is_empty());
    fs::create_dir(place.path().join("new"))?;
    let put = |tar: &[u8], target: &str| -> Result<(Option<i32>, String)> {
        let mut nex = world.nex(&["cp", "-", &in_guest(place.path(), target)]);
        let mut nex = nex.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // What refuses the tar may not read it.
        let _ = nex.stdin.take().expect("piped").write_all(tar);
        let output = nex.wait_with_output()?;
        Ok((output.status.code(), String::from_utf8(output.stderr)?))
    };
    assert_eq!(put(&tar.stdout, "new")?, (Some(0), String::new()));
    assert_eq!(fs::read(place.path().join("new/d/file"))?, b"bytes");
    let (code, said) = put(&tar.stdout, "missing")?;
    assert_eq!(code, Some(1));
    assert!(said.starts_with("error: the guest: cannot write '") && said.contains("no such directory"), "{said}");
    let (code, said) = put(b"\x1f\x8b\x08", "new")?;
    assert_eq!(code, Some(1));
    assert!(said.contains("compressed with gzip") && said.contains("gzip -dc"), "{said}");
    Ok(())
}

#[test]
fn what_cannot_be_copied_says_why() -> Result<()> {
    let (world, place) = (World::new()?, tempfile::tempdir()?);
    let web = world.guest("web")?;
    let file = place.path().join("file").display().to_string();
    fs::write(&file, "x")?;
    for (arguments, code, words) in [
        (["cp", "a", "b"], 2, "neither end is in a guest"),
        (["cp", "web:/a", "web:/b"], 2, "both ends are in guests"),
        (["cp", "web:/missing/file", "."], 1, "cannot open '/missing/file': No such file or directory"),
        (["cp", "missing", "web:/tmp"], 1, "cannot open 'missing': No such file or directory"),
        (["cp", &file, "web:/missing/x"], 1, "the directory that it should be in is missing"),
        (["cp", &file, "other:/tmp"], 1, "other"),
    ] {
        let (found, out, err) = world.result(&arguments)?;
        assert_eq!((found, &*out), (Some(code), ""), "{arguments:?}: {err}");
        assert!(err.starts_with("error: ") && err.contains(words), "{arguments:?}: {err}");
    }
    web.ends(Reason::Exited { code: 0 });
    let (code, _, err) = world.result(&["cp", &file, "web:/tmp"])?;
    assert_eq!(code, Some(1));
    assert!(err.contains("has ended"), "{err}");
    Ok(())
}
