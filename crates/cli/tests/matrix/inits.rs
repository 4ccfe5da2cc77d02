//! Images in which the agent is the init.

use std::fs;
use std::path::Path;

use nex_protocol::Role;
use nex_testkit::{Result, command, corpus, nex};
use nex_vmm::Architecture;

use crate::guest::{Guest, in_order, rootfs};

/// The agent reports as the init, ends the machine when it is asked to, and leaves a clean file system.
fn boots(image: &str, directory: &Path) -> Result<()> {
    let output = directory.join("rootfs.ext4");
    command::run(&mut rootfs(image, nex::agent()?, &output))?;
    let Some(mut guest) = Guest::start(Architecture::X86_64, &output, "")? else { return Ok(()) };
    assert_eq!(guest.ready_or_cut(&output)?.role, Role::Init);
    let console = guest.end()?;
    assert!(console.contains("@nex1 end by=power-off"), "{console}");
    assert!(!console.contains("@nex1 fail"), "{console}");
    in_order(&output)
}

#[test]
#[ignore = "slow: boots a guest"]
fn nothing_but_the_agent() -> Result<()> {
    boots("scratch", tempfile::tempdir()?.path())
}

#[test]
#[ignore = "slow: boots a guest"]
fn alpine() -> Result<()> {
    let Some(tar) = corpus::alpine("x86_64")? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("alpine.tar");
    fs::write(&path, tar)?;
    boots(&format!("tar:{}", path.display()), directory.path())
}
