//! skopeo: carries an image from one form to another.

use std::process::Command;

use crate::Result;
use crate::command;
use crate::registry::Registry;

/// Copies an image between two places, each in skopeo's own words (`oci:DIR:TAG`, `docker-archive:FILE:REF`).
///
/// # Errors
/// When skopeo fails.
pub fn copy(source: &str, target: &str) -> Result<()> {
    command::run(skopeo().args(["copy", "--quiet", source, target])).map(drop)
}

/// Copies an image with all layers compressed anew by zstd.
///
/// # Errors
/// When skopeo fails.
pub fn copy_as_zstd(source: &str, target: &str) -> Result<()> {
    command::run(skopeo().args(["copy", "--quiet", "--dest-compress-format", "zstd", source, target])).map(drop)
}

/// Pushes an image to a registry, and gives the reference under which it stands there.
///
/// # Errors
/// When skopeo fails.
pub fn push(source: &str, registry: &Registry, name: &str) -> Result<String> {
    let reference = format!("{}/{name}", registry.address());
    let mut command = skopeo();
    command.args(["copy", "--quiet", "--dest-tls-verify=false"]);
    if let Some((user, password)) = registry.credentials() {
        command.args(["--dest-creds", &format!("{user}:{password}")]);
    }
    command::run(command.args([source, &format!("docker://{reference}")]))?;
    Ok(reference)
}

/// No signature policy: the images were made a moment ago.
fn skopeo() -> Command {
    let mut command = Command::new("skopeo");
    command.arg("--insecure-policy");
    command
}
