//! What arguments, registries and other users' files say.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::sync::{Arc, Mutex};

use nex_testkit::fault_server::FaultServer;
use nex_testkit::layer::Entry;
use nex_testkit::{Result, hostile_text};

use crate::{Place, harmless, shows};

/// The longest that the kernel takes for an argument is 128 KiB.
#[test]
fn arguments() -> Result<()> {
    let place = Place::new()?;
    fs::write(place.path("script"), "#!/bin/sh\n")?;
    for (what, text) in hostile_text::bytes() {
        let argument = |before: &str| OsStr::from_bytes(&[before.as_bytes(), &text].concat()).to_owned();
        let below = argument(&format!("{}/", place.directory.path().display()));
        shows(what, &mut place.build(argument("")), "error: ")?;
        shows(what, &mut place.build(argument("tar:/none/")), "error: ")?;
        shows(what, &mut place.build(argument("oci:/none/")), "error: ")?;
        shows(what, &mut place.build(argument("localhost:1/b:")), "error: ")?;
        for flag in [
            "--size=",
            "--label=",
            "--uuid=",
            "--max-size=",
            "--reserved=",
            "--platform=",
            "--hostname=",
            "--script=",
            "--boot-script=",
            "--mount=",
            "--secret=",
            "--",
            "-",
        ] {
            // A label may be any 16 bytes.
            shows(what, place.build("scratch").arg(argument(flag)), "")?;
        }
        for command in ["check", "grow", "set-agent", "explain", "boot"] {
            let mut nex = place.nex(&["rootfs", command]);
            if command == "grow" || command == "set-agent" {
                nex.arg(&below).arg("+1GiB");
            } else {
                nex.arg(&below);
            }
            if command == "boot" {
                nex.arg("--kernel").arg(&below);
            }
            shows(what, &mut nex, "error: ")?;
        }
        // It looks like a flag where a file may stand.
        shows(what, place.nex(&["rootfs", "boot"]).arg(argument("--")), "error: ")?;
        shows(what, place.nex(&[]).arg(argument("")), "error: ")?;
        for arguments in [&["--help"][..], &["rootfs", "--none"], &[]] {
            shows(what, place.nex(arguments).arg0(argument("")), "nex")?;
        }
        shows(what, place.nex(&["manual"]).arg(argument("")), "error: ")?;
        shows(
            what,
            place.nex(&["run", "--rootfs"]).arg(&below).arg("--kernel").arg(&below).arg(argument("")),
            "error: ",
        )?;
    }
    Ok(())
}

/// Whatever is wrong with what the user has written, a password in it is in no log.
#[test]
fn urls_of_users_are_shown_without_the_user() -> Result<()> {
    const URL: &str = "https://user:hunter2@localhost:1/b";
    let place = Place::new()?;
    let below = place.path("https:/").join("user:hunter2@host");
    let mut commands = vec![
        place.build(URL),
        place.build(format!("docker://{URL}")),
        place.build("docker://user:hunter2@localhost:1/b:c"),
        place.build(format!("tar:{URL}")),
        place.build(format!("oci-archive:/none/{URL}")),
    ];
    for flag in ["--size=", "--uuid=", "--platform=", "--mount=", "--secret=", "--script=", "--script-timeout=", "--"] {
        let mut build = place.build("scratch");
        build.arg(format!("{flag}{URL}"));
        commands.push(build);
    }
    for arguments in [&["rootfs", "check", URL][..], &["manual", URL], &["rootfs", "explain", URL], &[URL]] {
        commands.push(place.nex(arguments));
    }
    let mut proxied = place.build("localhost:1/b:c");
    proxied.arg("--no-cache").env("HTTPS_PROXY", "http://user:hunter2@no host/");
    commands.push(proxied);
    for mut command in commands {
        let what = format!("{command:?}");
        for format in ["text", "json"] {
            let output = harmless(&what, command.env("NEX_FORMAT", format))?;
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(said.contains("error: ") && !said.contains("hunter2"), "{what}: {said}");
        }
    }
    // A path is none, and is shown as it is.
    shows("a path", place.nex(&["rootfs", "check"]).arg(&below), "hunter2@host").map(drop)
}

#[test]
fn refusals_of_registries() -> Result<()> {
    let place = Place::new()?;
    let answer = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::clone(&answer);
    let server = FaultServer::start(move |_, reply| {
        let answer = answers.lock().map(|answer| answer.clone()).unwrap_or_default();
        reply.raw(&answer)
    })?;
    let image = format!("docker://{}/b:c", server.address());
    let refuse = |what: &str, status: &str, header: &[u8], body: &[u8]| -> Result<()> {
        let head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if let Ok(mut answer) = answer.lock() {
            *answer = [head.as_bytes(), header, b"\r\n", body].concat();
        }
        let mut build = place.build(&image);
        build.args(["--plain-http", "--no-cache"]);
        shows(what, &mut build, "error: ").map(drop)
    };
    for (what, string) in hostile_text::json_strings() {
        let body = format!(r#"{{"errors":[{{"code":{string},"message":{string}}}]}}"#);
        refuse(what, "404", b"", body.as_bytes())?;
        refuse(what, "403", b"", format!(r#"{{"details":{string}}}"#).as_bytes())?;
        refuse(what, "200", b"", format!(r#"{{"schemaVersion":2,"mediaType":{string}}}"#).as_bytes())?;
    }
    for (what, text) in hostile_text::bytes() {
        refuse(what, "404", b"", &text)?;
        let header: Vec<u8> = text.iter().copied().filter(|byte| *byte >= b' ' && *byte != 0x7f).take(2000).collect();
        refuse(what, "401", &[b"WWW-Authenticate: Bearer realm=\"http://", &header[..], b"\"\r\n"].concat(), b"")?;
        refuse(what, "307", &[b"Location: /", &header[..], b"\r\n"].concat(), b"")?;
        refuse(what, "200", &[b"Content-Type: ", &header[..], b"\r\n"].concat(), b"{}")?;
    }
    Ok(())
}

#[test]
fn files_in_the_cache() -> Result<()> {
    let place = Place::new()?;
    place.root(&[Entry::file("f", "x")])?;
    let shelf = fs::read_dir(place.path("cache"))?.flatten().flat_map(|entry| fs::read_dir(entry.path())).flatten();
    let shelf = shelf.flatten().map(|entry| entry.path()).find(|path| path.is_dir());
    let shelf = shelf.unwrap_or_else(|| panic!("the cache has no shelves"));
    for (_, text) in hostile_text::bytes() {
        let name: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'/').take(200).collect();
        fs::write(shelf.join(OsStr::from_bytes(&name)), "")?;
    }
    shows("verify", &mut place.nex(&["cache", "verify"]), "foreign ")?;
    for action in ["ls", "du", "gc"] {
        harmless(action, &mut place.nex(&["cache", action]))?;
        harmless(action, place.nex(&["cache", action]).env("NEX_FORMAT", "json"))?;
    }
    Ok(())
}
