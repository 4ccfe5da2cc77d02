//! `--print-vm-config`: what `nex rootfs boot` and `nex run` would start, in the words of the VMM, with nothing started.

use std::fs;
use std::path::Path;
use std::process::Command;

use nex_testkit::{Result, command, firecracker, nex};
use serde_json::{Value, json};

use crate::place::{Place, done, warned};

/// What a command would start. It starts and makes nothing.
fn described(place: &Place, words: &[&str], kernel: &Path, program: &Path, more: &[&str]) -> Result<(String, String)> {
    let mut nex = Command::new(nex::program());
    nex.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("NEX_FIRECRACKER", program);
    nex.current_dir(place.path("")).env("XDG_CACHE_HOME", place.path("cache"));
    nex.args(words).arg(&place.file).arg("--kernel").arg(kernel).arg("--print-vm-config").args(more);
    let before = nex::names(&place.path(""))?;
    let output = done(nex.arg("--agent").arg(nex::agent()?))?;
    assert_eq!(nex::names(&place.path(""))?, before, "something was made");
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), warned(&output)))
}

#[test]
fn the_guest_of_firecracker_is_a_configuration_that_a_real_one_reads() -> Result<()> {
    let place = Place::new()?;
    let (kernel, double) = (place.tiny_kernel()?, firecracker::double()?);
    let more = ["--vmm", "firecracker", "--overlay-drive", "state.ext4", "--memory", "64MiB"];
    let (text, _) = described(&place, &["rootfs", "boot"], &kernel, double, &more)?;
    let config: Value = serde_json::from_str(&text)?;
    assert_eq!(config["machine-config"]["mem_size_mib"], 64);
    assert_eq!(config["drives"][1]["path_on_host"], json!(place.path("state.ext4")));
    assert!(config["vsock"]["guest_cid"].is_number(), "{config}");
    let words = config["boot-source"]["boot_args"].as_str().unwrap_or_default();
    assert!(words.contains(" nex.vsock=1024 root=/dev/vda ro ") && words.contains("nex.overlay=/dev/vdb"), "{words}");

    let (_, warnings) = described(&place, &["rootfs", "boot"], &kernel, double, &["--vmm", "firecracker"])?;
    assert!(warnings.contains("gives Firecracker a copy of"), "{warnings}");

    // The workload's drive is made for each guest. Any static program will do.
    let program = nex::agent()?.display().to_string();
    let more = ["--vmm", "firecracker", &program];
    let (text, warnings) = described(&place, &["run", "--rootfs"], &kernel, double, &more)?;
    let config: Value = serde_json::from_str(&text)?;
    assert_eq!(config["drives"].as_array().map(Vec::len), Some(2), "{config}");
    assert!(warnings.contains("nex makes that file for each guest"), "{warnings}");

    // A real one reads every field, and then wants the drive.
    let Some(real) = firecracker::real()? else { return Ok(()) };
    let file = place.path("vm_config.json");
    fs::write(&file, &text)?;
    let read = command::output(Command::new(real).args(["--no-api", "--config-file"]).arg(&file))?;
    assert!(!warned(&read).contains("unknown field") && !warned(&read).contains("missing field"), "{}", warned(&read));
    Ok(())
}

#[test]
fn the_guest_of_qemu_is_a_command_line() -> Result<()> {
    let place = Place::new()?;
    let Some(parts) = nex_testkit::guest::Parts::find()? else { return Ok(()) };
    let emulated = ["--vmm", "qemu", "--accel", "emulation"];
    let (line, _) = described(&place, &["rootfs", "boot"], &parts.kernel, Path::new(""), &emulated)?;
    assert!(
        line.contains("qemu-system-x86_64 ") && line.contains(" -accel tcg ") && line.contains(" -kernel "),
        "{line}"
    );
    assert!(line.contains("snapshot=on") && line.contains("readonly=on.ext4"), "{line}");
    Ok(())
}
