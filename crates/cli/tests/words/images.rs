//! What an image says: the names in its tars, its documents, and the files in it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use nex_testkit::layer::{self, Entry};
use nex_testkit::layout::{self, Image};
use nex_testkit::{Result, command, hostile_text};
use serde_json::{Value, json};

use crate::{Place, program, shows};

#[test]
fn names_in_tars() -> Result<()> {
    let place = Place::new()?;
    for (what, name) in hostile_text::bytes() {
        let tars = [
            ("not a directory", vec![Entry::file(&name, "x"), Entry::file([&name, &b"/below"[..]].concat(), "x")]),
            ("does not exist", vec![Entry::hard_link("link", &name)]),
            ("entry 1", vec![Entry::file([&name, &b"/.."[..]].concat(), "x")]),
            ("", vec![Entry::file("f", "x").xattr(&format!("user.{}", String::from_utf8_lossy(&name)), "x")]),
            ("", vec![Entry::symlink("f", &name)]),
            ("number", vec![Entry::file("f", "x").pax("uid", &name)]),
            ("number", vec![Entry::file("f", "x").pax("mtime", &name)]),
        ];
        for (words, entries) in tars {
            // One that no file system holds is refused for that.
            let words = if name.len() > 255 { "" } else { words };
            fs::write(place.path("a.tar"), layer::tar(&entries)?)?;
            let tar = place.path("a.tar");
            let image = [b"tar:", tar.as_os_str().as_bytes()].concat();
            shows(what, &mut place.build(OsStr::from_bytes(&image)), words)?;
        }
    }
    Ok(())
}

/// More than any header holds is refused with a short line: 445,000 bytes are a name here, and one of ext4's is too long.
#[test]
fn a_name_without_end_does_not_push_the_message_away() -> Result<()> {
    let place = Place::new()?;
    fs::write(place.path("a.tar"), layer::tar(&[Entry::file("n".repeat(445_000), "x")])?)?;
    let output = shows("long", &mut place.build(format!("tar:{}", place.path("a.tar").display())), "at most")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    assert!(error.len() < 1000 && error.contains("entry 1 'nnn") && error.contains("bytes in all"), "{error}");
    Ok(())
}

#[test]
fn documents() -> Result<()> {
    let place = Place::new()?;
    let config = |name: &str, value: &str| -> Result<()> {
        let layers = Image::of(&[vec![Entry::file("f", "x")]])?;
        let _ = fs::remove_dir_all(place.path("layout"));
        layers.write(&place.path("layout"), "image")?;
        let text = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}},"{name}":{value}}}"#
        );
        let config =
            layout::write_blob(&place.path("layout"), "application/vnd.oci.image.config.v1+json", text.as_bytes())?;
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [] });
        let manifest = serde_json::to_vec(&manifest)?;
        let manifest =
            layout::write_blob(&place.path("layout"), "application/vnd.oci.image.manifest.v1+json", &manifest)?;
        layout::write_index(&place.path("layout"), vec![manifest], true)
    };
    let image = format!("oci:{}", place.path("layout").display());
    for (what, string) in hostile_text::json_strings() {
        for name in ["created", "architecture", "variant", "os", "history"] {
            config(name, &string)?;
            shows(what, &mut place.build(&image), "error: ")?;
        }
        config("rootfs", &format!(r#"{{"diff_ids":[{string}]}}"#))?;
        shows(what, &mut place.build(&image), "error: ")?;
    }
    for (what, text) in hostile_text::texts() {
        let _ = fs::remove_dir_all(place.path("layout"));
        Image::of(&[vec![]])?.write(&place.path("layout"), &text)?;
        shows(what, &mut place.build(format!("{image}:other")), "it has a")?;
        let mut manifest = Image::of(&[vec![]])?.write_manifest(&place.path("layout"), "image")?;
        manifest["mediaType"] = text.clone().into();
        layout::write_index(&place.path("layout"), vec![manifest], true)?;
        shows(what, &mut place.build(format!("{image}:image")), "error: ")?;
        let manifest = json!([{ "Config": text, "RepoTags": [text], "Layers": [text] }]);
        let entries = [Entry::file("manifest.json", serde_json::to_vec(&manifest)?)];
        fs::write(place.path("docker.tar"), layer::tar(&entries)?)?;
        let archive = format!("docker-archive:{}", place.path("docker.tar").display());
        shows(what, &mut place.build(&archive), "has no file a")?;
        shows(what, &mut place.build(format!("{archive}:other:tag")), "error: ")?;
    }
    Ok(())
}

/// The report of a build, of a check and of an explanation: labels and commands, users, mounts, shells, interpreters.
#[test]
fn files_and_configs() -> Result<()> {
    for (what, text) in hostile_text::texts() {
        let place = Place::new()?;
        let line = text.replace('\n', "\x0b");
        let name = line.replace('/', "\u{200b}").chars().take(50).collect::<String>();
        let entries = vec![
            Entry::file(format!("sbin/{name}"), program()).mode(0o755),
            Entry::symlink("sbin/init", name.clone()),
            Entry::file("bin/sh", format!("#!/{text}\n")).mode(0o755),
            Entry::file("etc/passwd", format!("root:x:0:0:root:/{line}:/bin/{line}\n{line}:x:1000:1000::/:/\n")),
            Entry::file("etc/group", format!("root:x:0:\n{line}:x:1000:\n")),
            Entry::file("etc/fstab", format!("/dev/{line} /{line} ext4 defaults 0 1\n")),
            Entry::file("etc/machine-id", &text),
            Entry::symlink("etc/resolv.conf", line.chars().take(1000).collect::<String>()),
            Entry::file("etc/inittab", format!("::respawn:/{line}\n")),
        ];
        let image = Image {
            config: json!({
                "Entrypoint": [format!("/{text}")], "Cmd": [text], "Env": [format!("A={text}"), text], "User": text,
                "WorkingDir": format!("/{text}"), "Labels": { &text: text }, "StopSignal": text,
            }),
            ..Image::of(&[entries])?
        };
        image.write(&place.path("layout"), "image")?;
        let mut build = place.build(format!("oci:{}:image", place.path("layout").display()));
        let output = shows(what, &mut build, "output ")?;
        assert!(output.status.success(), "{output:?}");
        let mut check = place.nex(&["rootfs", "check"]);
        shows(what, check.arg(place.path("out.ext4")), "image-")?;
        let log = place.path("console.log");
        fs::write(&log, "[    0.000000] Linux version 6.1.0 (x@y)\n[    1.0] Run /sbin/init as init process\n")?;
        let mut explain = place.nex(&["rootfs", "explain", "--image"]);
        shows(what, explain.arg(place.path("out.ext4")).arg(&log), "6.1.0")?;
    }
    Ok(())
}

/// What JSON escapes is what was there.
#[test]
fn reports_for_programs_lose_nothing() -> Result<()> {
    let place = Place::new()?;
    let output = place.path("caf\u{e9} \u{202e}\u{9b}\u{feff}\u{e0041}.ext4");
    let mut build = place.build_to("scratch", &output);
    let result = shows("a name", &mut build, "output ")?;
    assert!(result.status.success(), "{result:?}");
    let result = command::output(build.env("NEX_FORMAT", "json"))?;
    let report: Value = serde_json::from_slice(&result.stdout)?;
    assert_eq!(report["output"].as_str(), output.to_str());
    Ok(())
}
