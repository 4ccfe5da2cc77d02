//! What the guest finds beside the image: the agent and what starts it.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::manifest::{Kind, Manifest, file_kind};
use nex_testkit::nex::{self, build};
use nex_testkit::{Result, command, fsck, image_tree};

const RUNS: u32 = 0o755;
/// Where the UUID stands in a file system, in its superblock.
const UUID: Range<usize> = 1024 + 0x68..1024 + 0x78;

fn built(entries: Vec<Entry>) -> Result<Manifest> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    Image::of(&[entries])?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}:image", layout.display()), &output)?;
    fsck::judge(&output)?;
    image_tree::read(&output)
}

fn link<'a>(tree: &'a Manifest, path: &str) -> Option<&'a [u8]> {
    match &tree.get(path.as_bytes())?.kind {
        Kind::Symlink(target) => Some(target),
        _ => None,
    }
}

#[test]
fn from_scratch_the_agent_is_the_init() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    build("scratch", &output)?;
    fsck::judge(&output)?;
    let tree = image_tree::read(&output)?;
    assert_eq!(link(&tree, "sbin/init"), Some(&b"/usr/local/bin/agent"[..]));
    assert_eq!(link(&tree, "etc/resolv.conf"), Some(&b"/run/nex/resolv.conf"[..]));
    let agent = &tree[&b"usr/local/bin/agent"[..]];
    // The agent is the init, so nobody but root may write it.
    assert_eq!((agent.mode, agent.uid, agent.gid), (0o755, 0, 0));
    assert_eq!(tree[&b"tmp"[..]].mode, 0o1777);
    assert_eq!(tree[&b"home/nex"[..]].uid, 1000);
    for directory in ["dev", "proc", "run", "sys", "var"] {
        assert_eq!(tree[directory.as_bytes()].kind, Kind::Directory, "{directory}");
    }
    Ok(())
}

#[test]
fn a_boot_script_is_in_the_image_and_leaves_its_identity() -> Result<()> {
    let directory = nex::directory()?;
    let place = |name: &str| directory.path().join(name);
    let layout = place("layout");
    let shell = Entry::file("bin/sh", "\x7fELF").mode(RUNS);
    Image::of(&[vec![shell]])?.write(&layout, "image")?;
    let image = format!("oci:{}:image", layout.display());
    fs::write(place("boot.sh"), "#!/bin/sh\necho hello\n")?;
    build(&image, &place("without.ext4"))?;
    let mut with = nex::rootfs(&image, &place("with.ext4"))?;
    let report = command::run(with.args(["--size", "auto", "--boot-script"]).arg(place("boot.sh")))?;
    assert!(String::from_utf8_lossy(&report).contains("\nboot script "), "{}", String::from_utf8_lossy(&report));
    fsck::judge(&place("with.ext4"))?;
    let script = &image_tree::read(&place("with.ext4"))?[&b"etc/nex/boot-script"[..]];
    assert_eq!((script.mode, script.uid, script.gid), (RUNS, 0, 0));
    let uuid = |name: &str| -> Result<Vec<u8>> { Ok(fs::read(place(name))?[UUID].to_vec()) };
    assert_eq!(uuid("with.ext4")?, uuid("without.ext4")?);

    fs::write(place("boot.sh"), "echo hello\n")?;
    let mut refused = nex::rootfs(&image, &place("refused.ext4"))?;
    nex::fails(refused.arg("--boot-script").arg(place("boot.sh")), directory.path(), &["boot.sh", "#!/bin/sh"])
}

/// Another agent is the init, and does not make what ours makes.
const OTHER_AGENT: &str = "#!/bin/sh\n";

#[test]
fn name_servers_are_the_images_the_kernels_or_the_users() -> Result<()> {
    const SERVER: &str = "nameserver 192.0.2.1\n";
    let directory = nex::directory()?;
    let place = |name: &str| directory.path().join(name);
    let shell = || Entry::file("bin/sh", "\x7fELF").mode(RUNS);
    Image::of(&[vec![shell(), Entry::file("etc/resolv.conf", SERVER)]])?.write(&place("with"), "image")?;
    Image::of(&[vec![shell(), Entry::symlink("etc/resolv.conf", "/run/other")]])?.write(&place("without"), "image")?;
    fs::write(place("servers"), "nameserver 192.0.2.2\n")?;
    fs::write(place("none"), "search example\n")?;
    fs::write(place("agent"), OTHER_AGENT)?;
    let file = place("servers").display().to_string();
    let link = |target: &str| Kind::Symlink(target.into());
    let bytes = |text: &str| file_kind(text.as_bytes());
    let cases: [(&str, &[&str], Kind, &str); 6] = [
        ("with", &[], bytes(SERVER)?, r#""resolvConf":{"action":"kept","path":null"#),
        ("with", &["--resolv-conf", "kernel"], link("/run/nex/resolv.conf"), r#""action":"agent""#),
        ("with", &["--resolv-conf", &file], bytes("nameserver 192.0.2.2\n")?, r#""action":"file""#),
        ("without", &[], link("/run/nex/resolv.conf"), r#""action":"agent","path":"/run/nex/resolv.conf""#),
        ("without", &["--resolv-conf", "keep"], link("/run/other"), r#""action":"kept","path":"/run/other""#),
        ("without", &["--agent", &place("agent").display().to_string()], link("/proc/net/pnp"), r#""action":"kernel""#),
    ];
    for (layout, arguments, expected, words) in cases {
        let image = format!("oci:{}:image", place(layout).display());
        let output = place("out.ext4");
        let mut build = match arguments {
            ["--agent", agent] => nex::rootfs_with(Path::new(agent), &image, &output),
            _ => nex::rootfs(&image, &output)?,
        };
        build.args(arguments.iter().filter(|_| arguments.first() != Some(&"--agent")));
        let report = command::run(build.args(["--size", "auto", "--format", "json"]))?;
        let report = String::from_utf8_lossy(&report).into_owned();
        assert!(report.contains(words), "{words} is not in {report}");
        assert_eq!(image_tree::read(&output)?[&b"etc/resolv.conf"[..]].kind, expected, "{layout} {arguments:?}");
        fs::remove_file(output)?;
    }
    let mut refused = nex::rootfs("scratch", &place("refused.ext4"))?;
    refused.arg("--resolv-conf").arg(place("none"));
    nex::fails(&mut refused, directory.path(), &["/none'", "names no server", "nameserver 192.0.2.1"])?;
    let mut missing = nex::rootfs("scratch", &place("refused.ext4"))?;
    nex::fails(missing.args(["--resolv-conf", "/no/such"]), directory.path(), &["/no/such", "--resolv-conf"])
}

#[test]
fn systemd_starts_the_agent_by_a_unit() -> Result<()> {
    let tree = built(vec![
        Entry::directory("usr/lib/systemd/system"),
        Entry::file("usr/lib/systemd/systemd", "\x7fELF").mode(RUNS),
        Entry::symlink("sbin/init", "../usr/lib/systemd/systemd"),
    ])?;
    assert!(tree.contains_key(&b"etc/systemd/system/agent.service"[..]));
    assert!(link(&tree, "etc/systemd/system/multi-user.target.wants/agent.service").is_some());
    assert_eq!(link(&tree, "sbin/init"), Some(&b"../usr/lib/systemd/systemd"[..]));
    Ok(())
}

#[test]
fn openrc_starts_the_agent_in_the_boot_runlevel() -> Result<()> {
    let tree = built(vec![
        Entry::file("sbin/openrc", "\x7fELF").mode(RUNS),
        Entry::file("sbin/openrc-init", "\x7fELF").mode(RUNS),
        Entry::symlink("sbin/init", "openrc-init"),
        Entry::file("etc/init.d/devfs", "#!/sbin/openrc-run\n").mode(RUNS),
    ])?;
    assert!(tree.contains_key(&b"etc/init.d/agent"[..]));
    assert_eq!(link(&tree, "etc/runlevels/boot/agent"), Some(&b"/etc/init.d/agent"[..]));
    assert_eq!(link(&tree, "sbin/init"), Some(&b"openrc-init"[..]));
    Ok(())
}

#[test]
fn the_agents_service_is_as_it_is_asked_for() -> Result<()> {
    let directory = nex::directory()?;
    let (layout, output, agent) =
        (directory.path().join("layout"), directory.path().join("out.ext4"), directory.path().join("agent"));
    let entries = vec![
        Entry::file("bin/sh", "\x7fELF").mode(RUNS),
        Entry::file("usr/lib/systemd/systemd", "\x7fELF").mode(RUNS),
        Entry::symlink("sbin/init", "../usr/lib/systemd/systemd"),
        Entry::file("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:77:78::/srv:/bin/sh\n"),
        Entry::file("etc/group", "root:x:0:\nweb:x:78:\n"),
    ];
    Image::of(&[entries])?.write(&layout, "image")?;
    fs::write(&agent, OTHER_AGENT)?;
    let image = format!("oci:{}:image", layout.display());
    let arguments = ["--agent-arg", "-v", "--agent-arg=100% $a", "--agent-env", "A=b c", "--agent-user", "web:78"];
    let mut build = nex::rootfs_with(&agent, &image, &output);
    build.args(arguments).args(["--agent-path", "/opt/acme/agent", "--size", "auto"]);
    let text = String::from_utf8_lossy(&command::run(&mut build)?).into_owned();
    for line in [
        "as          /opt/acme/agent",
        "arguments   -v",
        "            100% $a",
        "variables   A=b c",
        "user        web:web",
    ] {
        assert!(text.lines().any(|other| other == line), "{line:?} in {text}");
    }
    assert!(text.contains(", not nex's own)"), "{text}");
    let report: serde_json::Value = serde_json::from_slice(&command::run(build.args(["--format", "json"]))?)?;
    let service = &report["agentService"];
    assert_eq!((&service["path"], &service["user"]), (&"/opt/acme/agent".into(), &"web:web".into()));
    assert_eq!((&service["args"][1], &service["env"][0]), (&"100% $a".into(), &"A=b c".into()));
    assert!(report["agent"]["protocol"].is_null());

    let tree = image_tree::read(&output)?;
    let unit = "ExecStart=/opt/acme/agent \"-v\" \"100%% $$a\"\nEnvironment=\"A=b c\"\nUser=web\nGroup=web\n";
    assert_eq!(link(&tree, "opt/acme/agent"), Some(&b"/usr/local/bin/agent"[..]));
    let stat = &tree[&b"usr/local/bin/agent"[..]];
    assert_eq!((stat.uid, stat.gid, stat.mode & 0o7777), (77, 78, 0o775));
    let mut cat = Command::new("debugfs");
    let cat = command::run(cat.args(["-R", "cat /etc/systemd/system/agent.service"]).arg(&output))?;
    assert!(String::from_utf8_lossy(&cat).contains(unit), "{}", String::from_utf8_lossy(&cat));
    let checked =
        command::output(Command::new(nex::program()).args(["rootfs", "check", "--format", "json"]).arg(&output))?;
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout)?;
    let ids: Vec<_> =
        checked["findings"].as_array().into_iter().flatten().map(|finding| finding["id"].clone()).collect();
    assert!(!ids.contains(&"agent-not-started".into()), "{checked}");

    // What it is replaced by is started in the same way.
    let before = image_tree::read(&output)?;
    command::run(&mut nex::change("set-agent", &output, nex::agent()?))?;
    let after = image_tree::read(&output)?;
    assert_eq!(
        before[&b"etc/systemd/system/agent.service"[..]].kind,
        after[&b"etc/systemd/system/agent.service"[..]].kind
    );
    let mut ours = nex::rootfs(&image, &output)?;
    nex::fails(ours.args(["--agent-arg", "x"]), directory.path(), &["nex's own agent takes no arguments"])
}

#[test]
fn a_password_is_no_hash_and_is_not_shown() -> Result<()> {
    let directory = nex::directory()?;
    let (file, output) = (directory.path().join("password"), directory.path().join("out.ext4"));
    let build = || -> Result<Command> {
        let mut build = nex::rootfs("scratch", &output)?;
        build.arg("--root-password-file").arg(&file);
        Ok(build)
    };
    for wrong in ["hunter2\n", "", "hunter2:0:0", "$6$hunter2", "hunter2\nhunter2\n", "abJnggxhB/yWI"] {
        fs::write(&file, wrong)?;
        nex::fails(&mut build()?, directory.path(), &["openssl passwd -6"])?;
        assert!(!String::from_utf8_lossy(&command::output(&mut build()?)?.stderr).contains("hunter2"));
    }
    for kind in ["-1", "-5", "-6"] {
        let hash = command::run(Command::new("openssl").args(["passwd", kind, "-salt", "salt", "hunter2"]))?;
        fs::write(&file, &hash)?;
        command::run(&mut build()?)?;
        let checked = command::run(Command::new(nex::program()).args(["rootfs", "check"]).arg(&output))?;
        assert!(!String::from_utf8_lossy(&checked).contains("user-hash"));
    }
    Ok(())
}
