//! Images in which the agent is a service, and another user than root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_protocol::Role;
use nex_testkit::debian::Debian;
use nex_testkit::{Result, command, nex, places};
use nex_vmm::Architecture;

use crate::guest::{Guest, in_order, rootfs};

/// An agent that tells as whom it was started, and goes on as the real one.
const WRAPPER: &str = "#!/bin/sh\ntext=\"the agent is $(id -un) of $(id -gn)\"\necho \"$text\"\n\
                       echo \"$text\" >/dev/console\nexec /usr/local/bin/nex-agent\n";

/// A boot script that fails, which must keep nobody from starting.
const BOOT_SCRIPT: &str = "#!/bin/sh\necho \"the boot script runs as $(id -un)\"\nexit 1\n";

struct World {
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Result<Option<Self>> {
        if !places::is_root() {
            eprintln!("LEFT OUT: only root can make Debian's images");
            return Ok(None);
        }
        let world = Self { directory: tempfile::tempdir()? };
        fs::create_dir_all(world.path("layer/usr/local/bin"))?;
        fs::copy(nex::agent()?, world.path("layer/usr/local/bin/nex-agent"))?;
        fs::write(world.path("wrapper"), WRAPPER)?;
        fs::write(world.path("boot.sh"), BOOT_SCRIPT)?;
        Ok(Some(world))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Debian, with the real agent under another name than nex's.
    fn image(&self, debian: Debian) -> Result<String> {
        let tar = self.path("image.tar");
        fs::copy(debian.tar()?, &tar)?;
        let mut add = Command::new("tar");
        command::run(add.arg("-rf").arg(&tar).arg("-C").arg(self.path("layer")).args([
            "--owner=0",
            "--group=0",
            "usr/local/bin/nex-agent",
        ]))?;
        Ok(format!("tar:{}", tar.display()))
    }

    fn build(&self, image: &str) -> (PathBuf, Command) {
        let output = self.path("rootfs.ext4");
        let mut build = rootfs(image, &self.path("wrapper"), &output);
        build.arg("--boot-script").arg(self.path("boot.sh"));
        (output, build)
    }
}

/// The boot script runs, the agent behind it reports as a service of the user `nex`, and the init ends the machine in order.
fn boots(image: &Path, words: &str) -> Result<()> {
    let Some(mut guest) = Guest::start(Architecture::X86_64, image, words)? else { return Ok(()) };
    assert_eq!(guest.ready_or_cut(image)?.role, Role::Service);
    let console = guest.end()?;
    assert!(console.contains("the agent is nex of nex"), "{console}");
    let (script, ready) = (console.find("the boot script runs as root"), console.find("@nex1 ready"));
    assert!(script.is_some() && script < ready, "{script:?} and {ready:?}: {console}");
    in_order(image)
}

#[test]
#[ignore = "slow: boots a guest with systemd"]
fn debian_with_systemd() -> Result<()> {
    let Some(world) = World::new()? else { return Ok(()) };
    let (output, mut build) = world.build(&world.image(Debian::Services)?);
    command::run(&mut build)?;
    boots(&output, "")
}

#[test]
#[ignore = "slow: boots a guest with OpenRC"]
fn debian_with_openrc_that_a_script_installed() -> Result<()> {
    const SCRIPT: &str = "#!/bin/sh -e\nexport DEBIAN_FRONTEND=noninteractive\napt-get update -qq\n\
                          apt-get install -qq -y --no-install-recommends openrc sysvinit-core\n";
    let Some(world) = World::new()? else { return Ok(()) };
    fs::write(world.path("setup.sh"), SCRIPT)?;
    let (output, mut build) = world.build(&world.image(Debian::Minimal)?);
    build.arg("--script").arg(world.path("setup.sh")).arg("--work-dir").arg(world.path("work"));
    command::run(&mut build)?;
    boots(&output, "")
}
