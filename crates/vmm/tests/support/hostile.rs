//! Firecrackers that their guests have taken over, in jails of their own.

#![allow(dead_code, reason = "each test program uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use nex_testkit::{Failure, Result, places, program};
use nex_vmm::{Firecracker, Jail};
use tempfile::TempDir;

/// Nobody's on this machine.
pub const USER: u32 = 57_321;
/// Nobody's, too.
pub const GROUP: u32 = 57_322;

/// A jailer that does what a jailer does to the root directory, and then runs this as the jail's user in it.
const JAILER: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then
    echo "Jailer v1.12.1"
    exit
fi
while [ $# -gt 0 ]; do
    case "$1" in
    --id) id=$2 ;;
    --uid) uid=$2 ;;
    --gid) gid=$2 ;;
    --chroot-base-dir) base=$2 ;;
    esac
    shift
done
cd "$base/firecracker/$id/root" || exit 9
chown "$uid:$gid" .
exec setpriv --reuid="$uid" --regid="$gid" --clear-groups sh -c "$HOSTILE"
"#;

/// A Firecracker in jails of its own, who does this there. `None` where we are not root.
pub fn hostile(directory: &TempDir, does: &str) -> Result<Option<Firecracker>> {
    if !places::is_root() {
        eprintln!("LEFT OUT: jails are root's");
        return Ok(None);
    }
    let program = directory.path().join("firecracker");
    let jailer = directory.path().join("jailer");
    let hostile = JAILER.replace("$HOSTILE", &does.replace('$', "\\$").replace('"', "\\\""));
    for (file, text) in [(&program, "#!/bin/sh\necho Firecracker v1.12.1\n"), (&jailer, &hostile)] {
        program::write(file, text)?;
    }
    found(directory.path()).map(Some)
}

/// The one that was made in this directory.
pub fn found(directory: &Path) -> Result<Firecracker> {
    let jail = Jail { base: directory.join("jails"), ..Jail::new(directory.join("jailer"), USER, GROUP) };
    Ok(Firecracker::at(&directory.join("firecracker"))?.jailed(jail)?)
}

/// Nothing is left of any jail.
pub fn no_jails(directory: &TempDir) -> Result<()> {
    let left = fs::read_dir(directory.path().join("jails/firecracker"))?.count();
    if left == 0 { Ok(()) } else { Err(Failure::new(format!("{left} jails are left"))) }
}

/// The jails of this directory.
pub fn jails(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.join("jails/firecracker")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
