//! Asks the kernel what it makes of an image.

use std::process::Command;

use crate::support::{Image, text};

/// Runs a shell script in the root of the mounted image, in a mount namespace that takes the mount with it; `None`,
/// with a message, where that is not possible.
pub fn in_kernel(image: &Image, script: &str) -> Option<String> {
    let point = tempfile::tempdir().unwrap();
    let mounted =
        r#"mount -o loop "$0" "$1" || exit 99; cd "$1"; eval "$2"; status=$?; cd /; umount "$1"; exit $status"#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", mounted]).arg(image.path()).arg(point.path()).arg(script);
    match command.output() {
        Ok(output) if output.status.success() => Some(text(&output)),
        Ok(output) if output.status.code() != Some(99) && !text(&output).contains("unshare") => {
            panic!("{script}: {}", text(&output))
        }
        output => {
            eprintln!("no loop mounts here, so the kernel does not judge: {output:?}");
            None
        }
    }
}
