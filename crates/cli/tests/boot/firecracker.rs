//! A boot in Firecracker: all the way with the double that acts the guest out, and with a real one as far as one gets here.

use std::fs;
use std::path::Path;
use std::process::Command;

use nex_testkit::nex::boot::{Place, console, report};
use nex_testkit::tiny_guest::{self, Then};
use nex_testkit::{Result, command, firecracker};
use serde_json::Value;

/// The command that boots in this Firecracker.
fn boot_in(place: &Place, program: &Path, kernel: &Path) -> Result<Command> {
    let mut command = place.boot_with(kernel)?;
    command.env("NEX_FIRECRACKER", program).args(["--vmm", "firecracker"]);
    Ok(command)
}

#[test]
fn the_agent_reports_and_the_image_stays_as_it_is() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let before = fs::read(place.file())?;
    let report = report(&mut boot_in(&place, firecracker::double()?, &place.parts.kernel)?)?;
    assert_eq!(report["ready"], true, "{report}");
    assert!(report["vmm"]["name"].as_str().is_some_and(|name| name.starts_with("Firecracker 1.")), "{report}");
    assert_eq!(report["vmm"]["why"], "it was asked for");
    // The double has a vsock where there is a program for it; without one the agent goes on on the console.
    let way = if firecracker::vsock_program().is_some() { "vsock" } else { "console" };
    assert_eq!(report["agent"]["way"], way);
    assert_eq!(report["failure"], Value::Null);
    assert!(fs::read(place.file())? == before, "the image has changed");
    assert!(place.is_clean()?, "something is left behind");
    Ok(())
}

#[test]
fn what_firecracker_refuses_is_said_in_its_words() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let mut programs = vec![firecracker::double()?.to_owned()];
    programs.extend(firecracker::real()?);
    for program in programs {
        let mut command = boot_in(&place, &program, &place.parts.kernel)?;
        let refused = command::output(command.args(["--vcpus", "33", "--quiet"]))?;
        assert_eq!(refused.status.code(), Some(1));
        let text = console(&refused);
        assert!(text.starts_with("error: Firecracker 1.") && text.contains("refuses the machine: "), "{text}");
        assert!(place.is_clean()?, "something is left behind");
    }
    Ok(())
}

#[test]
fn what_cannot_be_is_refused_in_words() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let ended = |command: &mut Command, code| {
        let refused = command::output(command)?;
        assert_eq!(refused.status.code(), Some(code), "{command:?}");
        Ok::<_, nex_testkit::Failure>(console(&refused))
    };
    let refusal = |command: &mut Command| ended(command, 1);
    let wrong_usage = |command: &mut Command| ended(command, 2);
    let double = || boot_in(&place, firecracker::double()?, &place.parts.kernel);
    let any = || place.boot_with(&place.parts.kernel);
    for (text, words) in [
        (wrong_usage(double()?.args(["--accel", "emulation"]))?, "cannot emulate a guest"),
        (refusal(double()?.args(["--bus", "nvme"]))?, "virtio's drives"),
        (wrong_usage(any()?.args(["--vmm", "qemu", "--jail-user", "1500:1500"]))?, "only Firecracker can be jailed"),
        (
            wrong_usage(double()?.args(["--jailer", "/bin/true", "--jail-user", "0:0"]))?,
            "cannot be 0:0: user 0 is root",
        ),
        (
            refusal(any()?.env("PATH", "/nowhere").args(["--vmm", "firecracker"]))?,
            "there is no firecracker on the PATH",
        ),
    ] {
        assert!(text.contains(words), "{text:?} lacks {words:?}");
    }
    Ok(())
}

/// A real one runs, and shows what its guest writes and how it ends, in a jail too: only that this guest is no Linux.
#[test]
fn a_real_one_shows_its_guest() -> Result<()> {
    let (Some(place), Some(real)) = (Place::scratch()?, firecracker::real()?) else { return Ok(()) };
    if !firecracker::has_kvm() {
        return Ok(());
    }
    let kernel = place.path("vmlinux");
    fs::write(&kernel, tiny_guest::vmlinux("Linux version 6.1.0 (not really)\n", Then::Reset))?;
    let jails = place.path("jails");
    let mut ways: Vec<Vec<String>> = vec![Vec::new()];
    if let Some(jailer) = firecracker::jailer()? {
        let (jailer, base) = (jailer.to_string_lossy().into_owned(), jails.to_string_lossy().into_owned());
        ways.push(["--jail-user", "57321:57322", "--jailer", &jailer, "--jail-base", &base].map(String::from).into());
    }
    for way in ways {
        let mut command = boot_in(&place, &real, &kernel)?;
        let ended = command::output(command.args(&way).args(["--append", "some.words"]))?;
        let text = console(&ended);
        assert_eq!(ended.status.code(), Some(1), "{text}");
        assert!(text.contains("boot: Firecracker 1.12.1, KVM") && text.contains("it was asked for"), "{text}");
        assert!(text.contains("Linux version 6.1.0 (not really)") && text.contains("some.words"), "{text}");
        assert!(text.contains("did not report before the guest ended"), "{text}");
        assert!(place.is_clean()?, "something is left behind");
        assert_eq!(text.contains("jailed"), !way.is_empty(), "{text}");
    }
    if jails.exists() {
        assert_eq!(fs::read_dir(jails.join("firecracker"))?.count(), 0);
    }
    Ok(())
}
