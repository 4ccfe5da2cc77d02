//! A command line for QEMU. Pasted into a shell, it starts the guest.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nex_testkit::guest::Parts;
use nex_testkit::{Failure, Result, nex};

use crate::place::{Place, done, warned};

#[test]
fn the_line_starts_the_guest_when_it_is_pasted() -> Result<()> {
    let (place, Some(parts)) = (Place::new()?, Parts::find()?) else { return Ok(()) };
    let config = || -> Result<Command> {
        let mut command = place.config(&parts.kernel)?;
        command.args(["--for", "qemu", "--accel", "emulation"]);
        Ok(command)
    };
    let printed = done(&mut config()?)?;
    assert!(warned(&printed).contains("needs an initramfs"), "{}", warned(&printed));
    // QEMU takes a kernel that unpacks itself, and the guest writes to no file.
    assert_eq!(warned(&printed).matches("warning: ").count(), 1, "{}", warned(&printed));

    let printed = done(config()?.args(["--write-to", "for qemu"]))?;
    assert_eq!(nex::names(&place.path("for qemu"))?, ["initramfs.cpio"]);
    let line = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert_eq!(line.lines().count(), 1, "{line}");
    let before = fs::read(&place.file)?;
    let mut shell = Command::new("/bin/sh");
    shell.current_dir("/").args(["-c", &format!("exec {line}")]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut guest = shell.spawn()?;
    let console = guest.stdout.take().ok_or_else(|| Failure::new("no console"))?;
    let mut console = BufReader::new(console).split(b'\n').map_while(std::io::Result::ok);
    let is_ready = console.any(|line| String::from_utf8_lossy(&line).contains("@nex1 ready "));
    guest.kill()?;
    guest.wait()?;
    assert!(is_ready, "the guest ended before its agent reported: {line}");
    assert!(fs::read(&place.file)? == before, "the image has changed");
    Ok(())
}

#[test]
fn programs_get_the_line_in_an_object() -> Result<()> {
    let place = Place::new()?;
    let kernel = place.path("bzImage");
    let (Some(parts), mut text) = (Parts::find()?, place.config(&kernel)?) else { return Ok(()) };
    fs::copy(&parts.kernel, &kernel)?;
    text.args(["--for", "qemu", "--accel", "emulation", "--bus", "nvme"]);
    let line = String::from_utf8(done(&mut text)?.stdout)?;
    let object: serde_json::Value = serde_json::from_slice(&done(text.args(["--format", "json"]))?.stdout)?;
    assert_eq!(object, serde_json::json!({ "schemaVersion": 1, "commandLine": line.trim_end() }));
    Ok(())
}
