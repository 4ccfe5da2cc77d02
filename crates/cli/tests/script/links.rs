//! Images that lay traps: symbolic links where files of the script's world are placed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nex_testkit::nex::script::World;
use nex_testkit::{Result, command, host_tree};

/// Puts links that lead out of the image to everything that is placed in it.
fn set_traps(base: &Path, outside: &Path) -> Result<()> {
    fs::remove_dir_all(base.join("etc"))?;
    symlink(outside, base.join("etc"))?;
    symlink(outside, base.join("run"))?;
    symlink(format!("../../../../../../../..{}", outside.display()), base.join("target"))?;
    Ok(())
}

#[test]
fn links_of_the_image_do_not_lead_out_of_it() -> Result<()> {
    let world = World::new()?;
    let outside = world.path("outside");
    fs::create_dir(&outside)?;
    fs::write(outside.join("resolv.conf"), "the host's\n")?;
    fs::write(outside.join("hosts"), "")?;
    set_traps(&world.base(), &outside)?;
    fs::write(world.path("key"), "secret")?;
    let before = host_tree::read(&outside)?;
    let mut command = world.command("image", "cat /run/secrets/token /target/file > /seen\n")?;
    command.arg("--secret").arg(format!("id=token,src={}", world.path("key").display()));
    command.arg("--mount").arg(format!("{}:/target/file", world.path("key").display()));
    // Whether the script can run or not: nothing of it is outside.
    let result = command::output(&mut command)?;
    assert!(matches!(result.status.code(), Some(0 | 1)));
    assert!(host_tree::read(&outside)? == before, "something was written outside");
    world.is_clean("work")
}

#[test]
fn a_link_in_place_of_a_directory_of_the_kernel_is_refused() -> Result<()> {
    for name in ["proc", "sys", "dev"] {
        let world = World::new()?;
        let path = world.base().join(name);
        if path.exists() {
            fs::remove_dir(&path)?;
        }
        symlink("/", &path)?;
        let words = format!("/{name} of the image is no directory");
        world.fails(&mut world.command("image", "true\n")?, "image", &[&words])?;
    }
    Ok(())
}
