//! The files that users name beside the image: nothing that stands there keeps nex waiting or fills its memory.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use nex_testkit::failure::Context;
use nex_testkit::fault_registry::FaultRegistry;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, failed, rootfs, rootfs_with};
use nex_testkit::{Result, command};

/// The command, ended after a minute, which is not the exit code 1 of a refusal.
fn within_a_minute(command: &Command) -> Command {
    let mut within = Command::new("timeout");
    within.arg("60").arg(command.get_program()).args(command.get_args()).env_clear();
    within.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    within
}

#[test]
fn nothing_in_the_place_of_a_file_keeps_anybody_waiting() -> Result<()> {
    let place = nex::directory()?;
    let path = |name: &str| place.path().join(name);
    command::run(Command::new("mkfifo").arg(path("fifo")))?;
    File::create(path("endless"))?.set_len(1 << 40)?;
    fs::write(path("script"), "#!/bin/sh\n")?;
    let output = path("out.ext4");
    let command = |what: &str, file: &Path| -> Result<Command> {
        let mut build = rootfs("scratch", &output)?;
        match what {
            "--secret" => {
                build.arg("--script").arg(path("script")).arg("--secret");
                let mut secret = OsString::from("id=s,src=");
                secret.push(file);
                build.arg(secret);
            }
            "--agent" => return Ok(rootfs_with(file, "scratch", &output)),
            "explain" => {
                build = Command::new(nex::program());
                build.env_clear().args(["rootfs", "explain"]).arg(file);
            }
            "SSL_CERT_FILE" => {
                build = rootfs("127.0.0.1:1/team/image", &output)?;
                build.arg("--no-cache").env(what, file);
            }
            flag => {
                build.arg(flag).arg(file);
            }
        }
        Ok(build)
    };
    let named =
        ["--root-password-file", "--script", "--boot-script", "--secret", "--agent", "explain", "SSL_CERT_FILE"];
    for what in named {
        for (file, reason) in [(path("fifo"), "a FIFO"), ("/dev/zero".into(), "a device"), (path("endless"), "")] {
            // For an agent one sentence says what it must be.
            let reason = if what == "--agent" { "" } else { reason };
            let result = command::output(&mut within_a_minute(&command(what, &file)?))?;
            failed(&result, &[&file.display().to_string(), reason]).context(what)?;
            assert!(!output.exists(), "{what}");
        }
    }
    Ok(())
}

/// A registry asks for credentials, and a place where they may be is passed over.
#[test]
fn credentials_are_not_waited_for() -> Result<()> {
    let place = nex::directory()?;
    let (layout, fifo) = (place.path().join("layout"), place.path().join("fifo"));
    command::run(Command::new("mkfifo").arg(&fifo))?;
    Image::of(&[vec![Entry::file("file", "content")]])?.write(&layout, "image")?;
    let registry = FaultRegistry::start(&layout, |_, _, reply| {
        reply.refuse("401 Unauthorized", &[("WWW-Authenticate", "Basic")])
    })?;
    let image = format!("{}/team/image:one", registry.address());
    for (file, reason) in [(fifo.as_path(), "it is a FIFO"), (Path::new("/dev/zero"), "it is a device")] {
        let mut pull = rootfs(&image, &place.path().join("out.ext4"))?;
        pull.args(["--plain-http", "--no-cache"]).env("REGISTRY_AUTH_FILE", file);
        let result = command::output(&mut within_a_minute(&pull))?;
        failed(&result, &["$REGISTRY_AUTH_FILE", &file.display().to_string(), reason])?;
    }
    Ok(())
}

/// What a shell gives for `<(command)` is a pipe that nex has open, and is read to its end.
#[test]
fn a_pipe_that_a_shell_gives_is_read() -> Result<()> {
    let place = nex::directory()?;
    let output = place.path().join("out.ext4");
    let build = rootfs("scratch", &output)?;
    let mut shell = Command::new("bash");
    shell.args(["-c", "exec \"$@\" --root-password-file <(sleep 0.1; echo '$1$salt$ez2vlPGdaLYkJam5pWs/Y1')", "bash"]);
    shell.arg(build.get_program()).args(build.get_args());
    command::run(shell.env_clear().env("PATH", "/usr/bin:/bin"))?;
    let shadow = command::run(Command::new("debugfs").args(["-R", "cat /etc/shadow"]).arg(&output))?;
    let shadow = String::from_utf8_lossy(&shadow).into_owned();
    assert!(shadow.starts_with("root:$1$salt$ez2vlPGdaLYkJam5pWs/Y1:"), "{shadow}");
    Ok(())
}
