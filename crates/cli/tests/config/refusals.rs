//! Configurations that cannot be, in words and in codes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use nex_testkit::{Result, command, nex};
use serde_json::Value;

use crate::place::{Place, warned};

/// The exit code and the code of an error in JSON, which says these words.
fn refused(command: &mut Command, words: &str) -> Result<(Option<i32>, String)> {
    let output = command::output(command.args(["--format", "json"]))?;
    let error: Value = serde_json::from_slice(&output.stdout)?;
    assert!(error.to_string().contains(words), "{error}");
    Ok((output.status.code(), error["error"]["code"].as_str().unwrap_or_default().to_owned()))
}

#[test]
fn what_cannot_be_is_refused_in_words_and_in_codes() -> Result<()> {
    let place = Place::new()?;
    let kernel = place.tiny_kernel()?;
    let config = || place.config(&kernel);
    let failed = |code: &str| (Some(1), code.to_owned());
    assert_eq!(refused(config()?.args(["--vcpus", "33"]), "32 processors at most")?, failed("vmm-refused"));
    assert_eq!(refused(config()?.args(["--bus", "nvme"]), "virtio's drives")?, failed("vmm-refused"));
    assert_eq!(refused(config()?.args(["--append", &"a".repeat(2100)]), "command line")?, failed("guest-command-line"));
    assert_eq!(refused(config()?.args(["--overlay-drive", "1G"]), "names a size")?, (Some(2), "usage".to_owned()));
    let odd = place.path("").join(OsStr::from_bytes(b"odd\xff.ext4"));
    fs::copy(&place.file, &odd)?;
    let mut about_odd = place.config_without_kernel(&odd)?;
    assert_eq!(refused(about_odd.arg("--kernel").arg(&kernel), "not UTF-8")?, failed("vmm-name"));
    let text = place.path("text");
    fs::write(&text, "no kernel")?;
    let output = command::output(&mut place.config(&text)?)?;
    assert!(output.stdout.is_empty() && warned(&output).starts_with("error: cannot boot "), "{}", warned(&output));
    Ok(())
}

#[test]
fn where_nothing_can_be_written_nothing_is() -> Result<()> {
    let place = Place::new()?;
    let kernel = place.tiny_kernel()?;
    let file = place.path("file");
    fs::write(&file, "somebody's")?;
    let refusal = refused(place.config(&kernel)?.arg("--write-to").arg(file.join("vm")), "cannot write into")?;
    assert_eq!(refusal, (Some(1), "output".to_owned()));
    assert_eq!(fs::read(&file)?, b"somebody's");

    // What was there before stays whole until all that is new is whole.
    let directory = place.path("vm");
    let write = || -> Result<Command> {
        let mut command = place.config(&kernel)?;
        command.arg("--write-to").arg(&directory);
        Ok(command)
    };
    command::run(&mut write()?)?;
    command::run(write()?.args(["--memory", "64MiB"]))?;
    assert_eq!(nex::names(&directory)?, ["vm_config.json", "vmlinux"]);
    assert!(fs::read_to_string(directory.join("vm_config.json"))?.contains("\"mem_size_mib\": 64"));
    assert_eq!(fs::read(directory.join("vmlinux"))?, fs::read(&kernel)?);
    Ok(())
}
