//! A configuration for Firecracker. A real one takes it, runs what is in it, and refuses one with a misspelt field.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nex_testkit::guest::Parts;
use nex_testkit::{Failure, Result, command, firecracker, nex};
use serde_json::json;

use crate::place::{Place, done, json, warned};

/// A real Firecracker with this configuration.
fn started(program: &Path, config: &Path) -> Command {
    let mut command = Command::new(program);
    // It runs in another directory than nex has.
    command.current_dir("/").args(["--no-api", "--config-file"]).arg(config);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_was_asked_for_stands_in_it() -> Result<()> {
    let place = Place::new()?;
    let kernel = place.tiny_kernel()?;
    let config = json(place.config(&kernel)?.args(["--memory", "1G", "--vcpus", "2", "--append", "some.words"]))?;
    assert_eq!(config["machine-config"], json!({ "vcpu_count": 2, "mem_size_mib": 1024 }));
    assert_eq!(config["boot-source"]["kernel_image_path"], json!(kernel));
    assert_eq!(
        config["boot-source"]["boot_args"],
        "console=ttyS0 reboot=k panic=-1 pci=off i8042.noaux i8042.nomux i8042.dumbkbd root=/dev/vda rw some.words"
    );
    let drive = json!({ "drive_id": "drive0", "path_on_host": place.file, "is_root_device": false,
        "is_read_only": false, "cache_type": "Writeback" });
    assert_eq!(config["drives"], json!([drive]));
    assert_eq!(config["vsock"], json!(null), "nobody would listen");

    let config = json(place.config(&kernel)?.arg("--overlay"))?;
    assert_eq!(config["drives"][0]["is_read_only"], true);
    let words = config["boot-source"]["boot_args"].as_str().unwrap_or_default();
    assert!(
        words.contains(" root=/dev/vda ro ") && words.contains(" nex.overlay=tmpfs nex.init=/sbin/init"),
        "{words}"
    );

    let config = json(place.config(&kernel)?.args(["--overlay-drive", "state.ext4", "--verity"]).arg(&place.file))?;
    assert_eq!(config["drives"][1]["path_on_host"], json!(place.path("state.ext4")));
    assert_eq!(config["drives"][1]["is_read_only"], false);
    assert!(place.path("state.ext4").exists(), "what the configuration names is there");
    let words = config["boot-source"]["boot_args"].as_str().unwrap_or_default();
    assert!(words.contains(" dm-mod.create=") && words.contains(" nex.overlay=/dev/vdb"), "{words}");
    Ok(())
}

#[test]
fn a_real_one_runs_what_is_in_it_and_refuses_a_misspelt_field() -> Result<()> {
    let (place, Some(real)) = (Place::new()?, firecracker::real()?) else { return Ok(()) };
    let kernel = place.tiny_kernel()?;
    let file = place.path("vm_config.json");
    let printed = done(place.config(&kernel)?.args(["--overlay-drive", "state.ext4", "--verity"]).arg(&place.file))?;
    fs::write(&file, &printed.stdout)?;
    if firecracker::has_kvm() {
        // What it logs would stand amid the guest's lines.
        let ran = command::output(started(&real, &file).args(["--log-path", "/dev/null"]))?;
        let config: serde_json::Value = serde_json::from_slice(&printed.stdout)?;
        let words = config["boot-source"]["boot_args"].as_str().unwrap_or_default();
        assert_eq!(ran.status.code(), Some(0), "{}", warned(&ran));
        assert!(said(&ran).contains(&format!("Linux version 6.1.0 (not really)\n{words}")), "{}", said(&ran));
    }
    let text = said(&printed);
    for (right, wrong) in [("is_read_only", "is_readonly"), ("boot_args", "boot_arg"), ("vcpu_count", "vcpus")] {
        fs::write(&file, text.replacen(&format!("\"{right}\""), &format!("\"{wrong}\""), 1))?;
        let refused = command::output(&mut started(&real, &file))?;
        assert_eq!(refused.status.code(), Some(1), "{wrong}");
        assert!(warned(&refused).contains(&format!("unknown field `{wrong}`")), "{}", warned(&refused));
    }
    Ok(())
}

#[test]
fn what_a_guest_lacks_is_a_warning_and_stands_beside_where_asked() -> Result<()> {
    let (place, Some(parts)) = (Place::new()?, Parts::find()?) else { return Ok(()) };
    // Debian's kernel unpacks itself, and has its drivers in modules.
    let config = || place.config(&parts.kernel);
    let printed = done(&mut config()?)?;
    let (warnings, value) = (warned(&printed), serde_json::from_slice::<serde_json::Value>(&printed.stdout)?);
    for words in
        ["warning: Firecracker needs an unpacked kernel", "virtio_blk", "--write-to DIR", "give each guest a copy"]
    {
        assert!(warnings.contains(words), "{words:?} is missing: {warnings}");
    }
    assert_eq!(value["boot-source"]["initrd_path"], json!(null));

    let directory = place.path("a/vm");
    let printed = done(config()?.args(["--overlay", "--write-to"]).arg("a/vm"))?;
    assert!(!warned(&printed).contains("warning: "), "{}", warned(&printed));
    assert_eq!(nex::names(&directory)?, ["initramfs.cpio", "vm_config.json", "vmlinux"]);
    assert_eq!(fs::read(directory.join("vm_config.json"))?, printed.stdout);
    let value: serde_json::Value = serde_json::from_slice(&printed.stdout)?;
    assert_eq!(value["boot-source"]["kernel_image_path"], json!(directory.join("vmlinux")));
    assert_eq!(value["boot-source"]["initrd_path"], json!(directory.join("initramfs.cpio")));
    assert!(fs::read(directory.join("vmlinux"))?.starts_with(b"\x7fELF"));
    assert!(fs::read(directory.join("initramfs.cpio"))?.starts_with(b"070701"));

    let Some(real) = firecracker::real()?.filter(|_| firecracker::has_kvm()) else { return Ok(()) };
    // How far it gets is the host's business: that Firecracker has loaded all of it is ours.
    let mut guest = started(&real, &directory.join("vm_config.json"));
    let mut guest = guest.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let log = guest.stdout.take().ok_or_else(|| Failure::new("no log"))?;
    let mut lines = BufReader::new(log).split(b'\n').map_while(std::io::Result::ok);
    let begun = lines.any(|line| String::from_utf8_lossy(&line).contains("Successfully started microvm"));
    guest.kill()?;
    guest.wait()?;
    assert!(begun, "Firecracker does not take it");
    Ok(())
}

#[test]
fn the_owner_can_use_a_directory_that_was_made_whatever_the_umask_is() -> Result<()> {
    let place = Place::new()?;
    let config = place.config(&place.tiny_kernel()?)?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "umask 0777; exec \"$@\"", "sh"]).arg(config.get_program()).args(config.get_args());
    shell.env_clear().envs(config.get_envs().filter_map(|(name, value)| Some((name, value?))));
    done(shell.current_dir(place.path("")).args(["--write-to", "new/vm"]))?;
    for directory in ["new", "new/vm"] {
        assert_eq!(fs::metadata(place.path(directory))?.permissions().mode() & 0o777, 0o700, "{directory}");
    }
    assert!(nex::names(&place.path("new/vm"))?.contains(&"vm_config.json".to_owned()));
    Ok(())
}

#[test]
fn a_directory_whose_name_no_configuration_has_is_named() -> Result<()> {
    let place = Place::new()?;
    let mut config = place.config(&place.tiny_kernel()?)?;
    let refused = command::output(config.arg("--write-to").arg(OsStr::from_bytes(b"v\xffm")))?;
    assert_eq!(refused.status.code(), Some(2));
    let words = r"the name of the directory 'v\xffm' is not UTF-8";
    assert!(warned(&refused).contains(words) && warned(&refused).contains("--write-to"), "{}", warned(&refused));
    Ok(())
}
