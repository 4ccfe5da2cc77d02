//! It needs no privilege, no tool and no device.

use std::process::Command;

use nex_testkit::nex::{self, tree_is};
use nex_testkit::{Result, command, fsck, places, umoci};

use crate::layers::five_layers;

#[test]
fn a_user_without_capabilities_tools_and_devices_gets_the_same_tree() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: the tests do not run as root, so the others show it already");
        return Ok(());
    }
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    five_layers()?.write(&layout, "image")?;
    command::run(Command::new("chmod").args(["-R", "a+rX"]).arg(&layout))?;
    let output = directory.path().join("out.ext4");
    let build = nex::rootfs(&format!("oci:{}:image", layout.display()), &output)?;
    let mut unprivileged = Command::new("setpriv");
    unprivileged.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs"]);
    // A namespace of its own, with nothing in /dev but null: no loop devices.
    let mut bare = Command::new("unshare");
    bare.args([
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && exec \"$@\"",
        "sh",
    ]);
    bare.arg(unprivileged.get_program()).args(unprivileged.get_args());
    bare.args(["env", "-i", "PATH="]).arg(build.get_program()).args(build.get_args()).args(["--size", "auto"]);
    command::run(&mut bare)?;
    fsck::judge(&output)?;
    tree_is(&output, &umoci::tree(&layout, "image")?)
}
