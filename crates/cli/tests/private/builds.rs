//! Builds, with all that they make on the way: cache, trees of scripts, output, hash tree.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use nex_testkit::nex::script::{World, as_user};
use nex_testkit::{Result, command, nex};

use crate::made::{Before, CLOSED, OPEN, Running, under};

/// What belongs to a script's tree has the image's modes, in a directory that nobody else can enter.
fn is_in_a_tree(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "box")
}

/// A build whose script can leave a mark, with everything that it makes in one place.
fn build(world: &World, output: &Path, script: &str) -> Result<Command> {
    for directory in ["place/tmp", "seen"] {
        fs::create_dir_all(world.path(directory))?;
    }
    fs::set_permissions(world.path("seen"), Permissions::from_mode(0o777))?;
    let mut build = nex::rootfs(&format!("rootfs:{}", world.base().display()), output)?;
    build.args(["--size", "auto", "--script"]).arg(world.write("script", script)?);
    build.arg("--mount").arg(format!("{}:/seen", world.path("seen").display()));
    build.arg("--work-dir").arg(world.path("place/work"));
    build.env("NEX_CACHE_DIR", world.path("place/cache")).env("TMPDIR", world.path("place/tmp"));
    Ok(build)
}

#[test]
fn while_a_build_works_nobody_gets_at_what_it_makes() -> Result<()> {
    for name in ["image", "image.zst", "-"] {
        let world = World::new()?;
        let output = if name == "-" { name.into() } else { world.path("place").join(name) };
        let build = build(&world, &output, "touch /seen/mark\nsleep 600\n")?;
        let before = Before::of(&world.path("place"))?;
        let running = Running::until(OPEN, &build, &world.path("seen/mark"))?;
        // What will be the output itself is the user's own already.
        let is_output = |path: &Path| name == "image" && path.parent() == Some(&world.path("place"));
        before.is_private(Some(running.id()), |path| is_in_a_tree(path) || is_output(path))?;
        assert!(before.made()?.iter().any(|(path, _)| is_in_a_tree(path)), "no tree of a script");
        assert!(before.made()?.iter().any(|(path, _)| path.ends_with("CACHEDIR.TAG")), "no cache");
        assert!(!before.nameless(running.id())?.is_empty(), "no image in the making");
    }
    Ok(())
}

#[test]
fn what_a_build_leaves_is_private_but_for_the_files_that_the_user_names() -> Result<()> {
    let world = World::new()?;
    let (output, hashes) = (world.path("place/image"), world.path("place/hashes"));
    let mut build_it = build(&world, &output, "cat /bin/busybox > /large\n")?;
    build_it.arg("--verity-file").arg(&hashes);
    let before = Before::of(&world.path("place"))?;
    command::run(&mut under(OPEN, &build_it))?;
    before.is_private(None, |path| path == output || path == hashes)?;
    assert!(before.made()?.iter().any(|(path, _)| path.ends_with("entry")), "nothing is in the cache");
    // Those have what the umask leaves of 0666, as other tools' files do.
    for (path, mode) in [(&output, 0o666), (&hashes, 0o666)] {
        assert_eq!(fs::metadata(path)?.mode() & 0o777, mode, "{}", path.display());
    }

    let kept = world.path("place/kept");
    let mut failing = build(&world, &output, "touch /tmp/secret\nfalse\n")?;
    failing.arg("--keep-failed").arg(&kept);
    assert_eq!(command::output(&mut under(OPEN, &failing))?.status.code(), Some(1));
    assert_eq!(fs::metadata(&kept)?.mode() & 0o777, 0o700);
    before.is_private(None, |path| path == output || path == hashes || path.starts_with(kept.join("")) && path != kept)
}

#[test]
fn a_umask_that_closes_everything_keeps_nothing_from_who_needs_it() -> Result<()> {
    let world = World::new()?;
    let output = world.path("place/image");
    let build = build(&world, &output, "touch /made\n")?;
    let before = Before::of(&world.path("place"))?;
    command::run(Command::new("chown").arg("-R").arg("65534:65534").arg(world.path("place")))?;
    for _ in 0..2 {
        let Some(mut closed) = as_user(&under(CLOSED, &build), &world, None)? else { return Ok(()) };
        command::run(&mut closed)?;
        assert_eq!(fs::metadata(&output)?.mode() & 0o777, 0, "the output is as the umask has it");
        before.is_its_owners(Some(&output))?;
    }
    Ok(())
}
