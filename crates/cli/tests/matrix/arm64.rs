//! Another machine: Alpine for arm64, with the agent for it.

use std::fs;
use std::process::Command;

use nex_protocol::Role;
use nex_testkit::{Result, command, corpus, nex, places};
use nex_vmm::Architecture;

use crate::guest::{Guest, agent_for_arm64, in_order, rootfs};

/// Such a machine has no keyboard for Ctrl-Alt-Del, so it ends with its workload. What that writes is there before the power cut.
const PROGRAM: &str = r#"{"cmd":["/bin/sh","-c","uname -m; echo written >/written; sync; sleep 3; exit 3"]}"#;

#[test]
#[ignore = "slow: boots a guest of another machine"]
fn alpine_for_arm64() -> Result<()> {
    let Some(tar) = corpus::alpine("aarch64")? else { return Ok(()) };
    let Some(agent) = agent_for_arm64()? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    fs::write(path("alpine.tar"), tar)?;
    fs::write(path("image.json"), PROGRAM)?;
    let image = path("rootfs.ext4");
    let mut build = rootfs(&format!("tar:{}", path("alpine.tar").display()), &agent, &image);
    command::run(build.args(["--platform", "linux/arm64"]))?;
    // A tar names no program.
    let requests = format!("rm /etc/nex/image.json\nwrite {} /etc/nex/image.json\n", path("image.json").display());
    fs::write(path("requests"), requests)?;
    command::run(Command::new("debugfs").arg("-wf").arg(path("requests")).arg(&image))?;
    let kernel = places::workspace().join("target/guest-arm64/vmlinuz");
    let words = "nex.workload=image nex.poweroff=1";
    let Some(mut guest) = Guest::start(Architecture::Aarch64, &image, words)? else { return Ok(()) };
    assert_eq!(guest.ready_or_cut(&image)?.role, Role::Init);
    let console = guest.ended()?;
    for line in ["@nex1 out", " aarch64", "code=3", "@nex1 end by=power-off"] {
        assert!(console.contains(line), "{line:?}: {console}");
    }
    assert!(!console.contains("@nex1 fail"), "{console}");
    in_order(&image)?;
    // Nobody asks it to end, but it is asked to when it boots.
    let mut boot = Command::new(nex::program());
    boot.args(["rootfs", "boot", "--quiet", "--bus", "nvme"]).arg(&image).arg("--kernel").arg(kernel);
    let said = String::from_utf8(command::run(&mut boot)?)?;
    assert!(said.contains("as init\n") && said.ends_with("end         powered off\n"), "{said}");
    let written = command::run(Command::new("debugfs").args(["-R", "cat /written"]).arg(&image))?;
    assert_eq!(written, b"written\n");
    Ok(())
}
