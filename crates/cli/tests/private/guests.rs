//! Boots and runs, with all that they make before the VMM has begun: sockets, drives, kernels, jails.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::nex::boot::Place;
use nex_testkit::{Result, places, program};

use crate::made::{Before, CLOSED, OPEN, Running};

/// A VMM that tells its version, leaves a mark, and never speaks.
const SILENT: &str = "#!/bin/sh
case \"$1\" in
--version)
    case \"$0\" in
    *qemu*) echo 'QEMU emulator version 7.2.22' ;;
    *) echo 'Firecracker v1.12.1' ;;
    esac
    exit
    ;;
esac
: >\"$MARK\"
exec sleep 600
";

/// A place with silent VMMs in a directory of their own.
fn place() -> Result<Option<(Place, PathBuf)>> {
    let Some(place) = Place::scratch()? else { return Ok(None) };
    let programs = place.path("programs");
    fs::create_dir(&programs)?;
    for name in ["firecracker", "jailer", "qemu-system-x86_64"] {
        program::write(programs.join(name), SILENT)?;
    }
    Ok(Some((place, programs)))
}

fn with_programs(place: &Place, programs: &Path, mut command: Command) -> Command {
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).env("MARK", place.path("mark"));
    command
}

fn boot(place: &Place, programs: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = place.boot_with(&place.parts.kernel)?;
    command.args(arguments);
    Ok(with_programs(place, programs, command))
}

/// Starts the command, looks at what it has made while its VMM is silent, and gives the names of that.
fn made_by(place: &Place, command: &Command, named: Option<&Path>) -> Result<Vec<PathBuf>> {
    let mark = place.path("mark");
    let before = Before::of(place.directory.path())?;
    let closed = Running::until(CLOSED, command, &mark)?;
    before.is_private(Some(closed.id()), |_| false)?;
    before.is_its_owners(named)?;
    drop(closed);
    fs::remove_file(&mark)?;
    if let Some(named) = named {
        fs::remove_file(named)?;
    }
    let running = Running::until(OPEN, command, &mark)?;
    before.is_private(Some(running.id()), |path| Some(path) == named)?;
    let made = before.made()?;
    for (path, found) in &made {
        if found.file_type().is_socket() {
            assert_eq!(found.mode() & 0o777, 0o600, "{}", path.display());
        }
    }
    drop(running);
    fs::remove_file(&mark)?;
    Ok(made.into_iter().map(|(path, _)| path).collect())
}

#[test]
fn sockets_and_drives_of_guests_are_private() -> Result<()> {
    let Some((place, programs)) = place()? else { return Ok(()) };
    let changes = place.path("changes");
    let drive = changes.display().to_string();
    let has = |made: &[PathBuf], name: &str| made.iter().any(|path| path.ends_with(name));

    let made = made_by(&place, &boot(&place, &programs, &["--vmm", "firecracker"])?, None)?;
    assert!(has(&made, "vsock_1024"), "{made:?}");
    let with_drive = boot(&place, &programs, &["--vmm", "firecracker", "--overlay-drive", &drive])?;
    made_by(&place, &with_drive, Some(&changes))?;
    // A drive that the user names is an output.
    assert_eq!(fs::metadata(&changes)?.mode() & 0o777, 0o666);
    made_by(&place, &boot(&place, &programs, &["--accel", "emulation"])?, None)?;

    let mut run = Command::new(nex_testkit::nex::program());
    run.env_clear().env("TMPDIR", place.path("tmp")).args(["run", "--vmm", "firecracker", "--rootfs"]);
    run.arg(place.file()).arg("--kernel").arg(&place.parts.kernel).arg("--agent").arg(nex_testkit::nex::agent()?);
    run.arg(&place.parts.busybox);
    let made = made_by(&place, &with_programs(&place, &programs, run), None)?;
    assert!(has(&made, "vsock_1024"), "{made:?}");
    Ok(())
}

#[test]
fn jails_are_private() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: jails are root's");
        return Ok(());
    }
    let Some((place, programs)) = place()? else { return Ok(()) };
    let jails = place.path("jails");
    let base = jails.display().to_string();
    let jailed =
        boot(&place, &programs, &["--vmm", "firecracker", "--jail-user", "57321:57322", "--jail-base", &base])?;
    let made = made_by(&place, &jailed, None)?;
    for name in ["root/log", "root/vsock_1024", "root/drive0", "jails/firecracker"] {
        assert!(made.iter().any(|path| path.ends_with(name)), "{name}: {made:?}");
    }
    Ok(())
}
