//! What a script changes is in the image: judged by the same script in a plain chroot.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use nex_testkit::manifest::{Kind, Manifest};
use nex_testkit::nex::same_but_for_guest;
use nex_testkit::nex::script::{EPOCH, World, text};
use nex_testkit::{Result, command, fsck, host_tree, image_tree, places};

/// Everything that can happen to a name.
const SCRIPT: &str = r#"#!/bin/sh
set -e
echo new > /etc/new; chmod 4750 /etc/new; chown 12:34 /etc/new; chmod 4750 /etc/new
echo second >> /etc/text                 # through one name of two
ln /bin/busybox /bin/more                # one more name of a file of the base
mkdir -p /made/by/script; chmod 1770 /made/by; chown 0:1000 /made
ln -s /nowhere /made/link; mkfifo -m 600 /made/fifo
dd if=/dev/zero of=/made/sparse bs=4096 seek=300 count=1 2>/dev/null; echo end >> /made/sparse
mv /old/deep /moved                      # a directory of the base, with what is in it
rm /old/link; echo file > /old/link      # a link becomes a file
rm -r /usr/lib; ln -s /made /usr/lib     # a directory becomes a link
rm /old/kept; mkdir /old/kept; touch /old/kept/below
touch -d @1000000000 /etc/group          # only the time
chown 1000:1000 /home; chmod 700 /home   # only a directory's owner and mode
cp /etc/passwd /p; cat /p > /etc/passwd  # the same bytes again
touch -r /etc/text /t; echo third! > /etc/motd; touch -r /t /etc/motd; rm /t /p
mv /etc/attributed /made                 # with its attributes
mkdir -p "/made/$(printf 'bytes\377\n')"; echo x > "/made/$(printf 'bytes\377\n')/ "
"#;

/// `cap_net_raw=ep`.
const CAPABILITY: &str = "0x0100000200200000000000000000000000000000";

/// Times of the script's own, as nex caps them, and what a run cannot show or leaves out.
fn normal(mut tree: Manifest, before: &BTreeMap<Vec<u8>, (i64, u32)>) -> Manifest {
    for (path, entry) in &mut tree {
        if before.get(path) != Some(&entry.modified) && entry.modified.0 > EPOCH {
            entry.modified = (EPOCH, 0);
        }
    }
    tree
}

#[test]
fn the_image_is_what_a_chroot_would_be() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: chroot needs root");
        return Ok(());
    }
    let world = World::new()?;
    let attributed = world.base().join("etc/attributed");
    fs::write(&attributed, "x")?;
    for (name, value) in [("user.note", "hi"), ("user.none", ""), ("security.capability", CAPABILITY)] {
        command::run(Command::new("setfattr").args(["-n", name, "-v", value]).arg(&attributed))?;
    }
    command::run(Command::new("setfacl").args(["-m", "u:1000:rwx,d:g:12:rx"]).arg(world.base().join("old")))?;
    let script = world.write("script", SCRIPT)?;
    let plain = world.path("plain");
    command::run(Command::new("cp").arg("-a").arg(world.base()).arg(&plain))?;
    fs::create_dir(plain.join("dev"))?;
    command::run(Command::new("cp").args(["-a", "/dev/null", "/dev/zero"]).arg(plain.join("dev")))?;
    let before = host_tree::read(&plain)?.into_iter().map(|(path, entry)| (path, entry.modified)).collect();
    let mut chroot = Command::new("chroot");
    command::run(chroot.arg(&plain).args(["/bin/sh", "-c"]).arg(fs::read_to_string(script)?))?;

    let found = world.run("image", SCRIPT)?;
    fsck::judge(&world.path("image"))?;
    let expected = normal(host_tree::read(&plain)?, &before);
    let expected = expected.into_iter().filter(|(path, _)| !path.starts_with(b"dev/")).collect();
    same_but_for_guest(&expected, &normal(found, &before))
}

#[test]
fn what_a_script_does_not_touch_is_as_it_was() -> Result<()> {
    let world = World::new()?;
    let found = world.run("image", "true\n")?;
    same_but_for_guest(&host_tree::read(&world.base())?, &found)?;
    // An image with a script that does nothing differs in nothing but its identity.
    assert!(found.keys().all(|path| !path.starts_with(b"run/") && !path.starts_with(b"sys/")));
    Ok(())
}

#[test]
fn scripts_run_in_order_and_report_what_they_did() -> Result<()> {
    let world = World::new()?;
    let second =
        world.write("second.sh", "cat /order; echo second >> /order; rm /old/kept; echo log > /var/log/x\n")?;
    let mut command = world.command("image", "echo first > /order\necho changed >> /etc/group\n")?;
    let report = command::run(command.arg("--script").arg(second).args(["--format", "json"]))?;
    assert_eq!(text(&world.path("image"), "/order")?, "first\nsecond\n");
    let report = String::from_utf8_lossy(&report);
    for words in [
        r#""scripts":["image.sh","second.sh"],"cached":false,"created":1,"changed":1,"deleted":1"#,
        r#"{"path":"/order","change":"created"}"#,
        r#"{"path":"/etc/group","change":"changed"}"#,
        r#"{"path":"/old/kept","change":"deleted"}"#,
        r#""leftOut":["/var/log/x"]"#,
    ] {
        assert!(report.contains(words), "{words} is not in {report}");
    }
    Ok(())
}

#[test]
fn identities_are_left_out_by_groups() -> Result<()> {
    const SCRIPT: &str = "mkdir -p /etc/ssh /var/lib/dhcp /var/lib/cloud/seed/x; echo c > /etc/ssh/sshd_config
        echo k > /etc/ssh/ssh_host_rsa_key; echo k > /etc/ssh/ssh_host_rsa_key.pub
        echo l > /var/lib/dhcp/dhclient.leases; echo s > /var/lib/cloud/seed/x/meta-data; echo x > /var/log/x
        mkdir -p /my-rootfs/bin /my-rootfs/etc; cp -a /etc/ssh /my-rootfs/etc; cp -a /bin/sh /bin/busybox /my-rootfs/bin\n";
    const KEPT: &str = "etc/ssh/sshd_config";
    const LEFT: [&str; 5] = [
        "etc/ssh/ssh_host_rsa_key",
        "etc/ssh/ssh_host_rsa_key.pub",
        "var/lib/dhcp/dhclient.leases",
        "var/lib/cloud/seed/x/meta-data",
        "var/log/x",
    ];
    let world = World::new()?;
    let there = |output: &str, arguments: &[&str]| -> Result<(Vec<&str>, String)> {
        let mut command = world.command(output, SCRIPT)?;
        let report = command::run(command.args(["--format", "json", "--snapshot", "/"]).args(arguments))?;
        let tree = nex_testkit::image_tree::read(&world.path(output))?;
        assert!(tree.contains_key(KEPT.as_bytes()), "{output}");
        let there = LEFT.into_iter().filter(|path| tree.contains_key(path.as_bytes())).collect();
        Ok((there, String::from_utf8_lossy(&report).into_owned()))
    };
    let (found, report) = there("all", &[])?;
    assert!(found.is_empty(), "{found:?}");
    assert!(LEFT.iter().all(|path| report.contains(&format!("\"/{path}\""))), "{report}");
    assert_eq!(there("none", &["--clean=false"])?.0, LEFT);
    assert_eq!(there("some", &["--clean=ssh-host-keys,logs"])?.0, LEFT[2..4]);
    // What becomes the root has the same rules.
    let snapshot = world.run("snapshot", SCRIPT)?;
    assert!(snapshot.contains_key(KEPT.as_bytes()) && !snapshot.contains_key(LEFT[0].as_bytes()));
    Ok(())
}

#[test]
fn the_groups_are_listed() -> Result<()> {
    let mut nex = Command::new(nex_testkit::nex::program());
    let help = command::run(nex.args(["rootfs", "--clean=help"]))?;
    let help = String::from_utf8_lossy(&help).into_owned();
    assert!(help.contains("\nssh-host-keys  /etc/dropbear/dropbear_*_host_key\n"), "{help}");
    let mut unknown = Command::new(nex_testkit::nex::program());
    let refused = command::output(unknown.args(["rootfs", "--clean=keys"]))?;
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{message}");
    assert!(message.contains("'keys'") && message.contains("ssh-host-keys, dhcp-leases"), "{message}");
    Ok(())
}

#[test]
fn of_very_many_changes_the_report_lists_the_first() -> Result<()> {
    // Paths as long as they can be, each byte of which is four when it is shown, and five in JSON.
    const SCRIPT: &str = "set -e; name=$(head -c 250 /dev/zero | busybox tr '\\0' '\\377'); i=0
        while [ $i -lt 14 ]; do i=$((i+1)); mkdir $name; cd $name; done
        while [ $i -lt 1400 ]; do i=$((i+1)); : > $i-${name#??????}; done; : > /last\n";
    const MADE: usize = 1401;
    let world = World::new()?;
    let report = command::run(world.command("image", SCRIPT)?.args(["--format", "json"]))?;
    assert!(report.len() < 32 << 20, "{} bytes", report.len());
    let report = String::from_utf8_lossy(&report);
    let number = |name: &str| {
        let value = report.split(&format!("\"{name}\":")).nth(1)?;
        value.split(|character: char| !character.is_ascii_digit()).next()?.parse::<usize>().ok()
    };
    let listed = report.matches(r#""change":"created""#).count();
    assert_eq!((number("created"), number("unlistedChanges")), (Some(MADE), Some(MADE - listed)));
    assert!((1000..MADE).contains(&listed), "{listed} are listed");
    // Nothing is left out of the image.
    let before = image_tree::read(&world.path("image"))?.keys().filter(|path| path.starts_with(b"\xff")).count();
    assert_eq!(before, MADE - 1);
    Ok(())
}

#[test]
fn logs_and_caches_are_left_out_unless_they_are_wanted() -> Result<()> {
    const SCRIPT: &str = "echo x > /var/log/x; mkdir -p /var/log/dir /tmp/dir; echo i > /etc/machine-id\n";
    let world = World::new()?;
    fs::write(world.base().join("var/log/old"), "old\n")?;
    let script = format!("{SCRIPT}echo more >> /var/log/old\n");
    let found = world.run("image", &script)?;
    let has = |tree: &Manifest, path: &str| tree.contains_key(path.as_bytes());
    assert!(!has(&found, "var/log/x") && !has(&found, "tmp/dir") && has(&found, "var/log/dir"));
    assert_eq!(text(&world.path("image"), "/var/log/old")?, "old\n");

    command::run(world.command("kept", &script)?.arg("--clean=false"))?;
    assert_eq!(text(&world.path("kept"), "/var/log/x")?, "x\n");
    assert_eq!(text(&world.path("kept"), "/var/log/old")?, "old\nmore\n");
    Ok(())
}

#[test]
fn the_tree_at_my_rootfs_is_the_result() -> Result<()> {
    const SCRIPT: &str = "mkdir -p /my-rootfs /other; for d in bin etc; do cp -a /$d /my-rootfs; done
        echo x > /my-rootfs/marker; chmod 711 /my-rootfs; echo y > /other/marker\n";
    let world = World::new()?;
    let found = world.run("image", SCRIPT)?;
    assert!(found.contains_key(b"marker".as_slice()) && found.contains_key(b"bin/sh".as_slice()));
    assert!(!found.contains_key(b"old".as_slice()) && !found.contains_key(b"my-rootfs".as_slice()));
    assert_eq!(found[b"".as_slice()].mode, 0o711);
    fsck::judge(&world.path("image"))?;

    command::run(world.command("other", SCRIPT)?.args(["--snapshot", "/other"]))?;
    assert_eq!(text(&world.path("other"), "/marker")?, "y\n");
    let mut missing = world.command("missing", SCRIPT)?;
    world.fails(missing.args(["--snapshot", "/none"]), "missing", &["/none", "--snapshot"])
}

#[test]
fn devices_of_the_image_stay_what_they_are_wherever_they_go() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: only root can make a device for the image");
        return Ok(());
    }
    let world = World::new()?;
    command::run(Command::new("mknod").arg(world.base().join("old/device")).args(["c", "1", "7"]))?;
    let found = world.run("image", "mv /old/device /moved; ln /moved /linked\n")?;
    for path in ["moved", "linked"] {
        assert_eq!(found[path.as_bytes()].kind, Kind::CharacterDevice(1, 7), "{path}");
    }
    assert!(!found.contains_key(b"old/device".as_slice()));
    Ok(())
}
