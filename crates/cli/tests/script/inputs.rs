//! Environment, mounts, secrets and network.

use std::fs;
use std::io::Write;
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::manifest::{Kind, Manifest};
use nex_testkit::nex::script::{EPOCH, REFUSED, World, text};
use nex_testkit::{Result, command, image_tree, nex};
use serde_json::{Value, json};

#[test]
fn a_script_has_the_variables_it_is_given_and_no_others() -> Result<()> {
    let world = World::new()?;
    let mut command = world.command("image", "env > /seen; pwd >> /seen; hostname >> /seen; echo $0 >> /seen\n")?;
    command.env("LEAK", "x").args(["--env", "A=b=c", "--env", "HOME=/h", "--hostname", "box"]);
    command::run(&mut command)?;
    let seen = text(&world.path("image"), "/seen")?;
    let mut lines: Vec<_> =
        seen.lines().filter(|line| !line.starts_with("SHLVL=") && !line.starts_with("PWD=")).collect();
    lines.sort_unstable();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let epoch = format!("SOURCE_DATE_EPOCH={EPOCH}");
    assert_eq!(lines, ["/", "/run/nex/1/image.sh", "A=b=c", "HOME=/h", path, &epoch, "box"]);
    Ok(())
}

#[test]
fn a_script_has_the_images_variables_below_its_own() -> Result<()> {
    let world = World::new()?;
    let busybox = fs::read("/bin/busybox")?;
    let files = vec![Entry::file("opt/bin/busybox", busybox).mode(0o755), Entry::symlink("bin/sh", "/opt/bin/busybox")];
    let mut image = Image::of(&[files])?;
    let build = |image: &Image, output: &str| -> Result<(bool, String)> {
        image.write(&world.path(&format!("layout-{output}")), "image")?;
        let script = world.write("env.sh", "busybox env > /seen\n")?;
        let reference = format!("oci:{}:image", world.path(&format!("layout-{output}")).display());
        let mut build = nex::rootfs(&reference, &world.path(output))?;
        build.args(["--size", "auto", "--format", "json", "--env", "OVER=user", "--script"]).arg(script);
        build.arg("--work-dir").arg(world.path("work")).arg("--cache-dir").arg(world.path("cache"));
        let report: Value = serde_json::from_slice(&command::run(&mut build)?)?;
        Ok((report["script"]["cached"] == true, text(&world.path(output), "/seen")?))
    };
    image.config = json!({ "Env": ["PATH=/opt/bin", "OVER=image", "GOPATH=/go", "EMPTY="] });
    let (cached, seen) = build(&image, "one")?;
    assert!(!cached);
    for line in ["PATH=/opt/bin", "OVER=user", "GOPATH=/go", "EMPTY="] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in:\n{seen}");
    }
    // They are in the key of the cache.
    assert!(build(&image, "two")?.0);
    image.config = json!({ "Env": ["PATH=/opt/bin", "GOPATH=/other"] });
    let (cached, seen) = build(&image, "three")?;
    assert!(!cached && seen.contains("GOPATH=/other\n"), "{seen}");
    Ok(())
}

#[test]
fn mounts_are_seen_and_leave_no_trace() -> Result<()> {
    let world = World::new()?;
    fs::create_dir(world.path("cache"))?;
    fs::write(world.path("cache/wheel"), "round\n")?;
    fs::write(world.path("file"), "flat\n")?;
    // Owned by somebody else than the script's root, and so writable only if all may write.
    command::run(Command::new("chmod").args(["-R", "a+rwX"]).args([world.path("cache"), world.path("file")]))?;
    let script = "set -e
        cat /deep/cache/wheel /etc/flat /only > /seen
        refused sh -c 'echo x > /only'; refused touch /read/x; echo written > /deep/cache/new
        cp /bin/busybox /deep/cache/setuid; chmod 4755 /deep/cache/setuid\n";
    let mut command = world.command("image", &format!("{REFUSED}{script}"))?;
    for mount in ["cache:/deep/cache", "file:/etc/flat", "file:/only:ro", "cache:/read:ro"] {
        command.arg("--mount").arg(world.path("").join(mount));
    }
    command::run(&mut command)?;
    assert_eq!(text(&world.path("image"), "/seen")?, "round\nflat\nflat\n");
    assert_eq!(fs::read_to_string(world.path("cache/new"))?, "written\n");
    let found = image_tree::read(&world.path("image"))?;
    for path in ["deep", "etc/flat", "only", "read"] {
        assert!(!found.contains_key(path.as_bytes()), "/{path} is in the image");
    }
    let mut missing = world.command("other", "true\n")?;
    world.fails(missing.args(["--mount", "/no/such:/x"]), "other", &["/no/such", "--mount"])
}

#[test]
fn secrets_are_nowhere_but_in_the_script() -> Result<()> {
    const SECRET: &str = "correct horse battery staple";
    let world = World::new()?;
    fs::write(world.path("key"), SECRET)?;
    let script =
        "set -e; grep -q 'correct horse' /run/secrets/token; refused touch /run/secrets/x; stat -c %a:%u /run/secrets/token
        grep -c . /proc/self/cmdline > /dev/null; refused grep -r 'correct horse' /proc/self/environ; echo done > /seen\n";
    let mut command = world.command("image", &format!("{REFUSED}{script}"))?;
    let report = command::run(command.arg("--secret").arg(format!("id=token,src={}", world.path("key").display())))?;
    assert_eq!(text(&world.path("image"), "/seen")?, "done\n");
    let has = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    assert!(!has(&report) && !has(&fs::read(world.path("image"))?));
    assert!(has(&fs::read(world.path("key"))?), "the search finds what is there");
    let found = image_tree::read(&world.path("image"))?;
    assert!(!found.keys().any(|path| path.starts_with(b"run/")));
    Ok(())
}

#[test]
fn without_a_network_there_is_none() -> Result<()> {
    let world = World::new()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || listener.incoming().flatten().try_for_each(|mut caller| writeln!(caller, "reached")));
    let script = format!("nc 127.0.0.1 {port} < /dev/null > /seen || echo cut > /seen\n");
    command::run(&mut world.command("host", &script)?)?;
    command::run(world.command("none", &script)?.args(["--script-network", "none"]))?;
    assert_eq!(text(&world.path("host"), "/seen")?, "reached\n");
    assert_eq!(text(&world.path("none"), "/seen")?, "cut\n");
    // A machine of its own has itself.
    let itself =
        "nc -l -p 7000 < /etc/text > /dev/null & until nc 127.0.0.1 7000 < /dev/null > /seen; do sleep 0.1; done\n";
    command::run(world.command("itself", itself)?.args(["--script-network", "none", "--script-timeout", "60s"]))?;
    assert_eq!(text(&world.path("itself"), "/seen")?, "first\n");
    let resolver = "cat /etc/resolv.conf > /seen; echo nameserver 192.0.2.1 > /etc/resolv.conf\n";
    command::run(&mut world.command("resolver", resolver)?)?;
    assert!(text(&world.path("resolver"), "/seen")?.contains("nameserver"));
    // What it has written lands in the image.
    assert_eq!(text(&world.path("resolver"), "/etc/resolv.conf")?, "nameserver 192.0.2.1\n");
    Ok(())
}

#[test]
fn the_machines_name_servers_stay_out_of_the_image() -> Result<()> {
    let world = World::new()?;
    let link = |tree: &Manifest| match &tree[b"etc/resolv.conf".as_slice()].kind {
        Kind::Symlink(target) => Some(target.clone()),
        _ => None,
    };
    let found = world.run("added", "echo nameserver 192.0.2.1 >> /etc/resolv.conf; cp /etc/resolv.conf /copy\n")?;
    assert_eq!(
        (text(&world.path("added"), "/etc/resolv.conf")?.as_str(), link(&found)),
        ("nameserver 192.0.2.1\n", None)
    );
    // The script has seen them.
    assert!(text(&world.path("added"), "/copy")?.matches("\nnameserver ").count() > 1);
    let found = world.run("searched", "echo search example >> /etc/resolv.conf\n")?;
    assert_eq!(link(&found).as_deref(), Some(&b"/run/nex/resolv.conf"[..]));
    fs::write(world.base().join("etc/resolv.conf"), "nameserver 192.0.2.9\n")?;
    world.run("own", "cat /etc/resolv.conf > /dev/null\n")?;
    assert_eq!(text(&world.path("own"), "/etc/resolv.conf")?, "nameserver 192.0.2.9\n");
    Ok(())
}
