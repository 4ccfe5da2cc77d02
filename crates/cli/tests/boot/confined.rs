//! How safe the VMM is, and that what makes it less so is said: releases with known faults, a QEMU without seccomp, and what cannot
//! be removed of jails.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use nex_testkit::nex::boot::{Place, console, report};
use nex_testkit::tiny_guest::{self, Then};
use nex_testkit::{Result, command, firecracker, program};
use serde_json::{Value, json};

/// QEMU as it is when it was built without seccomp.
const WITHOUT_SECCOMP: &str = r#"#!/bin/sh
for argument in "$@"; do
    if [ "$argument" = -sandbox ]; then
        echo "qemu-system-x86_64: -sandbox support is not enabled in this QEMU binary" >&2
        exit 1
    fi
done
exec /usr/bin/qemu-system-x86_64 "$@"
"#;

#[test]
fn a_qemu_without_seccomp_runs_and_is_warned_of() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let programs = place.path("programs");
    fs::create_dir(&programs)?;
    program::write(programs.join("qemu-system-x86_64"), WITHOUT_SECCOMP)?;
    let mut boot = place.boot()?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let report = report(boot.args(["--vmm", "qemu"]).env("PATH", path))?;
    assert_eq!(report["ready"], true, "{report}");
    let [warning] = &report["vmm"]["warnings"].as_array().cloned().unwrap_or_default()[..] else {
        return Err(nex_testkit::Failure::new(format!("not one warning: {report}")));
    };
    assert!(warning.as_str().is_some_and(|text| text.contains("built without seccomp")), "{warning}");
    assert_eq!(report["vmm"]["advisories"], Value::Null);
    Ok(())
}

/// The jailer of the real one has a fault that is known; it counts where it is used, and only there.
#[test]
fn a_release_with_a_known_fault_is_warned_of() -> Result<()> {
    let (Some(place), Some(real)) = (Place::scratch()?, firecracker::real()?) else { return Ok(()) };
    let Some(jailer) = firecracker::jailer()? else { return Ok(()) };
    if !firecracker::has_kvm() {
        return Ok(());
    }
    let kernel = place.path("vmlinux");
    fs::write(&kernel, tiny_guest::vmlinux("Linux version 6.1.0 (not really)\n", Then::Reset))?;
    let boot = || -> Result<_> {
        let mut boot = place.boot_with(&kernel)?;
        boot.env("NEX_FIRECRACKER", &real).args(["--vmm", "firecracker"]);
        Ok(boot)
    };
    let jailed = || -> Result<_> {
        let mut boot = boot()?;
        boot.args(["--jail-user", "57321:57322"]).arg("--jailer").arg(&jailer);
        boot.arg("--jail-base").arg(place.path("jails"));
        Ok(boot)
    };
    let warning = "warning: Firecracker's jailer 1.12.1 is vulnerable (CVE-2026-1386): ";
    let said = console(&command::output(&mut boot()?)?);
    assert!(!said.contains("vulnerable"), "{said}");
    let ended = command::output(&mut jailed()?)?;
    assert!(console(&ended).contains(warning), "{}", console(&ended));
    assert!(String::from_utf8_lossy(&ended.stdout).contains("\nwarning     Firecracker's jailer 1.12.1"), "{ended:?}");

    let ended = command::output(jailed()?.args(["--format", "json", "--quiet"]))?;
    let report: Value = serde_json::from_slice(&ended.stdout)?;
    let [advisory] = &report["vmm"]["advisories"].as_array().cloned().unwrap_or_default()[..] else {
        return Err(nex_testkit::Failure::new(format!("not one advisory: {report}")));
    };
    assert_eq!(advisory["id"], "CVE-2026-1386");
    assert_eq!((&advisory["version"], &advisory["fixedIn"]), (&json!("1.12.1"), &json!(["1.13.2", "1.14.1"])));
    assert!(console(&ended).contains(warning), "{}", console(&ended));
    Ok(())
}

/// A file system that is mounted there.
struct Mount(PathBuf);

impl Mount {
    fn at(place: PathBuf) -> Result<Self> {
        fs::create_dir_all(&place)?;
        command::run(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&place))?;
        Ok(Self(place))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = command::output(Command::new("umount").arg(&self.0));
    }
}

#[test]
fn what_cannot_be_removed_of_a_jail_is_warned_of() -> Result<()> {
    let (Some(place), Some(real)) = (Place::scratch()?, firecracker::real()?) else { return Ok(()) };
    let Some(jailer) = firecracker::jailer()? else { return Ok(()) };
    if !firecracker::has_kvm() {
        return Ok(());
    }
    let kernel = place.path("vmlinux");
    fs::write(&kernel, tiny_guest::vmlinux("Linux version 6.1.0 (not really)\n", Then::Reset))?;
    let abandoned = place.path("jails/firecracker/nex-abandoned");
    let mount = Mount::at(abandoned.join("kept"))?;
    for format in ["text", "json"] {
        File::open(&abandoned)?.set_modified(SystemTime::now() - Duration::from_secs(60))?;
        let mut boot = place.boot_with(&kernel)?;
        boot.env("NEX_FIRECRACKER", &real).args(["--quiet", "--format", format, "--vmm", "firecracker"]);
        boot.args(["--jail-user", "57321:57322"]).arg("--jailer").arg(&jailer);
        let ended = command::output(boot.arg("--jail-base").arg(place.path("jails")))?;
        let (said, report) = (console(&ended), String::from_utf8_lossy(&ended.stdout).into_owned());
        let warning = format!("what a VMM has left in '{}' cannot be removed: 'kept': ", abandoned.display());
        assert_eq!(said.matches(&format!("warning: {warning}")).count(), 1, "{format}: {said}");
        assert!(report.contains(&warning), "{format}: {report}");
    }
    drop(mount);
    Ok(())
}
